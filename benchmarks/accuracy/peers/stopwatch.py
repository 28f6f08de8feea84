"""Processor seconds of this process, without those spent on what the measured program would not do."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Counts processor time, of all threads and the system, from when it was made."""

    def __init__(self) -> None:
        self._start = time.process_time()

    @property
    def seconds(self) -> float:
        """Processor seconds so far."""
        return time.process_time() - self._start

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Leave out what a block takes."""
        mark = time.process_time()
        try:
            yield
        finally:
            self._start += time.process_time() - mark
