"""How long a test waits for what must happen: on a busy machine it may be minutes, and only what hangs takes longer."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 280.0


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until something is so; returns whether it came about."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (done := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return done
