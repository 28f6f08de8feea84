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


def cycles_within(seconds: float, one_cycle: float, each_more: float) -> int:
    """Return how many cycles fit, at least one.

    Parameters
    ----------
    seconds
        That may be used.
    one_cycle, each_more
        What a training of one cycle takes, and what each further cycle adds; seconds.

    """
    return 1 + max(0, int((seconds - one_cycle) / max(each_more, 1e-3)))
