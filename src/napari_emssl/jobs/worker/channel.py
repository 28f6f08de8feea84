"""The channel between the viewer and a job's process: messages, each a kind (a word) and a content (any object)."""

import pickle
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any, Literal

from .pickling import FromToken, Message, ToToken, decode, encode

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

__all__ = ["Channel", "Connection"]


class Channel:
    """One end of a private channel; `send` may be called from any thread, the rest from one thread at a time.

    Parameters
    ----------
    connection
        End of a `multiprocessing.Pipe`.
    folder
        Private folder that both ends can write to.
    side
        Keeps the file names of the two ends apart.
    to_token
        Called with each lazy array that is sent; returns the token that travels in its place.
    from_token
        Called with each token that arrives; returns the object that stands for the array.

    """

    def __init__(
        self,
        connection: Connection,
        folder: Path,
        side: Literal["parent", "worker"],
        to_token: ToToken | None = None,
        from_token: FromToken | None = None,
    ) -> None:
        self._connection = connection
        self._files = (folder / f"{side}-{number}.bin" for number in count())
        self._to_token, self._from_token = to_token, from_token
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
        # Outside the lock: writing a large array takes seconds, and a `stop` from another thread must not wait for it.
        message = encode(kind, content, file, self._to_token)
        with self._sending:
            self._connection.send_bytes(pickle.dumps(message))

    def poll(self, seconds: float) -> bool:
        """Wait at most so long for a message, or for the other end to go; return whether there is either."""
        return self._connection.poll(seconds)

    def receive(self) -> Message:
        """Wait for the next message; raises EOFError or OSError when the other end is gone."""
        message: Message = pickle.loads(self._connection.recv_bytes())
        return message

    def open(self, message: Message) -> Any:
        """Return the content of a message: whatever the other end has sent."""
        return decode(message, self._from_token)

    def close(self) -> None:
        """Close this end; the other one notices."""
        with self._sending:
            self._connection.close()
