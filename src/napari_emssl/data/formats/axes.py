"""Which axes of an array are height and width, and what the others count: time, depth, channels, or mere numbers."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import DuckArray
from .units import nm_per, seconds_per

Kind = Literal["t", "z", "c", "n"]
"""Time, depth, channel, or planes of which nothing is known but their order."""

_KIND_OF: dict[str, Kind] = {
    **dict.fromkeys(("t", "time", "frame", "frames"), "t"),
    **dict.fromkeys(("z", "depth", "slice", "slices"), "z"),
    **dict.fromkeys(("c", "channel", "channels"), "c"),
}  # fmt: skip
_SPECTRAL_NAMES = ("energy", "wavelength", "wavenumber", "raman", "frequency", "loss")
_SPECTRAL_UNIT = re.compile(r"([kmg]?ev|(kilo|mega|giga)?electronvolts?|1 ?/ ?cm|cm\^?-1|[kmgt]?hz)")


class PlaneAxis(NamedTuple):
    """One axis before height and width."""

    kind: Kind = "n"
    step: float | None = None
    """From one plane to the next: of depth in nm, of time in s; None where it is not known."""

    @property
    def unit(self) -> str | None:
        """Unit of the step; None where there is no step."""
        return None if self.step is None else {"z": "nm", "t": "s"}.get(self.kind)


def plane_axis(name: str | None, step: float | None = None, unit: str | None = None) -> PlaneAxis:
    """Return the axis that a file describes.

    Parameters
    ----------
    name
        As the file calls it: a letter (``T``, ``z``) or a word (``time``, ``Depth``, ``channel``); where it says
        nothing of the kind, the unit decides.
    step, unit
        From one plane to the next; a step that is 0, not finite or in a unit of another kind is left out.
    """
    length, time = nm_per(unit), seconds_per(unit)
    by_unit: Kind = "z" if length else "t" if time else "n"
    kind = _KIND_OF.get(str(name or "").strip().lower(), by_unit)
    factor = {"z": length, "t": time}.get(kind)
    if factor is None or step is None or not 0 < abs(step * factor) < float("inf"):
        return PlaneAxis(kind)
    return PlaneAxis(kind, abs(step * factor))


def is_spectral(name: str | None, unit: str | None) -> bool:
    """Whether an axis is one of energies or wave lengths, by what it is called or by its unit."""
    word, measure = (str(text or "").strip().lower() for text in (name, unit))
    return any(part in word for part in _SPECTRAL_NAMES) or bool(_SPECTRAL_UNIT.fullmatch(measure))


class AxisOrder(NamedTuple):
    """Numbers of the axes of an array."""

    before: tuple[int, ...]
    """Those that count planes, in the order in which they are stored, without those of length one."""
    height: int
    width: int

    @property
    def last(self) -> bool:
        """Whether height and width are the last axes, in this order, as arrays usually have them."""
        return (*self.before, self.height, self.width)[-2:] == (self.width - 1, self.width) and all(
            axis < self.height for axis in self.before
        )


def axis_order(names: Sequence[str], lengths: Sequence[int], spatial: Sequence[bool]) -> AxisOrder:
    """Return which axes of an array are height and width: those called y and x, else the last two of space.

    Where one of them has the length one, and two other axes of space have not, these are the plane: a section along
    depth is an image too.

    Parameters
    ----------
    names
        What each axis is called.
    lengths
        Shape of the array.
    spatial
        Whether an axis is one of space, for each axis.

    Raises
    ------
    ValueError
        Where fewer than two axes are of space.
    """
    of_space = [axis for axis, inside in enumerate(spatial) if inside]
    long = [axis for axis in of_space if lengths[axis] > 1]
    lower = [name.strip().lower() for name in names]
    named = [lower.index(letter) for letter in "yx" if letter in lower]
    whole = len(named) == 2 and all(lengths[axis] > 1 for axis in named)
    plane = named if whole else long[-2:] if len(long) > 1 else named if len(named) == 2 else of_space[-2:]
    if len(plane) < 2:
        raise ValueError(f"its axes ({', '.join(names)}) are not height and width")
    before = tuple(axis for axis, n in enumerate(lengths) if n > 1 and axis not in plane)
    return AxisOrder(before, plane[0], plane[1])


class OrderedPlanes:
    """An array with its axes in any order as planes ``(n, h, w)``, each read when it is asked for."""

    ndim = 3

    def __init__(self, array: DuckArray, order: AxisOrder) -> None:
        self._array, self._order = array, order
        self._before = tuple(int(array.shape[axis]) for axis in order.before)
        height, width = int(array.shape[order.height]), int(array.shape[order.width])
        self.shape, self.dtype = (int(np.prod(self._before, dtype=int)), height, width), np.dtype(array.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        at = dict(zip(self._order.before, np.unravel_index(i, self._before), strict=True)) if self._before else {}
        plane = (self._order.height, self._order.width)
        index = tuple(slice(None) if axis in plane else int(at.get(axis, 0)) for axis in range(len(self._array.shape)))
        values = np.asarray(self._array[index])
        return values if plane == tuple(sorted(plane)) else values.T
