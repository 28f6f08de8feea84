"""How large the painted objects come out, beside how large they were painted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_MARGIN_PX, _MARGIN_SHARE = 4, 0.25
"""Added on each side of a painted object, in pixels and in diameters; one that reaches farther merged with others."""
_LEAST_PX = 30
"""Area below which a pixel more or less around an object is a tenth of its diameter."""
_WORTH_SAYING = 0.04


def size_notice(painted: NDArray[np.integer], found: NDArray[np.integer]) -> str:
    """Say how diameters compare, as a sentence; empty where they agree within 4 % or nothing can be compared.

    Parameters
    ----------
    painted
        Core target ``(h, w)`` (0 unpainted, 1 background, 2.. classes).
    found
        Labels ``(h, w)``: 0 background, 1.. classes in the same order.

    """
    ratios = list(diameter_ratios(painted, found))
    if not ratios:
        return ""
    change = float(np.median(ratios)) - 1
    if abs(change) < _WORTH_SAYING:
        return ""
    return f"The painted objects come out {abs(change):.0%} {'wider' if change > 0 else 'narrower'} than painted."


def diameter_ratios(painted: NDArray[np.integer], found: NDArray[np.integer]) -> Iterator[float]:
    """Yield, for each painted object that comes out as one, its diameter as found over that as painted.

    Objects at the border, tiny ones, and those that have merged with others in the answer are left out; arguments as
    in `size_notice`.
    """
    from scipy import ndimage

    for value in np.unique(painted[painted >= 2]):
        numbers, _ = ndimage.label(painted == value)
        for number, place in enumerate(ndimage.find_objects(numbers), 1):
            own = numbers[place] == number
            margin = round(_MARGIN_PX + _MARGIN_SHARE * float(np.sqrt(4 * own.sum() / np.pi)))
            window = tuple(slice(side.start - margin, side.stop + margin) for side in place)
            if own.sum() < _LEAST_PX or not _inside(window, painted.shape):
                continue
            area = _area_found(numbers[window] == number, found[window] == value - 1)
            if area:
                yield float(np.sqrt(area / own.sum()))


def _inside(window: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return all(side.start >= 0 and side.stop <= edge for side, edge in zip(window, shape, strict=True))


def _area_found(own: NDArray[np.bool_], found: NDArray[np.bool_]) -> int:
    """Area of what was found at a painted object; 0 where it reaches the window's border, or nothing was found."""
    from scipy import ndimage

    pieces, _ = ndimage.label(found)
    at_border = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    here = np.unique(pieces[own & (pieces > 0)])
    if np.isin(here, at_border).any():
        return 0
    return int(np.isin(pieces, here[here > 0]).sum())
