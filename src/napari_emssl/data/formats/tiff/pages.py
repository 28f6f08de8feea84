"""Pages of a TIFF, decoded one by one, and files noticed that end before their last value."""

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..claims import check_claim
from .stacks import Stack

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffFrame, TiffPage

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what matters of its log is said in sentences
_UNCOMPRESSED = 1
_CHECKED_PAGES = 4096
"""Of longer stacks this many are checked when the file is opened, the first and the last; the others as they come."""


class _Listener(logging.Handler):
    """Keeps what tifffile logs instead of printing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.messages.append(record.getMessage())


@contextmanager
def raise_on_lost_pages() -> Iterator[None]:
    """Turn tifffile's mere log entry about pages beyond the end of the file into a `ValueError`.

    Otherwise a truncated stack would pass for a shorter one.
    """
    logger, listener = logging.getLogger("tifffile"), _Listener()
    logger.addHandler(listener)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(listener)
    if any("invalid page offset" in message for message in listener.messages):
        raise ValueError("pages are missing at its end")


def open_tiff(path: Path) -> "TiffFile":
    """Open a TIFF without the other files of its set."""
    import tifffile

    return tifffile.TiffFile(path, _multifile=False)


def check_whole(tif: "TiffFile", stack: Stack) -> None:
    """Raise `ValueError` where the file ends before the values of a stack, or cannot hold what it claims.

    A decoder may fill up what lacks: of a JPEG that was cut the rest is grey.
    """
    end = tif.filehandle.size
    count = len(stack.pages) if stack.series is None else len(tif.series[stack.series])
    middle = range(_CHECKED_PAGES // 2, max(count - _CHECKED_PAGES // 2, 0))
    if stack.series is not None and (offset := tif.series[stack.series].dataoffset) is not None:
        if offset + tif.series[stack.series].nbytes > end:
            raise ValueError("it ends before its last pixel")
        return
    for number in range(count):
        if number not in middle:
            check_page(page_of(tif, stack, number), end)


def page_of(tif: "TiffFile", stack: Stack, number: int) -> "TiffPage | TiffFrame":
    """Return a page of a stack.

    Parameters
    ----------
    tif
        The open file.
    stack
        One of its stacks.
    number
        Of the plane within the stack, from 0.

    Raises
    ------
    ValueError
        When the file does not hold that page.

    """
    try:
        page = tif.pages[stack.pages[number]] if stack.series is None else tif.series[stack.series].pages[number]
    except IndexError:
        page = None
    if page is None:
        raise ValueError(f"it lacks plane {number}")
    return page


def check_page(page: "TiffPage | TiffFrame", end: int) -> None:
    """Raise `ValueError` where the strips or tiles of a page lie behind the end of the file, or hold too little."""
    stored = 0
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        if size and offset + size > end:
            raise ValueError("it ends before its last pixel")
        stored += size
    if not stored:
        raise ValueError("a page holds no values")
    key = page.keyframe
    if key.compression == _UNCOMPRESSED and not key.is_tiled and stored < key.size * key.bitspersample // 8:
        raise ValueError(f"a page of {key.imagelength} x {key.imagewidth} px holds {stored} bytes only")
    tile = math.prod(key.tile) * key.dtype.itemsize if key.is_tiled and key.dtype is not None else 0
    check_claim(max(page.nbytes, tile), stored)  # a tile is decoded whole, however small the page is


class TiffPages:
    """Pages of a stack in a TIFF as an array ``(n, h, w[, samples])``, each decoded when it is asked for.

    The file is opened with the first page and stays open. It can be pickled: the copy opens the file for itself.
    """

    def __init__(self, path: Path, stack: Stack) -> None:
        self._path, self._series, self._pages = path, stack.series, stack.pages
        page = tuple(int(n) for n in stack.keyframe.shape)
        self._planar = stack.keyframe.axes.startswith("S")
        count = int(np.prod(stack.leading, dtype=int))
        self.shape = (count, *(page[1:] + page[:1] if self._planar else page))
        self.ndim = len(self.shape)
        self.dtype = np.dtype(stack.dtype)
        self._file: TiffFile | None = None
        self._lock = threading.Lock()

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        with self._lock:  # a TiffFile has one position in its file, and pages may be asked for from several threads
            if self._file is None:
                self._file = open_tiff(self._path)
            file = self._file
            page = file.pages[self._pages[i]] if self._series is None else file.series[self._series].pages[i]
            if page is None:
                raise ValueError("the file lacks it")
            check_page(page, file.filehandle.size)
            values = np.asarray(page.asarray())
        return np.moveaxis(values, 0, -1) if self._planar else values

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_file", "_lock")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _file=None, _lock=threading.Lock())

    def __del__(self) -> None:
        file: TiffFile | None = getattr(self, "_file", None)  # missing where the constructor failed
        if file is not None:
            file.close()
