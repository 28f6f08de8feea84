"""Pages of a compressed TIFF, decoded one by one, and truncated files noticed."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries


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


class TiffPages:
    """Pages of a TIFF series as an array ``(n, h, w[, samples])``, each decoded when it is asked for.

    The file is opened with the first page and stays open. It can be pickled: the copy opens the file for itself.
    """

    def __init__(self, path: Path, index: int, series: "TiffPageSeries") -> None:
        self._path, self._index = path, index
        self.shape = (len(series.pages), *(int(n) for n in series.keyframe.shape))
        self.ndim = len(self.shape)
        self.dtype = np.dtype(series.dtype)
        self._file: TiffFile | None = None
        self._lock = threading.Lock()

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        import tifffile

        with self._lock:  # a TiffFile has one position in its file, and pages may be asked for from several threads
            if self._file is None:
                self._file = tifffile.TiffFile(self._path)
            return np.asarray(self._file.series[self._index].pages[i].asarray())

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_file", "_lock")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _file=None, _lock=threading.Lock())

    def __del__(self) -> None:
        file: TiffFile | None = getattr(self, "_file", None)  # missing where the constructor failed
        if file is not None:
            file.close()
