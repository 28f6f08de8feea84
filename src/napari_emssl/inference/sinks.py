"""Where results go, plane by plane: memory, or a new file that has its name only when it is complete.

A third one, which can be resumed, has a file of its own: `resumable_zarr`. Imports no torch.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..atomic_files import replacing
from ..data.formats.ome_zarr import MOST_AXES
from ..data.images.own_results import MadeBy
from ..data.images.own_results import made_by as read_made_by
from ..data.images.writers import create_zarr, write_image
from ..errors import UserError
from ..models.results import ResultLayout


class PlaneWriter(Protocol):
    """A result that is being written."""

    @property
    def takes_long(self) -> bool:
        """Whether the next plane should not wait until one is written: it is compressed, or sent far."""

    @property
    def done(self) -> int:
        """How many planes are written, from the first on."""

    def put(self, index: int, plane: NDArray[np.generic]) -> None:
        """Write the plane ``(h, w)`` of this number, counted over all axes before the last two."""


@contextmanager
def written_behind(writer: PlaneWriter, planes: int) -> Iterator[PlaneWriter]:
    """Let a thread write one plane while the next is computed; when the block is left, everything is written.

    Parameters
    ----------
    writer
        Writes, one plane after the other; one that does not take long is used as it is.
    planes
        How many there will be at most.

    Raises
    ------
    Exception
        What writing has raised, with the next plane or at the end.

    """
    if planes < 2 or not writer.takes_long:
        yield writer
        return
    behind = _WriterBehind(writer)
    try:
        yield behind
    finally:
        behind.finish()


class _WriterBehind:
    """Takes planes for a writer that works in a thread; two are in memory at most, one of them being written."""

    def __init__(self, writer: PlaneWriter) -> None:
        self._writer, self.takes_long = writer, False
        self._waiting: queue.Queue[tuple[int, NDArray[np.generic]] | None] = queue.Queue(1)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="writing planes", daemon=True)
        self._thread.start()

    @property
    def done(self) -> int:
        """How many planes are written, from the first on."""
        return self._writer.done

    def put(self, index: int, plane: NDArray[np.generic]) -> None:
        """Have a plane written once the one before is."""
        self._check()
        self._waiting.put((index, plane))

    def finish(self) -> None:
        """Wait until what was given is written; raise what writing has raised."""
        self._waiting.put(None)
        self._thread.join()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:  # what comes after a plane that is missing is not written either
                try:
                    self._writer.put(*item)
                except BaseException as error:
                    self._error = error


class UnfitError(UserError):
    """A result that its file cannot hold."""


class SharedResultError(UserError):
    """A result that another run, which does a part of the same work, has made meanwhile."""


class Sink(Protocol):
    """Where one result goes."""

    def check(self, layout: ResultLayout) -> None:
        """Raise `UserError` where a result cannot go there; asked before anything is computed."""

    def open(self, layout: ResultLayout) -> AbstractContextManager[PlaneWriter]:
        """Make room for a result; when the block is left, what was written is what it stays."""


def place_of(index: int, shape: tuple[int, ...]) -> tuple[int, ...] | EllipsisType:
    """Return where plane `index` lies in an array of shape ``(..., h, w)``."""
    leading = shape[:-2]
    return tuple(int(i) for i in np.unravel_index(index, leading)) if leading else ...


class ArrayWriter:
    """Writes planes into an array ``(..., h, w)``: numpy, a memory map or zarr.

    It holds the only reference to the array that the writing needs, so that `close` can release it.
    """

    def __init__(self, array: NDArray[np.generic]) -> None:
        self._array: NDArray[np.generic] | None = array
        self.done, self.takes_long = 0, not isinstance(array, np.ndarray)

    def put(self, index: int, plane: NDArray[np.generic]) -> None:
        """Write a plane ``(h, w)``."""
        assert self._array is not None
        self._array[place_of(index, self._array.shape)] = plane
        self.done = index + 1

    def close(self) -> None:
        """Write out a memory map and release it: Windows neither renames nor removes a file that is mapped."""
        if isinstance(self._array, np.memmap):
            self._array.flush()
        self._array = None


class Memory:
    """A result in memory, of zeros where nothing was written.

    Parameters
    ----------
    array
        What to write into, numpy or zarr, of the shape of the result; by default a new array.

    """

    def __init__(self, array: NDArray[np.generic] | None = None) -> None:
        self._array = array

    def check(self, layout: ResultLayout) -> None:
        """Say nothing: memory holds every result."""

    @contextmanager
    def open(self, layout: ResultLayout) -> Iterator[ArrayWriter]:
        """Make an array, or check the one that was given; raises `UserError` when its shape is wrong."""
        if self._array is None:
            self._array = np.zeros(layout.shape, layout.dtype)
        elif not hasattr(self._array, "__setitem__") or tuple(getattr(self._array, "shape", ())) != layout.shape:
            given = getattr(self._array, "shape", "none")
            raise UserError(f"The result has shape {layout.shape}, 'out' has {given}. Give an array of that shape.")
        yield ArrayWriter(self._array)

    def read(self) -> NDArray[np.generic]:
        """Return the array."""
        assert self._array is not None, "nothing was written yet"
        return self._array


class _IncompleteError(Exception):
    """Leaves the block that would give a file its name."""


@dataclass(frozen=True)
class NewFile:
    """A file that has its name only when the block that writes it is left without an error.

    A ``.npy`` or ``.zarr`` is written plane by plane; a ``.tif`` is held in memory until it is complete.
    """

    path: Path
    overwrite: bool = False
    """Whether a file that is there may be replaced."""
    keep_incomplete: bool = False
    """Whether a result that lacks planes, which are 0 then, has its name too; otherwise nothing is left of it."""
    shared: bool = False
    """Whether other runs may write the same result meanwhile: what is there when its turn has come is kept."""

    def check(self, layout: ResultLayout) -> None:
        """Raise `UnfitError` where the result has more axes than its kind of file holds here.

        Raises
        ------
        SharedResultError
            Where it is there, and another run may have made it.
        UserError
            Where such a run has made it with another model.

        """
        self._check_axes(layout)
        if self.is_there(layout.made_by):
            raise SharedResultError(f"'{self.path}' is there already.")

    def _check_axes(self, layout: ResultLayout) -> None:
        if self.path.suffix.lower() != ".npy" and len(layout.shape) > MOST_AXES:
            shape = " x ".join(map(str, layout.shape))
            raise UnfitError(
                f"'{self.path.name}' would have {len(layout.shape)} axes ({shape}), and at most {MOST_AXES} can be "
                "written. Save each channel or time of the image in a file of its own, or write to a .npy file."
            )

    def is_there(self, made_by: MadeBy | None) -> bool:
        """Whether another run has made it by now; raises `UserError` where it was made by something else."""
        if self.overwrite or not self.shared or not self.path.exists():
            return False
        check_same_work(self.path, made_by)
        return True

    def open(self, layout: ResultLayout) -> AbstractContextManager[ArrayWriter]:
        """Make a file beside the one that is meant.

        Raises
        ------
        UserError
            When the file exists and may not be replaced, its suffix is unknown, or it cannot be written.

        """
        self._check_axes(layout)  # what another run writes from now on is seen at the end
        create = _CREATORS.get(self.path.suffix.lower())
        if create is None:
            return self._at_once(layout)
        return self._plane_by_plane(layout, create)

    @contextmanager
    def _plane_by_plane(self, layout: ResultLayout, create: "_Create") -> Iterator[ArrayWriter]:
        # `replacing` gives the file its name unless the block raises: so what is to leave nothing behind raises.
        with suppress(_IncompleteError), replacing(self.path, self.overwrite or self.shared) as temporary:
            writer = ArrayWriter(create(temporary, layout))
            try:
                yield writer
            finally:
                writer.close()
            if not self._stays(writer, layout) or self.is_there(layout.made_by):
                raise _IncompleteError

    @contextmanager
    def _at_once(self, layout: ResultLayout) -> Iterator[ArrayWriter]:
        array = np.zeros(layout.shape, layout.dtype)
        writer = ArrayWriter(array)
        yield writer
        if self._stays(writer, layout) and not self.is_there(layout.made_by):
            write_image(self.path, array, layout.pixel, self.overwrite or self.shared, layout.axes, layout.made_by)

    def _stays(self, writer: ArrayWriter, layout: ResultLayout) -> bool:
        return self.keep_incomplete or writer.done >= layout.planes

    def read(self) -> NDArray[np.generic]:
        """Open a ``.npy`` or ``.zarr`` that was written, plane by plane again."""
        if self.path.suffix.lower() == ".npy":
            mapped: NDArray[np.generic] = np.load(self.path, mmap_mode="r")
            return mapped
        import zarr

        stored: NDArray[np.generic] = zarr.open_array(self.path / "0", mode="r")
        return stored


def check_same_work(path: Path, made_by: MadeBy | None) -> None:
    """Raise `UserError` where a result that is there was not made by what would make it now.

    Parameters
    ----------
    path
        A file that is there.
    made_by
        The model and settings that would make it; None where nobody knows.

    """
    there = read_made_by(path)
    if made_by is None or (there is not None and there.work == made_by.work):
        return
    how = "is not known to be a result of this model"
    if there is not None and there.work:
        how = f"was made by '{there.model}', another model or with other settings"
    raise UserError(f"'{path}' {how}. Choose another folder, or pass --overwrite to make it again.")


_Create = Callable[[Path, ResultLayout], NDArray[np.generic]]


def _create_npy(path: Path, layout: ResultLayout) -> NDArray[np.generic]:
    return np.lib.format.open_memmap(path, "w+", layout.dtype, layout.shape)


def _create_zarr(path: Path, layout: ResultLayout) -> NDArray[np.generic]:
    array: NDArray[np.generic] = create_zarr(
        path, layout.shape, layout.dtype, layout.pixel, axes=layout.axes, made_by=layout.made_by
    )
    return array


_CREATORS: dict[str, _Create] = {".npy": _create_npy, ".zarr": _create_zarr}
