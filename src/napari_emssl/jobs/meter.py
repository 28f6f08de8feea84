"""How far a job is, how fast it is and how long it still takes: the one place that works out a `Progress`."""

import math
import time
from collections.abc import Iterator, Mapping

from .events import EVENT_SECONDS, Progress


class Interval:
    """Whether this many seconds have passed since the last `restart`; over from the start until the first one."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._begun = seconds, -math.inf

    @property
    def over(self) -> bool:
        """Whether it is time again."""
        return time.monotonic() - self._begun >= self._seconds

    def restart(self) -> None:
        """Count the seconds from now on."""
        self._begun = time.monotonic()


class Meter:
    """Works out the events of a job that counts steps: tiles, planes, files, bytes or training steps.

    Parameters
    ----------
    parts
        `Progress` counts in this many parts of a step: 1000 where a step takes long and parts of it are known.
    max_seconds
        Working time after which the job ends, whatever is left to do; None when only the steps decide.

    """

    def __init__(self, parts: int = 1, max_seconds: float | None = None) -> None:
        self._parts, self._max_seconds = parts, max_seconds
        self._begun = time.monotonic()
        self._since_event = Interval(EVENT_SECONDS)
        self._first_step = self._first_seconds = 0.0

    def leave_out(self, step: float, seconds: float = 0.0) -> None:
        """Take the speed from here on: what an earlier run has done says nothing of the speed of this one.

        Parameters
        ----------
        step
            Steps done before, in all.
        seconds
            Working time before, in all.

        """
        self._first_step, self._first_seconds = step, seconds

    @property
    def due(self) -> bool:
        """Whether it is time for another event."""
        return self._since_event.over

    def tick(self, step: float, total: float | None, images_per_step: float = 0.0) -> Iterator[Progress]:
        """Yield `progress` when an event is due, and always after the last step.

        Parameters
        ----------
        step, total, images_per_step
            As for `progress`.

        """
        if self.due or step == total:
            yield self.progress(step, total, images_per_step)

    def progress(
        self,
        step: float,
        total: float | None,
        images_per_step: float = 0.0,
        *,
        seconds: float | None = None,
        losses: Mapping[str, float] | None = None,
        metrics: Mapping[str, float] | None = None,
        epoch: float | None = None,
    ) -> Progress:
        """Return the event of this moment, due or not.

        Parameters
        ----------
        step
            Steps done so far; a fraction where a step is under way.
        total
            Steps in all; None when that is not known.
        images_per_step
            How many images a step is worth, on average so far; 0 where the job does not count images.
        seconds
            Working time so far; by default the time since the meter was made.
        losses, metrics, epoch
            As in `Progress`.

        """
        self._since_event.restart()
        seconds = max(time.monotonic() - self._begun, 1e-9) if seconds is None else seconds
        rate = (step - self._first_step) / max(seconds - self._first_seconds, 1e-9)
        return Progress(
            step=int(step * self._parts),
            total=None if total is None else int(total * self._parts),
            losses=losses or {},
            metrics=metrics or {},
            seconds_left=self._seconds_left(step, total, seconds, rate),
            seconds=seconds,
            images_per_second=rate * images_per_step,
            epoch=epoch,
        )

    def _seconds_left(self, step: float, total: float | None, seconds: float, rate: float) -> float | None:
        """Return what is left of the steps or of the time, whichever ends first; None where neither is known."""
        bounds = []
        if total is not None and rate > 0 and step <= total:
            bounds.append((total - step) / rate)
        if self._max_seconds is not None:
            bounds.append(self._max_seconds - seconds)
        return max(0.0, min(bounds)) if bounds else None
