"""The channel between the viewer and a job's process: messages, each a kind (a word) and a content (any object)."""

import pickle
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from .pickling import Lend, Message, pack, unpack

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

__all__ = ["Channel", "Connection", "LazyArrayServer", "Token"]

Token = tuple[int, tuple[int, ...], np.dtype[Any]]
"""What travels in place of a lazy array: its number, shape and dtype."""


class LazyArrayServer:
    """The lazy arrays of this side that the other side may ask planes of."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []

    def lend(self, array: Any) -> Token:
        """Keep an array; return the token that stands for it."""
        self.arrays.append(array)
        return len(self.arrays) - 1, tuple(int(n) for n in array.shape), np.dtype(array.dtype)


class Channel:
    """One end of a private channel; `send` may be called from any thread, the rest from one thread at a time.

    Parameters
    ----------
    connection
        End of a `multiprocessing.Pipe`.
    folder
        Private folder that both ends can write to.
    side
        Word that keeps the file names of the two ends apart.
    lend
        Called with each lazy array that is sent; returns the token that travels in its place.
    borrow
        Called with each token that arrives; returns the object that stands for it.

    """

    def __init__(
        self,
        connection: Connection,
        folder: Path,
        side: str,
        lend: Lend | None = None,
        borrow: Lend | None = None,
    ) -> None:
        self._connection = connection
        self._files = (folder / f"{side}-{number}.bin" for number in count())
        self._lend, self._borrow = lend, borrow
        self._naming, self._sending = threading.Lock(), threading.Lock()

    def send(self, kind: str, content: object = None) -> None:
        """Send a message.

        Raises
        ------
        OSError
            When the other end is gone.
        UserError
            When the temporary folder is full.

        """
        with self._naming:
            file = next(self._files)
        parcel = pack(kind, content, file, self._lend)
        with self._sending:
            self._connection.send_bytes(pickle.dumps(parcel))

    def poll(self, seconds: float) -> bool:
        """Wait at most so long for a message, or for the other end to go."""
        return self._connection.poll(seconds)

    def receive(self) -> Message:
        """Wait for the next message; raises EOFError or OSError when the other end is gone."""
        parcel: Message = pickle.loads(self._connection.recv_bytes())
        return parcel

    def open(self, parcel: Message) -> Any:
        """Return the content of a message."""
        return unpack(parcel, self._borrow)

    def close(self) -> None:
        """Close this end; the other one notices."""
        with self._sending:
            self._connection.close()
