"""Layers into files that keep the pixel size: calibrated TIFF, OME-Zarr. No Qt of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...data.images.writers import write_image
from ...errors import UserError
from ..layers.calibration import pixel_of, plane_axes
from ..threads.blocking import run_blocking

_ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray")
_Index: TypeAlias = "int | slice | EllipsisType | tuple[int | slice, ...]"


class _LayerArray(Protocol):
    """Data of a layer: numpy, dask or zarr."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape ``(..., h, w)``."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""

    def __getitem__(self, index: _Index) -> "_LayerArray":
        """A part of it."""


_LayerData = _LayerArray | Sequence[_LayerArray]


class SavedPlanes:
    """The planes of a layer as a file takes them: no axes of length 1 before the planes, one type, read one by one.

    `tick` is called after each plane.
    """

    def __init__(self, data: _LayerArray) -> None:
        self._data = data
        lengths = tuple(int(n) for n in data.shape)
        self.before = tuple(axis for axis, n in enumerate(lengths[:-2]) if n != 1)
        """Numbers of the axes of the layer that count planes."""
        self.shape = (*(lengths[axis] for axis in self.before), *lengths[-2:])
        self.ndim, self.dtype = len(self.shape), np.dtype(data.dtype)
        self.tick: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return int(np.prod(self.shape[:-2], dtype=int))

    def __getitem__(self, index: _Index) -> NDArray[np.generic]:
        inner = () if isinstance(index, EllipsisType) else index if isinstance(index, tuple) else (index,)
        full = (*inner, *(slice(None),) * (self.ndim - len(inner)))
        at = dict(zip(self.before, full, strict=False))
        before = (at.get(axis, 0) for axis in range(len(self._data.shape) - 2))
        plane = np.asarray(self._data[(*before, *full[-2:])]).astype(self.dtype, copy=False)
        self.tick()
        return plane

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return np.asarray(self[...], dtype)

    def extremes(self) -> tuple[int, int]:
        """Return the least and the greatest value, plane by plane."""
        found = [(int(plane.min()), int(plane.max())) for plane in map(self.__getitem__, np.ndindex(*self.shape[:-2]))]
        return min(low for low, _ in found), max(high for _, high in found)


def write_image_layer(path: str, data: _LayerData, options: dict[str, Any]) -> list[str]:
    """Write an image layer plane by plane, with its pixel size in nm.

    Parameters
    ----------
    path
        The file, ``.tif`` or ``.zarr``; one that is there is replaced, the file dialog has asked.
    data
        ``(..., h, w)``, or a list of levels of which the first is written.
    options
        Keyword arguments of the layer, as napari gives them.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    UserError
        If it is a colour image, has more than four axes, or the file cannot be written.

    """
    if options.get("rgb"):
        raise UserError(
            f"'{options.get('name')}' is a colour image, which is written without a pixel size. "
            "Save it with napari's own writer, or make it grey."
        )
    return _write(path, data, options, smallest=False)


def write_labels_layer(path: str, data: _LayerData, options: dict[str, Any]) -> list[str]:
    """Write a Labels layer in the smallest integer type that holds its values.

    Parameters
    ----------
    path, data, options
        As for `write_image_layer`.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    UserError
        If it has more than four axes, or the file cannot be written.

    """
    return _write(path, data, options, smallest=True)


def _write(path: str, data: _LayerData, options: dict[str, Any], smallest: bool) -> list[str]:
    """Write and return the path, while the window stays alive; a folder that is no zarr is never replaced."""
    target = Path(path)
    if target.is_dir() and not any((target / mark).exists() for mark in _ZARR_MARKS):
        raise UserError(f"{path} is a folder with other things in it. Choose another name.")
    layer = data[0] if isinstance(data, Sequence) else data
    planes = SavedPlanes(layer)

    def work(tick: Callable[[], None]) -> Path:
        planes.tick = tick
        if smallest:
            planes.dtype = _smallest(*planes.extremes())
        known = plane_axes(options, len(layer.shape) - 2)
        axes = [known[axis] for axis in planes.before]
        pixel = pixel_of(options)
        size = pixel.size if pixel.right_angled else None
        return write_image(target, planes, size, overwrite=True, axes=axes)

    steps = len(planes) * (2 if smallest else 1)
    return [str(run_blocking(work, f"Saving '{options.get('name', target.name)}'", steps))]


def _smallest(low: int, high: int) -> np.dtype[np.generic]:
    """Smallest integer type for these values; signed only where it must be."""
    types = (np.uint8, np.uint16, np.uint32, np.int32) if low >= 0 else (np.int8, np.int16, np.int32)
    fitting = (t for t in types if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    return np.dtype(next(fitting, np.int64))


def _nothing() -> None:
    """What is called after each plane by default."""
