"""How the time of a run is spent: steps, and beside them validation and previews."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_STEPS_PER_VALIDATION = 9.0
"""Where time is short, steps between two validations take at least this many times as long as one."""
_LEAST_FOR_STEPS = 0.25
"""Share of the time that steps get at least: without it a run on large planes would only validate."""


class TimeBudget:
    """The time that a run may take, of which validation and previews take their part, those at its end included.

    A run that is not limited in time is never over, and validates whenever it was asked to: what it does depends on no
    clock.

    Parameters
    ----------
    max_seconds
        How long the run may take; None: for ever.

    """

    def __init__(self, max_seconds: float | None) -> None:
        self._max_seconds = max_seconds
        self.beside_steps = 0.0
        """Seconds spent on validation and previews, earlier runs included."""
        self._last: dict[str, float] = {}
        self._validated_at = 0.0

    @contextmanager
    def spent_on(self, what: str) -> Iterator[None]:
        """Count what a block takes; the end of the run is assumed to take as long for it once more."""
        mark = time.monotonic()
        try:
            yield
        finally:
            self._last[what] = time.monotonic() - mark
            self.beside_steps += self._last[what]

    def progress(self, step_seconds: float) -> float:
        """Return the share of the time that is over, in [0, 1], when steps have taken so long."""
        if self._max_seconds is None:
            return 0.0
        before_the_end = self._max_seconds - sum(self._last.values())
        used = step_seconds + self.beside_steps
        of_all = used / before_the_end if before_the_end > 0 else 1.0
        return min(of_all, step_seconds / (_LEAST_FOR_STEPS * self._max_seconds), 1.0)

    def allows_validation(self, step_seconds: float) -> bool:
        """Whether steps have taken long enough since the last validation."""
        enough = _STEPS_PER_VALIDATION * self._last.get("validation", 0.0)
        return self._max_seconds is None or step_seconds - self._validated_at >= enough

    def validated(self, step_seconds: float) -> None:
        """Note that validation was done after steps that took so long."""
        self._validated_at = step_seconds
