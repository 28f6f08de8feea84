"""An image as a list of grey planes, wherever they lie; opening one is `opening`'s work."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import UserError
from ..arrays import DuckArray

DAMAGED = "It is damaged, or not what its name says. Save it again as TIFF in the program that made it."
"""What to do about a file that cannot be read, as the end of a message."""
_LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Image:
    """An image as a list of grey planes.

    `planes` is indexed plane by plane, ``planes[i] -> (h, w)``, and may be numpy, a memory map, dask, zarr or
    a lazy view ``(n, h, w)``; `leading` is the shape before the plane axes: ``()`` for one plane, ``(n,)``,
    ``(t, z)``.
    """

    name: str
    planes: DuckArray
    leading: tuple[int, ...]
    pixel_size_nm: float | None = None
    path: Path | None = None

    def __len__(self) -> int:
        return int(self.planes.shape[0])

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of a plane in pixels."""
        return int(self.planes.shape[-2]), int(self.planes.shape[-1])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the values as they are stored; `plane` may widen it (bool to uint8)."""
        return np.dtype(self.planes.dtype)

    def plane(self, i: int) -> NDArray[np.number]:
        """Return plane `i` as a numpy array ``(h, w)`` of a real dtype, native byte order, contiguous.

        Of an array in memory this may be a view: do not write into it. Negative `i` count from the end.

        Raises
        ------
        IndexError
            If there is no such plane.
        UserError
            If the file is damaged there.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"{self.name} has {len(self)} planes, there is no plane {i}")
        try:
            return _plain(np.asarray(self.planes[i % len(self)]))
        except (UserError, MemoryError):
            raise
        except Exception as error:
            raise UserError(f"Plane {i} of {self.path or self.name} cannot be read ({error}). {DAMAGED}") from error


ImageSource = Path | str | Image | DuckArray
"""What an image is given as: a file, one that is open already, or an array."""


class GreyPlanes:
    """Lazy view of ``(..., h, w[, samples])`` as grey planes ``(n, h, w)``, each made when it is asked for."""

    def __init__(self, array: DuckArray, leading: tuple[int, ...], colour: bool) -> None:
        self._array, self._colour = array, colour
        tail = 3 if colour else 2
        self._before = tuple(int(n) for n in array.shape[: len(array.shape) - tail])
        height, width = array.shape[len(self._before) : len(self._before) + 2]
        self.shape = (int(np.prod(leading, dtype=int)), int(height), int(width))
        self.ndim, self.dtype = 3, np.dtype(array.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"there are {len(self)} planes, not {i + 1}")
        index = tuple(int(k) for k in np.unravel_index(i % len(self), self._before)) if self._before else ()
        # a number where one is enough: not everything that is read by planes takes a tuple
        plane = np.asarray(self._array[index[0]] if len(index) == 1 else self._array[index or ...])
        return grey(plane) if self._colour else plane

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return np.stack([self[i] for i in range(len(self))]).astype(dtype or self.dtype, copy=False)


def grey(colour: NDArray[np.number]) -> NDArray[np.number]:
    """Return the luminance (ITU-R BT.601) of ``(..., 3 | 4)``, alpha ignored, in the dtype of the input.

    Where red, green and blue are equal, their value comes back exactly.
    """
    values = colour[..., :3]
    luminance = values.astype(np.float64) @ np.array(_LUMINANCE)
    rounded: NDArray[np.floating] = luminance if values.dtype.kind == "f" else np.rint(luminance)
    return rounded.astype(values.dtype)


def _plain(plane: NDArray[np.generic]) -> NDArray[np.number]:
    """Copy of a plane in native byte order, contiguous, writeable, bool as uint8, long double as float64.

    What is all that already is given back as it is.
    """
    dtype = plane.dtype.newbyteorder("=")
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    elif dtype.kind == "f" and dtype.itemsize > 8:
        dtype = np.dtype(np.float64)
    # torch warns of arrays that cannot be written to, and a view of a memory map would keep its file open
    if isinstance(plane, np.memmap) or not plane.flags.writeable:
        return np.array(plane, dtype=dtype, order="C")
    return np.ascontiguousarray(plane, dtype=dtype)
