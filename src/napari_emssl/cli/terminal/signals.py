"""Signals that ask a job to stop: Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Self

from ...data.read_watch import HangingReadError, waiting_seconds
from ...jobs.events import Job

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_HANGS_SECONDS = 2.0
"""So long a job that should stop may wait for data; an image is read in less, or on the way."""
_LOOK_SECONDS = 0.5
_Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


class StopOnSignal:
    """While open, the first signal stops the job, even while a read hangs; a second one has its usual effect.

    A SIGHUP that is ignored, as `nohup` has it, stays ignored.
    """

    def __init__(self, job: Job[object]) -> None:
        self.received = 0
        self._job = job
        self._before: dict[signal.Signals, _Handler] = {}
        self._alarm: _Handler = None

    def __enter__(self) -> Self:
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:
                self._before[number] = signal.signal(number, self._stop)
        return self

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._job.stop()
        # print is not safe in a handler: the signal may have come in the middle of one; nobody may be there to read it
        with suppress(OSError):
            os.write(2, b"\nStopping after this step; a second Ctrl-C aborts at once.\n")
        self._restore()
        if hasattr(signal, "setitimer"):
            self._alarm = signal.signal(signal.SIGALRM, self._look)
            signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)

    def _look(self, _number: int, _frame: FrameType | None) -> None:
        """Give up a read that hangs: the signal has woken it, and what is raised here ends it."""
        if waiting_seconds() > _HANGS_SECONDS:
            raise HangingReadError

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __exit__(self, *_error: object) -> None:
        if self._alarm is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._alarm)
        self._restore()
