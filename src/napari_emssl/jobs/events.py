"""What a running job tells, and the handle by which it is stopped and paused.

A job is an iterator of frozen events; the last one is `Finished`. Events are plain data: numbers, strings, numpy
arrays and a `Model` (whose weights are numpy arrays too), so that they can leave a child process.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

EVENT_SECONDS = 0.1
"""The least time between two `Progress` events of a job."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Started:
    """The job has read its input and knows where it runs."""

    device: str
    """Human name of the device, for example ``cpu (2 threads, fp32)``."""
    reason: str = ""
    """Why it is not a GPU, as a sentence; empty on a GPU."""
    summary: str = ""
    """What the job is about to work on, as a sentence."""


@dataclass(frozen=True)
class Progress:
    """One or more steps are done."""

    step: int
    total: int | None
    """Steps in all; None when a time budget decides."""
    losses: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Validation results measured at this very step; empty when none was."""
    seconds_left: float | None = None
    seconds: float = 0.0
    """Working time so far, pauses left out, earlier runs of a resumed job included."""
    images_per_second: float = 0.0
    epoch: float | None = None
    """Passes over the training images so far; None where the job does not count them."""

    @property
    def fraction(self) -> float:
        """Share of the job that is done, in [0, 1]."""
        if self.total:
            return min(self.step / self.total, 1.0)
        if self.seconds_left is None:
            return 0.0
        return self.seconds / max(self.seconds + self.seconds_left, 1e-9)


@dataclass(frozen=True)
class Preview:
    """Pictures of the state of the job, each ``(h, w)``, by name."""

    images: Mapping[str, NDArray[np.generic]]
    step: int = 0
    caption: str = ""
    """What is seen, for people: which plane or patch of the data."""


@dataclass(frozen=True)
class Notice:
    """A sentence the user should read; the job goes on."""

    text: str


@dataclass(frozen=True)
class Finished(Generic[T_co]):
    """The last event of a job: its result, and whether it was stopped early."""

    result: T_co
    stopped: bool = False
    failure: str = ""
    """Why the job ended itself before its time, as a sentence; empty when it was done or was asked to stop."""


Update = Started | Progress | Preview | Notice
"""What a job yields on its way, any number of times."""
Event = Update | Finished[object]
"""What those are shown who do not ask for the result; a job of `T` yields ``Update | Finished[T]``."""


class Control:
    """What a running job asks now and then: shall I stop, pause, look at another plane? Thread-safe."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self._view: NDArray[np.generic] | None = None
        self._question: object = None
        self._asked = threading.Condition()

    def stop(self) -> None:
        """Ask the job to finish its step, save and hand over what it has."""
        self._stop.set()
        self._go.set()
        with self._asked:
            self._asked.notify_all()

    def pause(self) -> None:
        """Ask the job to wait after its step."""
        if not self._stop.is_set():
            self._go.clear()

    def resume(self) -> None:
        """Let a paused job go on."""
        self._go.set()

    def show(self, plane: NDArray[np.generic]) -> None:
        """Ask for previews of this plane ``(h, w)``, in the units of the image, from now on."""
        self._view = plane

    def ask(self, question: object) -> None:
        """Put a question to a job that answers questions; it takes the place of one that still waits."""
        with self._asked:
            self._question = question
            self._asked.notify_all()

    def questions(self, kind: type[T]) -> Iterator[T]:
        """Wait for questions of a kind and yield each, the newest where several came; ends when the job shall stop.

        Raises
        ------
        TypeError
            When something else was asked, which is a mistake of the program.

        """
        while True:
            with self._asked:
                self._asked.wait_for(lambda: self._question is not None or self.stopped)
                question, self._question = self._question, None
            if self.stopped:
                return
            if not isinstance(question, kind):
                raise TypeError(f"The job answers a {kind.__name__}, not a {type(question).__name__}.")
            yield question

    @property
    def stopped(self) -> bool:
        """Whether the job was asked to stop."""
        return self._stop.is_set()

    @property
    def paused(self) -> bool:
        """Whether the job was asked to wait."""
        return not self._go.is_set()

    @property
    def view(self) -> NDArray[np.generic] | None:
        """The plane last asked for by `show`, or None."""
        return self._view

    def wait_while_paused(self) -> None:
        """Block until the job may go on."""
        self._go.wait()


class Job(Iterator[Update | Finished[T_co]], Generic[T_co]):
    """A job under way: iterate over it for its events; `stop`, `pause`, `resume`, `show` and `ask` from any thread.

    Parameters
    ----------
    events
        Called once, on the first ``next``, with the job's `Control`; returns the generator of events.

    """

    def __init__(self, events: Callable[[Control], Iterator[Update | Finished[T_co]]]) -> None:
        self.control = Control()
        self._make = events
        self._events: Iterator[Update | Finished[T_co]] | None = None

    def __iter__(self) -> "Job[T_co]":
        return self

    def __next__(self) -> Update | Finished[T_co]:
        if self._events is None:
            self._events = self._make(self.control)
        return next(self._events)

    def stop(self) -> None:
        """Ask for a clean end: the last event still is `Finished`, with ``stopped=True``."""
        self.control.stop()

    def pause(self) -> None:
        """Wait after the step at hand, keeping everything in memory."""
        self.control.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self.control.resume()

    def show(self, plane: NDArray[np.generic]) -> None:
        """Preview this plane ``(h, w)`` from now on."""
        self.control.show(plane)

    def ask(self, question: object) -> None:
        """Put a question to a job that answers questions; the newest wins."""
        self.control.ask(question)

    def result(self) -> T_co:
        """Run the job to its end and return what `Finished` carries."""
        for event in self:
            if isinstance(event, Finished):
                return event.result
        raise RuntimeError("The job ended without a result.")
