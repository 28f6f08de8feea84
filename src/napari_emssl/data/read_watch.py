"""Knows whether the main thread waits for data, and since when: a read that hangs can then be given up.

A network drive that is gone, or a pipe that nobody fills, keeps a read waiting for ever. While the program waits for
data nothing is half done, so a wait may end with an error; a training step or a file that is being written may not.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_waits: list[float] = []
"""When the waits began that the main thread is in, the outermost first."""


class HangingReadError(KeyboardInterrupt):
    """A read was given up because the program should stop; like Ctrl-C it passes by whoever handles damaged files."""


@contextmanager
def waiting() -> Iterator[None]:
    """Mark a part of the program that waits for data, and does nothing else."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _waits.append(time.monotonic())
    try:
        yield
    finally:
        _waits.pop()


def waiting_seconds() -> float:
    """Return for how long the main thread has been waiting for data; 0 where it is not."""
    return time.monotonic() - _waits[0] if _waits else 0.0
