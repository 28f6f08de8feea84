"""Reading of a pretraining: what is reported while it runs."""

from collections.abc import Iterator
from typing import Protocol

from ...formatting import counted
from ...jobs.events import Event, Notice, Progress, Update
from .data import PretrainingData

_KNOWN_BATCHES, _KNOWN_SECONDS = 20, 30.0
"""Before that nothing is reported about waiting: reading processes take seconds to start."""
_LONG_WAIT = 0.2


class Reader(Protocol):
    """What is known of reading."""

    @property
    def damaged(self) -> set[int]:
        """Numbers of the planes that could not be read so far."""

    @property
    def waited_seconds(self) -> float:
        """Time that the training waited for batches, the first left out."""

    @property
    def batches_read(self) -> int:
        """Batches read so far."""


class ReadingMonitor:
    """Says which images turn out to be damaged, and when reading holds up the training.

    Parameters
    ----------
    reader
        Reads the batches of the training.
    data
        Knows the names of the images.

    """

    def __init__(self, reader: Reader, data: PretrainingData) -> None:
        self._reader, self._data = reader, data
        self._report_at, self._waits_reported = 1, False

    def warnings(self, event: Event) -> Iterator[Update]:
        """Yield the warnings due after an event of the training."""
        damaged = self._reader.damaged
        if len(damaged) >= self._report_at:
            self._report_at = 10 ** len(str(len(damaged)))
            name = self._data.name_of(min(damaged))
            planes = counted(len(damaged), "damaged plane")
            yield Notice(f"So far {planes} skipped, for example in {name}. Others are used in their place.")
        if isinstance(event, Progress) and self._waits(event.seconds):
            self._waits_reported = True
            share = self._reader.waited_seconds / event.seconds
            yield Notice(
                f"The training spends {share:.0%} of its time waiting for images. More --workers, or a pack "
                "('napari-emssl pack'), make it faster."
            )

    def _waits(self, seconds: float) -> bool:
        """Whether enough is known, and too much time is spent waiting."""
        known = self._reader.batches_read > _KNOWN_BATCHES and seconds > _KNOWN_SECONDS
        return known and not self._waits_reported and self._reader.waited_seconds > _LONG_WAIT * seconds
