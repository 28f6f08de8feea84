"""Planes by number, whatever holds them: arrays, files of a folder, one packed file, several of these."""

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..images.hot_pixels import repair
from ..images.image import Image
from ..images.intensity_scaling import IntensityScaling, Levels
from ..images.opening import read_image
from .folder_index import FolderIndex

_OPEN_FILES = 8
"""Files of many planes that stay open, the ones read last."""


class PlaneStore(Protocol):
    """Many planes that are read one by one. It can be pickled, without its pixels, for processes that read."""

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of each plane, ``(n, 2)``."""

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a plane.

        Parameters
        ----------
        number
            The plane.
        top, bottom
            Its first row, and the row behind its last one; None: to its end.

        Returns
        -------
        numpy.ndarray
            ``(rows, w)`` in native byte order; it may be a view: do not write into it.

        Raises
        ------
        UserError
            If the plane cannot be read.
        """

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return the levels that `scaling` gives the plane, where they are known without reading it."""

    def is_cheap(self, number: int) -> bool:
        """Whether reading costs no more than copying, so that the plane need not be kept in memory."""


class ImagePlanes:
    """The planes of images that are open already."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = list(images)
        self._first = _starts([len(image) for image in self._images])
        counts = [len(image) for image in self._images]
        edges = np.array([image.plane_shape for image in self._images], np.int64).reshape(-1, 2)
        self.shapes: NDArray[np.int64] = np.repeat(edges, counts, axis=0)

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a plane.

        Parameters
        ----------
        number, top, bottom
            As in `PlaneStore.read`.

        Raises
        ------
        UserError
            If the file is damaged.
        """
        image, index = _place(self._first, number)
        return self._images[image].plane(index)[top:bottom]

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return None: levels are not known."""
        return None

    def is_cheap(self, number: int) -> bool:
        """Whether the plane is in memory."""
        planes = self._images[_place(self._first, number)[0]].planes
        return isinstance(planes, np.ndarray) and not isinstance(planes, np.memmap)


class FolderPlanes:
    """The planes of the files of a `FolderIndex`; plain values are read directly, others by the file's reader."""

    def __init__(self, index: FolderIndex) -> None:
        self._root, self._names, self._rows, self._wanted = index.root, index.names, index.rows, index.wanted
        self._ends: NDArray[np.int64] = np.cumsum(self._rows["planes"], dtype=np.int64)
        self._open: OrderedDict[int, Image] = OrderedDict()

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of each plane, ``(n, 2)``."""
        edges = np.stack([self._rows["height"], self._rows["width"]], axis=1).astype(np.int64)
        return np.repeat(edges, self._rows["planes"], axis=0)

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a plane.

        Parameters
        ----------
        number, top, bottom
            As in `PlaneStore.read`.

        Raises
        ------
        UserError
            If the file is damaged, or has changed since its folder was searched.
        """
        file, index = self._locate(number)
        row, path = self._rows[file], self._root / os.fsdecode(self._names[file])
        height, width = int(row["height"]), int(row["width"])
        if row["offset"] >= 0:
            # no reader is started: of a large plane only the rows that are wanted leave the disk
            dtype = np.dtype(row["dtype"].decode())
            bottom = height if bottom is None else min(bottom, height)
            start = int(row["offset"]) + (index * height + top) * width * dtype.itemsize
            return _plain_rows(path, dtype, start, bottom - top, width)
        plane = self._image(file, path).plane(index)
        if plane.shape != (height, width):
            raise UserError(f"{path} has changed since its folder was searched. Start again.")
        return plane[top:bottom]

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return None: levels are not known."""
        return None

    def is_cheap(self, number: int) -> bool:
        """Whether the plane lies in its file as plain values."""
        return bool(self._rows["offset"][self._locate(number)[0]] >= 0)

    def _locate(self, number: int) -> tuple[int, int]:
        """Number of the file, and of the plane in it."""
        file = int(np.searchsorted(self._ends, number, side="right"))
        return file, number - int(self._ends[file]) + int(self._rows["planes"][file])

    def _image(self, file: int, path: Path) -> Image:
        """Open a file; a few files of many planes stay open."""
        wanted = None if self._wanted is None else str(self._wanted[file])
        if self._rows["planes"][file] == 1:
            return read_image(path, wanted)
        image = self._open.pop(file, None) or read_image(path, wanted)
        self._open[file] = image
        if len(self._open) > _OPEN_FILES:
            self._open.popitem(last=False)
        return image

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_open": OrderedDict()}  # another process opens files for itself


def _plain_rows(path: Path, dtype: np.dtype[np.number], start: int, rows: int, width: int) -> NDArray[np.number]:
    """Values that lie in a file in one piece, ``(rows, width)``, in native byte order."""
    try:
        values = np.fromfile(path, dtype, rows * width, offset=start)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror or error}). Check the disk and the permissions."
        ) from error
    if len(values) < rows * width:
        raise UserError(f"{path} ends before its last pixel. Copy or save it again.")
    return values.astype(dtype.newbyteorder("="), copy=False).reshape(rows, width)


class JoinedPlanes:
    """The planes of several stores, one after the other."""

    def __init__(self, stores: Sequence[PlaneStore]) -> None:
        self._stores = list(stores)
        shapes = [store.shapes for store in self._stores]
        self._first = _starts([len(each) for each in shapes])
        self.shapes: NDArray[np.int64] = np.concatenate(shapes)

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a plane.

        Parameters
        ----------
        number, top, bottom
            As in `PlaneStore.read`.

        Raises
        ------
        UserError
            As the store that holds the plane.
        """
        store, index = _place(self._first, number)
        return self._stores[store].read(index, top, bottom)

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return the levels of a plane where they are known."""
        store, index = _place(self._first, number)
        return self._stores[store].levels(index, scaling)

    def is_cheap(self, number: int) -> bool:
        """Whether reading the plane costs no more than copying it."""
        store, index = _place(self._first, number)
        return self._stores[store].is_cheap(index)


class RepairedPlanes:
    """The planes of a store, without negative and hot pixels; see `hdf5.repair`."""

    def __init__(self, store: PlaneStore, hot_pixels: float) -> None:
        self._store, self._hot_pixels = store, hot_pixels
        self.shapes: NDArray[np.int64] = store.shapes

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a plane.

        Parameters
        ----------
        number, top, bottom
            As in `PlaneStore.read`.

        Raises
        ------
        UserError
            As the store that holds the plane.
        """
        # the whole plane: what is hot is judged by its median
        return repair(self._store.read(number), self._hot_pixels)[top:bottom]

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return None: repairing changes the levels."""
        return None

    def is_cheap(self, number: int) -> bool:
        """Return False: repairing takes time."""
        return False


def _starts(counts: Sequence[int]) -> list[int]:
    """Number of the first plane in each of several holders of planes."""
    return [0, *accumulate(counts)][:-1]


def _place(first: list[int], number: int) -> tuple[int, int]:
    """The holder of a plane, and the plane's number in it."""
    holder = bisect_right(first, number) - 1
    return holder, number - first[holder]
