"""Messages as they travel: small pickles, and large buffers of arrays in a file that the other side maps into memory.

The buffers are taken out of the pickle (PEP 574) and written to one file in a private folder; the receiver maps that
file and removes its name, so that the space is freed with the last array that uses it. Three kinds of object get a
better treatment: arrays that already are memory-mapped files go by name, lazy arrays (dask, zarr) stay where they are
and a token travels in their place, torch objects are refused, because opening them would import torch in the viewer.
"""

import errno
import io
import mmap
import pickle
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError

_SMALL = 4096
"""Buffers below this many bytes stay in the pickle: a file would cost more."""
_ALIGN = 64


class LazyArray(Protocol):
    """An array that is computed or read when it is indexed: of dask, zarr, HDF5 ..."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of its values."""

    def __getitem__(self, key: Any) -> Any: ...  # each library has its own keys and results


class Token(NamedTuple):
    """What travels in the place of a lazy array."""

    number: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]


ToToken = Callable[[LazyArray], Token]
FromToken = Callable[[Token], object]


class Message(NamedTuple):
    """A message as it travels."""

    kind: str
    pickled: bytes
    file: str
    """Where the large buffers are; empty when there are none."""
    spans: list[tuple[int, int]]
    """Start and length of each buffer in the file, in bytes."""


def encode(kind: str, content: object, file: Path, to_token: ToToken | None = None) -> Message:
    """Make a message, with the large buffers of its content in a file.

    Parameters
    ----------
    kind
        Tells the receiver what to do.
    content
        Any object that can be pickled.
    file
        Is written when there are large buffers; the receiver removes it.
    to_token
        Called with each lazy array; returns what travels in its place. Without it they are pickled as they are.

    Raises
    ------
    UserError
        When the temporary folder is full.
    TypeError
        When the content holds an object of torch.

    """
    pickled, spans = io.BytesIO(), _Spans(file)
    try:
        _Pickler(pickled, spans.keep, to_token).dump(content)
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


def decode(message: Message, from_token: FromToken | None = None) -> Any:
    """Return the content of a message; its arrays are views of the mapped file, which is theirs alone."""
    buffers = _map(Path(message.file), message.spans) if message.file else []
    return _Unpickler(io.BytesIO(message.pickled), buffers, from_token).load()


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
    def __init__(self, file: io.BytesIO, keep: Callable[[pickle.PickleBuffer], bool], to_token: ToToken | None) -> None:
        super().__init__(file, protocol=5, buffer_callback=keep)
        self._to_token = to_token

    def persistent_id(self, obj: object) -> Token | None:
        return self._to_token(obj) if self._to_token is not None and is_lazy(obj) else None

    def reducer_override(self, obj: Any) -> Any:  # the signature of the standard library
        if type(obj).__module__.partition(".")[0] == "torch":
            raise TypeError(f"A {type(obj).__name__} of torch cannot leave its process: convert it to numpy first.")
        if type(obj) not in (np.ndarray, np.memmap) or obj.dtype.hasobject or obj.ndim == 0:
            return NotImplemented
        place = _place_in_file(obj)
        if place is not None:
            return _open_place, place
        plain = np.asarray(obj)  # a map that was changed privately (mode "c") goes as it is in memory
        if not (plain.flags.c_contiguous or plain.flags.f_contiguous):
            plain = np.ascontiguousarray(plain)  # only these leave the pickle as one buffer
        return plain.__reduce_ex__(5)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, buffers: Sequence[memoryview], from_token: FromToken | None) -> None:
        super().__init__(file, buffers=buffers)
        self._from_token = from_token

    def persistent_load(self, pid: Any) -> object:
        if self._from_token is None:
            raise pickle.UnpicklingError("A token of a lazy array arrived where none is known.")
        return self._from_token(pid)


def is_lazy(obj: object) -> TypeGuard[LazyArray]:
    """Whether this is an array that is computed or read when it is indexed (dask, zarr, HDF5 ...)."""
    if isinstance(obj, np.ndarray | np.generic | type):
        return False
    return all(hasattr(obj, name) for name in ("shape", "dtype", "__getitem__"))


def _map(file: Path, spans: Sequence[tuple[int, int]]) -> list[memoryview]:
    with file.open("r+b") as opened:  # writable: a Labels layer is painted on
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


_Place = tuple[str, int, tuple[int, ...], tuple[int, ...], np.dtype[np.generic], bool]


def _place_in_file(array: NDArray[np.generic]) -> _Place | None:
    """Return where in which file a view of a memory-mapped file lies; None for arrays in memory."""
    owner: object = array
    while isinstance(owner, np.ndarray) and not isinstance(owner, np.memmap):
        owner = owner.base
    mapped = getattr(owner, "_mmap", None)  # None when memmap's arithmetic has made a new array in memory
    if not isinstance(owner, np.memmap) or mapped is None or owner.mode == "c":
        return None
    if not owner.filename or not Path(owner.filename).is_file():
        return None
    # numpy maps from a page boundary at or before `offset`, and keeps that offset in every view: only the address of
    # the data tells where a view begins.
    map_start = owner.offset - owner.offset % mmap.ALLOCATIONGRANULARITY
    base = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
    start = map_start + array.__array_interface__["data"][0] - base
    path = Path(owner.filename).absolute()  # not resolved: the other process must open it under the same name
    return str(path), start, array.shape, array.strides, array.dtype, owner.mode != "r"


def _open_place(
    path: str,
    start: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: np.dtype[np.generic],
    writable: bool,
) -> NDArray[np.generic]:
    """Map the same view of the same file; where the sender could not write, writes stay private."""
    whole = np.memmap(path, np.uint8, "r+" if writable else "c")
    return np.ndarray(shape, dtype, whole, start, strides)
