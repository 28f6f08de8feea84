"""What is known of one run of a job, for a report of a fault. No Qt."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from pydantic import BaseModel

from ...jobs.events import Event, Finished, Job, Notice, Progress, Started
from ...jobs.worker.client import WorkerJob

T = TypeVar("T")
_COUNT = count()


@dataclass
class JobLog:
    """Filled while a job is made, in a thread, and with each of its events."""

    title: str = ""
    """What messages call the job; empty where none was made."""
    settings: tuple[BaseModel, ...] = ()
    device: str = ""
    notices: list[str] = field(default_factory=list)
    progress: Progress | None = None
    ending: str = ""
    error: BaseException | None = None
    number: int = field(default_factory=lambda: next(_COUNT))
    """Later logs have higher ones."""

    def make(self, make_job: Callable[[], Job[T]]) -> Job[T]:
        """Make the job, and remember what it was given."""
        self.title = "A job"
        job = make_job()
        if isinstance(job, WorkerJob):
            self.title, self.settings = job.title, job.settings
        return job

    def note(self, event: Event) -> None:
        """Remember what matters of an event."""
        match event:
            case Started():
                self.device = " ".join(filter(None, (f"{event.device}.", event.reason)))
            case Progress():
                self.progress = event
            case Notice():
                self.notices.append(event.text)
            case Finished():
                self.ending = event.failure or ("stopped" if event.stopped else "done")

    def describe(self) -> str:
        """Return a line for each fact, and the traceback of an error."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"Last job: {self.title or 'none'}{', ' * bool(self.ending)}{self.ending}"
        if self.device:
            yield f"Ran on: {self.device}"
        if self.progress is not None:
            yield f"Came to: step {self.progress.step} of {self.progress.total or 'a limited time'}"
        yield from (f"Settings: {each!r}" for each in self.settings)
        yield from (f"Notice: {text}" for text in self.notices)
        if self.error is not None:
            yield f"Error: {type(self.error).__name__}: {self.error}"
            yield getattr(self.error, "details", "") or "".join(traceback.format_tb(self.error.__traceback__))
