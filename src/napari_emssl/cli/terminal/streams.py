"""Streams that never stop a job: a pipe whose reader left, a full disk and a closed terminal swallow what is printed.

What is printed is told by others in part (names of files and models, texts of cards), so whatever would steer the
terminal is taken out of it.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TextIO, cast

from ...formatting import plain


class ForgivingStream(io.TextIOBase):
    """Passes text on as long as somebody takes it.

    Parameters
    ----------
    stream
        Where the text goes; None where the program was started without.
    steers
        Whether escape sequences are passed on.

    Attributes
    ----------
    trouble
        Why text was lost; None while none was.

    """

    def __init__(self, stream: TextIO | None, steers: bool = False) -> None:
        self.stream, self.steers = stream, steers
        self.trouble: OSError | ValueError | None = None

    def write(self, text: str) -> int:
        """Write text; errors are remembered, not raised."""
        if self.stream is not None and self.trouble is None:
            try:
                self.stream.write(text if self.steers else plain(text))
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Pass on what waits; errors are remembered, not raised."""
        if self.stream is not None and self.trouble is None:
            try:
                self.stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    @property
    def lost(self) -> bool:
        """Whether text was lost that somebody wanted: who closes a pipe has had enough."""
        closed = (errno.EPIPE, errno.EIO, *((errno.EINVAL,) if sys.platform == "win32" else ()))
        return isinstance(self.trouble, OSError) and self.trouble.errno not in closed

    def _give_up(self, error: OSError | ValueError) -> None:
        """Lead what the stream still holds nowhere, or the interpreter fails when it flushes it at its end."""
        self.trouble = error
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, cast(IO[str], self.stream).fileno())
            os.close(nowhere)

    def isatty(self) -> bool:
        """Whether a person looks on."""
        try:
            return self.stream is not None and self.stream.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """Return the descriptor below; raises `OSError` where there is none."""
        if self.stream is None:
            raise OSError(errno.EBADF, "there is no such stream")
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """How text becomes bytes."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def buffer(self) -> object:
        """The bytes below, for who writes those."""
        return getattr(self.stream, "buffer", io.BytesIO())

    def writable(self) -> bool:
        """Return True."""
        return True


@contextmanager
def forgiving_streams() -> Iterator[ForgivingStream]:
    """Let stdout and stderr forgive while open; gives stdout."""
    _fill_descriptors()
    before = sys.stdout, sys.stderr
    out, err = (ForgivingStream(stream) for stream in before)
    for stream in before:
        with suppress(AttributeError, OSError, ValueError):  # names of files may be no UTF-8
            cast(io.TextIOWrapper, stream).reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def raw(stream: TextIO) -> TextIO:
    """Return a stream beside a forgiving one that passes on escape sequences, for what has to steer the terminal."""
    return cast(TextIO, ForgivingStream(stream.stream, steers=True)) if isinstance(stream, ForgivingStream) else stream


def _fill_descriptors() -> None:
    """Open what is closed of 0, 1 and 2: else a file gets that number, and what is printed goes into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
