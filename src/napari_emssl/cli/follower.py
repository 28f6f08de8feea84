"""A process that torchrun started beside the first one: it works, and is silent."""

import signal

from ..jobs.events import Job

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def work_along(job: Job) -> int:
    """Run the job without a word; returns the exit status.

    A stop is the first process's to decide: torchrun sends signals to all of them. When the first process ends, its
    broken connection ends this one.
    """
    before = [signal.signal(number, signal.SIG_IGN) for number in _SIGNALS]
    try:
        for _event in job:
            pass
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
    return 0
