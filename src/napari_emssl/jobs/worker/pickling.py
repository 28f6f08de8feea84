"""Packing messages: small pickles, and the large buffers of arrays in a file that the other side maps into memory.

The buffers are taken out of the pickle (PEP 574) and written to one file in a private folder; the receiver maps that
file and removes its name, so that the space is freed with the last array that uses it. Three kinds of object get a
better treatment: arrays that already are memory-mapped files go by name, lazy arrays (dask, zarr) stay where they are
and are lent plane by plane, and torch objects are refused, because opening them would import torch in the viewer.
"""

import errno
import io
import mmap
import os
import pickle
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError

_SMALL = 4096
"""Buffers below this many bytes stay in the pickle: a file would cost more."""
_ALIGN = 64

Lend = Callable[[Any], Any]


class Message(NamedTuple):
    """A message as it travels."""

    kind: str
    pickled: bytes
    file: str
    """Where the large buffers are; empty when there are none."""
    spans: list[tuple[int, int]]
    """Start and length of each buffer in the file, in bytes."""


def pack(kind: str, content: object, file: Path, lend: Lend | None = None) -> Message:
    """Make a parcel, with the large buffers of `content` in `file`."""
    pickled, spans = io.BytesIO(), _Spans(file)
    try:
        _Pickler(pickled, spans.keep, lend).dump(content)
    except OSError as error:
        file.unlink(missing_ok=True)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"The temporary folder '{tempfile.gettempdir()}' is full. Make room there, or set TMPDIR to another folder."
        ) from error
    finally:
        spans.close()
    return Message(kind, pickled.getvalue(), str(file) if spans.written else "", spans.written)


def unpack(parcel: Message, borrow: Lend | None = None) -> Any:
    """Return the content of a parcel; its arrays are views of the mapped file, which is theirs alone."""
    buffers = _map(Path(parcel.file), parcel.spans) if parcel.file else []
    return _Unpickler(io.BytesIO(parcel.pickled), buffers, borrow).load()


class _Spans:
    """The file of buffers while it is written; made at the first large one."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: io.BufferedWriter | None = None
        self.written: list[tuple[int, int]] = []

    def keep(self, buffer: pickle.PickleBuffer) -> bool:
        """Write a buffer and return False, or return True to leave it in the pickle."""
        raw = buffer.raw()
        if raw.nbytes < _SMALL:
            return True
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(b"\0" * (-self._file.tell() % _ALIGN))
        self.written.append((self._file.tell(), raw.nbytes))
        self._file.write(raw)
        return False

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, keep: Callable[[pickle.PickleBuffer], bool], lend: Lend | None) -> None:
        super().__init__(file, protocol=5, buffer_callback=keep)
        self._lend = lend

    def persistent_id(self, obj: Any) -> Any:
        return self._lend(obj) if self._lend is not None and is_lazy(obj) else None

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__module__.partition(".")[0] == "torch":
            raise TypeError(f"A {type(obj).__name__} of torch cannot leave its process: convert it to numpy first.")
        if type(obj) not in (np.ndarray, np.memmap) or obj.dtype.hasobject or obj.ndim == 0:
            return NotImplemented
        place = _place_in_file(obj)
        if place is not None:
            return _open_place, place
        plain = np.asarray(obj)
        if not (plain.flags.c_contiguous or plain.flags.f_contiguous):
            plain = np.ascontiguousarray(plain)
        return plain.__reduce_ex__(5)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, buffers: Sequence[memoryview], borrow: Lend | None) -> None:
        super().__init__(file, buffers=buffers)
        self._borrow = borrow

    def persistent_load(self, pid: Any) -> Any:
        if self._borrow is None:
            raise pickle.UnpicklingError("A lent array came back.")
        return self._borrow(pid)


def is_lazy(obj: object) -> bool:
    """Whether this is an array that is computed or read when it is indexed (dask, zarr, HDF5 ...)."""
    if isinstance(obj, np.ndarray | np.generic | type):
        return False
    return all(hasattr(obj, name) for name in ("shape", "dtype", "__getitem__"))


def _map(file: Path, spans: Sequence[tuple[int, int]]) -> list[memoryview]:
    with file.open("r+b") as opened:
        mapped = mmap.mmap(opened.fileno(), 0)
    try:
        file.unlink()
    except OSError:  # Windows keeps the name while the file is mapped
        weakref.finalize(mapped, _remove, file)
    whole = memoryview(mapped)
    return [whole[start : start + length] for start, length in spans]


def _remove(file: Path) -> None:
    """Remove a file, and its folder if that was the last one."""
    try:
        file.unlink(missing_ok=True)
        file.parent.rmdir()
    except OSError:
        return


_Place = tuple[str, int, tuple[int, ...], tuple[int, ...], np.dtype[Any], bool]


def _place_in_file(array: NDArray[Any]) -> _Place | None:
    """Say where in which file a view of a memory-mapped file lies; None for arrays in memory."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and not isinstance(owner, np.memmap):
        owner = owner.base
    mapped = getattr(owner, "_mmap", None)
    if mapped is None or owner.mode == "c" or not owner.filename or not Path(owner.filename).is_file():
        return None
    map_start = owner.offset - owner.offset % mmap.ALLOCATIONGRANULARITY
    base = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
    start = map_start + array.__array_interface__["data"][0] - base
    path = os.path.abspath(owner.filename)  # noqa: PTH100 - resolving links could change the name
    return path, start, array.shape, array.strides, array.dtype, owner.mode != "r"


def _open_place(
    path: str, start: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any], writable: bool
) -> NDArray[Any]:
    """Map the same view of the same file; where the sender could not write, writes stay private."""
    whole = np.memmap(path, np.uint8, "r+" if writable else "c")
    return np.ndarray(shape, dtype, whole, start, strides)
