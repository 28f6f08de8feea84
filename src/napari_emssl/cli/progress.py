"""A job run to its end: its progress on stderr, stopped by Ctrl-C, its events passed on."""

import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from ..data.read_watch import HangingReadError
from ..errors import UserError
from ..formatting import duration, plain
from ..jobs.events import Event, Finished, Job, Notice, Progress, Started
from ..models.card import named_scores
from .app import BAD_INPUT, DIVERGED
from .terminal.signals import STOPPING, StopOnSignal
from .terminal.streams import raw

_LINE_SECONDS = 10.0
"""Time between two lines of progress in a file or pipe."""
T = TypeVar("T")


class StoppedError(KeyboardInterrupt):
    """A signal of this number ended the program."""

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


@dataclass(frozen=True)
class Ending(Generic[T]):
    """How a job ended."""

    result: T
    stopped: bool
    status: int
    """Exit status: 0, 128 plus the number of the signal that stopped the job, 3 when it ended early on its own, or 2
    when it came to its end but its last part went wrong."""
    failure: str = ""
    """What went wrong, and what the result is then; empty where nothing did."""


def run_with_progress(
    job: Job[T], title: str, *, quiet: bool = False, listeners: Iterable[Callable[[Event], None]] = ()
) -> Ending[T]:
    """Iterate over `job` to its end and show how far it is.

    The first Ctrl-C, SIGTERM or SIGHUP asks the job to stop after its step; a second one aborts.

    Parameters
    ----------
    job
        The job to run.
    title
        What the user calls it.
    quiet
        Show warnings only.
    listeners
        Called with every event, after it is shown.

    Returns
    -------
    Ending
        The result, and how the job ended.

    Raises
    ------
    UserError
        What the job raises, or when it ends without a result.
    StoppedError
        When it was stopped while a read hung, before there was anything to save.

    """
    finished: Finished[T] | None = None
    with StopOnSignal(job) as signals, choose_display(title, quiet) as display:
        try:
            for event in job:
                display.show(event)
                for listener in listeners:
                    listener(event)
                if isinstance(event, Finished):
                    finished = event
        except HangingReadError as error:
            raise StoppedError(signals.received) from error
    if finished is None:
        raise UserError("The job ended without a result. Start it again, with --resume if there is an autosave.")
    status = 128 + signals.received if finished.stopped and signals.received else 0
    if finished.failure:
        status = DIVERGED if finished.stopped else BAD_INPUT
    return Ending(finished.result, finished.stopped, status, finished.failure)


def run_silently(job: Job[object]) -> int:
    """Run one of several processes of a job, without a message; returns the exit status.

    Signals are ignored: torchrun sends them to all processes, but the first one decides when to stop. When it ends, its
    broken connection ends this one.
    """
    before = [signal.signal(number, signal.SIG_IGN) for number in STOPPING]
    try:
        for _event in job:
            pass
    finally:
        for number, handler in zip(STOPPING, before, strict=True):
            signal.signal(number, handler)
    return 0


class Display(Protocol):
    """Something that shows events; a context manager."""

    def show(self, event: Event) -> None:
        """Show one event."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clean up."""


def choose_display(title: str, quiet: bool = False) -> Display:
    """Return a bar for a terminal, lines for a file or pipe, or warnings only."""
    if quiet:
        return ProgressLines(title, every=float("inf"), warnings_only=True)
    return ProgressBar(title) if sys.stderr.isatty() else ProgressLines(title)


class ProgressBar:
    """A progress bar on stderr, the losses on a line below it."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.console = console or Console(file=raw(sys.stderr))
        text = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[pace]}", markup=False)
        self.bars = Bars(text[0], BarColumn(bar_width=32), TaskProgressColumn(), text[1], console=self.console)
        self.task = self.bars.add_task(title, total=1.0, pace="reading")
        self.losses, self.metrics, self.last = "", dict[str, float](), Progress(0, None)
        self.live = Live(console=self.console, get_renderable=self._renderable, refresh_per_second=8)

    def show(self, event: Event) -> None:
        """Move the bar, or print a sentence above it."""
        if isinstance(event, Progress):
            self.metrics.update(event.metrics)
            self.losses, self.last = losses_of(event, self.metrics), event
            self.bars.update(self.task, completed=event.fraction, pace=pace_of(event))
        elif isinstance(event, Finished):
            self.bars.update(self.task, completed=1.0, pace=pace_of(replace(self.last, seconds_left=None)))
        elif text := message_of(event):
            self.console.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def _renderable(self) -> Group:
        return Group(self.bars, Text(self.losses)) if self.losses else Group(self.bars)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.live.stop()


class ProgressLines:
    """A line on stderr every now and then, for a file or a pipe."""

    def __init__(self, title: str, every: float = _LINE_SECONDS, warnings_only: bool = False) -> None:
        self.title, self.every, self.warnings_only = title, every, warnings_only
        self.printed_at = -float("inf")
        self.pending: Progress | None = None
        self.metrics: dict[str, float] = {}

    def show(self, event: Event) -> None:
        """Print the event when it is time."""
        if isinstance(event, Progress):
            self.pending = event
            self.metrics.update(event.metrics)
            if time.monotonic() - self.printed_at >= self.every:
                self._flush(event.fraction)
        elif isinstance(event, Finished):
            self.pending = self.pending and replace(self.pending, seconds_left=None)
            self._flush(1.0)
        elif (text := message_of(event)) and (not self.warnings_only or isinstance(event, Notice)):
            self._print(text)

    def _flush(self, fraction: float) -> None:
        if self.pending is not None and not self.warnings_only:
            parts = [f"{self.title} {fraction:4.0%}", pace_of(self.pending), losses_of(self.pending, self.metrics)]
            self._print("  ".join(part for part in parts if part))
        self.printed_at, self.pending = time.monotonic(), None

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


def message_of(event: Event) -> str:
    """Return the sentences an event carries; empty when it carries numbers or pictures."""
    if isinstance(event, Started):
        device = f"Device: {event.device}. {event.reason}".strip()
        return "\n".join(text for text in (event.summary, device) if text)
    return f"Warning: {event.text}" if isinstance(event, Notice) else ""


def pace_of(event: Progress) -> str:
    """Return the step of a training, time left and speed in one line; steps of other jobs mean nothing to a user."""
    training = event.losses or event.metrics or event.epoch is not None
    parts = [f"step {event.step}" + (f"/{event.total}" if event.total else "")] if training else []
    if event.epoch is not None:
        parts.append(f"epoch {event.epoch:.1f}")
    if event.seconds_left is not None and event.fraction < 1:
        parts.append(f"{duration(event.seconds_left)} left")
    if event.images_per_second:
        parts.append(f"{event.images_per_second:.3g} images/s")
    return "  ".join(parts)


def losses_of(event: Progress, metrics: Mapping[str, float]) -> str:
    """Return the losses and the last validation in one line; empty when there are none."""
    parts = [f"{name} {value:.4g}" for name, value in event.losses.items()]
    return "  ".join([*parts, *named_scores(metrics)])
