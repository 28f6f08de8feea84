"""Jobs, the events that they yield, and the commands that they obey.

A job is an iterator of frozen events; the last one is `Finished`. Events are plain data: numbers, strings, numpy
arrays and a `Model` (whose weights are numpy arrays too), so that they can leave a worker process.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from .allocator import keeping_memory

EVENT_SECONDS = 0.1
"""The least time between two `Progress` events of a job."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Started:
    """The job has read its input and knows which device it runs on."""

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

    def __repr__(self) -> str:
        """Say what is shown, without the pixels: events are printed."""
        return f"Preview(step={self.step}, images of {', '.join(self.images)}, caption={self.caption!r})"


@dataclass(frozen=True)
class Notice:
    """A sentence the user should read; the job continues."""

    text: str


@dataclass(frozen=True)
class Finished(Generic[T_co]):
    """The last event of a job: its result, and whether it was stopped early."""

    result: T_co
    stopped: bool = False
    failure: str = ""
    """Why the job ended early on its own, as a sentence; empty when it finished or was asked to stop."""


Update = Started | Progress | Preview | Notice
"""What a job yields before its end, any number of times."""
Event = Update | Finished[object]
"""Any event, for code that does not care what the result is; a `Job[T]` yields ``Update | Finished[T]``."""


Command = Literal["stop", "pause", "resume", "show", "ask", "close"]
Listener = Callable[[Command, object], None]


class Control:
    """The commands for one job, from any thread, and the one place where they wait for it.

    A control can be made before its job: the job finds in it all that was asked meanwhile. A running job looks at it
    now and then; a job in another process is notified at once, see `forward`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # Planes and questions may take a while to reach another process. They wait for each other, so that the newest
        # comes last, but hold no lock that `stop` needs.
        self._one_by_one = threading.Lock()
        self._listener: Listener | None = None
        self._stopped = self._paused = self._closed = False
        self._view: NDArray[np.generic] | None = None
        self._question: object = None

    def stop(self) -> None:
        """Ask the job to finish its step, save, and return what it has."""
        with self._changed:
            self._stopped, self._paused = True, False
            self._tell("stop")

    def pause(self) -> None:
        """Ask the job to wait after its step."""
        with self._changed:
            if not self._stopped:
                self._paused = True
                self._tell("pause")

    def resume(self) -> None:
        """Let a paused job continue."""
        with self._changed:
            self._paused = False
            self._tell("resume")

    def close(self) -> None:
        """Give up the result: a job in another process is ended at once, one of this process is asked to stop."""
        with self._changed:
            self._stopped, self._paused, self._closed = True, False, True
            self._tell("close")

    def show(self, plane: NDArray[np.generic]) -> None:
        """Ask for previews of this plane ``(h, w)``, in the units of the image, from now on."""
        with self._one_by_one:
            self._view = plane
            self._send("show", plane)

    def ask(self, question: object) -> None:
        """Put a question to a job that answers questions; it takes the place of one that still waits."""
        with self._one_by_one:
            with self._changed:
                self._question = question
                self._changed.notify_all()
            self._send("ask", question)

    def _tell(self, command: Command) -> None:
        """Wake the job, and pass the command on; the lock is held, so that commands arrive in the order they came."""
        self._changed.notify_all()
        if self._listener is not None:
            self._listener(command, None)

    def _send(self, command: Command, content: object) -> None:
        """Pass a plane or a question on."""
        listener = self._listener
        if listener is not None and not self._closed:
            listener(command, content)

    def forward(self, listener: Listener | None) -> None:
        """Pass on all commands to a job elsewhere: at once those that were given before, then each as it is given.

        Parameters
        ----------
        listener
            Called in the thread of the command with its name and its plane or question, None for the others. It must
            not call this control. None ends it: later commands are only remembered.

        """
        if listener is None:
            with self._changed:
                self._listener = None
            return
        with self._one_by_one:
            with self._changed:
                self._listener = listener
                for command in self._given():
                    listener(command, None)
            if self._view is not None:
                self._send("show", self._view)
            if self._question is not None:
                self._send("ask", self._question)

    def _given(self) -> Iterator[Command]:
        """Yield the commands that were given and still hold."""
        if self._closed or self._stopped:
            yield "close" if self._closed else "stop"
        elif self._paused:
            yield "pause"

    def questions(self, kind: type[T]) -> Iterator[T]:
        """Wait for questions of a kind and yield each, the newest where several came; ends when the job should stop.

        Raises
        ------
        TypeError
            When something else was asked, which is a mistake of the program.

        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._question is not None or self._stopped)
                question, self._question = self._question, None
            if self._stopped:
                return
            if not isinstance(question, kind):
                raise TypeError(f"The job answers a {kind.__name__}, not a {type(question).__name__}.")
            yield question

    @property
    def stopped(self) -> bool:
        """Whether the job was asked to stop."""
        return self._stopped

    @property
    def paused(self) -> bool:
        """Whether the job was asked to wait."""
        return self._paused

    @property
    def closed(self) -> bool:
        """Whether the result is no longer wanted."""
        return self._closed

    @property
    def asked(self) -> bool:
        """Whether a question waits for `questions`: an answer under way is no longer wanted."""
        return self._question is not None

    @property
    def view(self) -> NDArray[np.generic] | None:
        """The plane last asked for by `show`, or None."""
        return self._view

    def wait_while_paused(self) -> None:
        """Block until the job may continue."""
        with self._changed:
            self._changed.wait_for(lambda: not self._paused)


class Job(Iterator[Update | Finished[T_co]], Generic[T_co]):
    """A job under way: iterate over it for its events; `stop`, `pause`, `resume`, `show` and `ask` from any thread.

    Parameters
    ----------
    events
        Called once, on the first ``next``, with the job's `Control`; returns the generator of events.

    Attributes
    ----------
    control
        Where the job takes its commands from. Who has made a control before the job sets it before the first ``next``.

    """

    def __init__(self, events: Callable[[Control], Iterator[Update | Finished[T_co]]]) -> None:
        self.control = Control()
        self._make = events
        self._events: Iterator[Update | Finished[T_co]] | None = None
        self._memory = keeping_memory()
        """Ends with the job, or when the job is dropped."""

    def __iter__(self) -> "Job[T_co]":
        return self

    def __next__(self) -> Update | Finished[T_co]:
        if self._events is None:
            self._events = self._make(self.control)
            next(self._memory)
        try:
            return next(self._events)
        except BaseException:  # a job of another process goes on after Ctrl-C: its iterator is not wrapped in another
            self._memory.close()
            raise

    def stop(self) -> None:
        """Ask for a clean end: the last event still is `Finished`, with ``stopped=True``."""
        self.control.stop()

    def pause(self) -> None:
        """Wait after the step at hand, keeping everything in memory."""
        self.control.pause()

    def resume(self) -> None:
        """Continue after `pause`."""
        self.control.resume()

    def show(self, plane: NDArray[np.generic]) -> None:
        """Preview this plane ``(h, w)`` from now on."""
        self.control.show(plane)

    def ask(self, question: object) -> None:
        """Put a question to a job that answers questions; the newest wins."""
        self.control.ask(question)

    def result(self) -> T_co:
        """Run the job to its end and return what `Finished` carries.

        Raises
        ------
        UserError
            When the job cannot do what it was asked for.

        """
        for event in self:
            if isinstance(event, Finished):
                return event.result
        raise RuntimeError("The job ended without a result.")
