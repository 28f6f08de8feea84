"""A dense target made sparse, as a user in a hurry paints: a few whole objects, some background, the rest unknown."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .objects import Target

Mask = NDArray[np.bool_]

_VISIBLE_PX = 30
"""Objects of fewer pixels are painted only where there are not enough larger ones."""
_LEAST_RING_PX = 4
_DABS, _DAB_RADIUS_PX = 3, 8


def count_objects(numbers: NDArray[np.integer]) -> int:
    """Return how many different objects `numbers` ``(h, w)`` has; 0 is none."""
    return len(np.unique(numbers[numbers > 0]))


def paint_few(target: Target, numbers: NDArray[np.integer], count: int, rng: np.random.Generator) -> Target:
    """Return a core target in which little is painted.

    Parameters
    ----------
    target
        Core target ``(h, w)``: 0 unpainted, 1 background, 2.. classes.
    numbers
        A number for each object ``(h, w)``, 0 where there is none.
    count
        Objects of each class to paint; all, where there are fewer.
    rng
        Draws the objects and the places of the dabs.

    Returns
    -------
    numpy.ndarray
        `target` where it is painted: on the objects drawn, on true background within half a median object's radius of
        them (at least 4 px), and on true background in three dabs of 8 px radius; 0 elsewhere.

    """
    chosen = np.zeros(target.shape, bool)
    for core in range(2, int(target.max(initial=0)) + 1):
        chosen |= _drawn((target == core), numbers, count, rng)
    background = target == 1
    kept = chosen | (background & (_ring(chosen, numbers) | _dabs(background, rng)))
    painted: Target = np.where(kept, target, 0).astype(np.uint8)
    return painted


def _drawn(of_class: Mask, numbers: NDArray[np.integer], count: int, rng: np.random.Generator) -> Mask:
    """Mask of the objects drawn from one class."""
    labels, areas = np.unique(numbers[of_class & (numbers > 0)], return_counts=True)
    visible = labels[areas >= _VISIBLE_PX]
    eligible = visible if len(visible) >= count else labels
    mask: Mask = of_class & np.isin(numbers, rng.choice(eligible, min(count, len(eligible)), replace=False))
    return mask


def _ring(chosen: Mask, numbers: NDArray[np.integer]) -> Mask:
    """Mask of what is near the chosen objects."""
    if not chosen.any():
        return chosen
    areas = np.unique(numbers[numbers > 0], return_counts=True)[1]
    width = max(_LEAST_RING_PX, int(0.5 * np.sqrt(np.median(areas) / np.pi)))
    return np.asarray(ndimage.distance_transform_edt(~chosen) <= width)


def _dabs(background: Mask, rng: np.random.Generator) -> Mask:
    """Mask of discs on background, clear of objects where that is possible."""
    mask = np.zeros(background.shape, bool)
    places = np.argwhere(ndimage.distance_transform_edt(background) > _LEAST_RING_PX - 1)
    if len(places):
        rows, columns = np.indices(mask.shape)
        for row, column in places[rng.choice(len(places), _DABS)]:
            mask |= (rows - row) ** 2 + (columns - column) ** 2 <= _DAB_RADIUS_PX**2
    return mask
