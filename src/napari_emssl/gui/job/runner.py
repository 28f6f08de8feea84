"""Runs one job at a time: a thread drains its events, Qt signals carry them to the dock."""

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QObject, Signal

from ...jobs.events import Control, Event, Finished, Job, Update
from ..threads.background import call_in_gui_thread, close_at_end, listen_to_threads, start_thread

T = TypeVar("T")
R = TypeVar("R")


def drain(
    control: Control, make_job: Callable[[], Job[T]], finish: Callable[[T], R]
) -> Iterator[Update | Finished[R] | Exception]:
    """Make the job and yield its events.

    Parameters
    ----------
    control
        Takes commands before there is a job; the job obeys it.
    make_job
        Makes the job.
    finish
        Turns its result into what `Finished` should carry.

    Yields
    ------
    Event or Exception
        An exception is yielded as the last thing, not raised: it goes the way of the events.

    """
    try:
        job = make_job()
        job.control = control
        for event in job:
            if isinstance(event, Finished):
                yield Finished(finish(event.result), event.stopped, event.failure)
            else:
                yield event
    except Exception as error:
        yield error


class Runner(QObject):
    """One job at a time, seen from the GUI thread.

    Signals
    -------
    event(object)
        Each event of the job.
    failed(object)
        The exception that ended the job.
    ended()
        The job is over, for whatever reason.

    """

    event = Signal(object)
    failed = Signal(object)
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        listen_to_threads()
        self._controls: list[Control] = []
        self.destroyed.connect(_Ending(self._controls))
        weakref.finalize(self, close_all, self._controls).atexit = False
        close_at_end(self)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @property
    def running(self) -> bool:
        """Whether a job is under way, paused ones included."""
        return bool(self._controls)

    @property
    def control(self) -> Control:
        """The commands for the job under way; when there is none, one that no job obeys."""
        return self._controls[-1] if self._controls else Control()

    def run(self, make_job: Callable[[], Job[T]], finish: Callable[[T], object] = lambda result: result) -> None:
        """Start a job.

        Parameters
        ----------
        make_job, finish
            Called in the worker thread: the first makes the job, the second turns its result into what
            `Finished` should carry.

        """
        control = Control()
        self._controls.append(control)
        start_thread(_carry, drain(control, make_job, finish), weakref.ref(self))

    def _emit(self, event: Event | Exception) -> None:
        (self.failed if isinstance(event, Exception) else self.event).emit(event)

    def _end(self) -> None:
        self._controls.clear()
        self.ended.emit()

    def close(self) -> None:
        """End a job under way without waiting for it and without a message."""
        close_all(self._controls)


def _carry(events: Iterator[Event | Exception], owner: weakref.ref[Runner]) -> None:
    """Carry events to the runner, in the GUI thread; runs in the job's thread, which holds no object of Qt."""
    try:
        for event in events:
            call_in_gui_thread(partial(_deliver, owner, event))
    finally:
        call_in_gui_thread(partial(_deliver, owner, None))


def _deliver(owner: weakref.ref[Runner], event: Event | Exception | None) -> None:
    """Tell the runner, where it is still there, of an event or (None) of the end."""
    runner = owner()
    if runner is None or not isalive(runner):
        return
    if event is None:
        runner._end()
    else:
        runner._emit(event)


def close_all(controls: list[Control], *_: object) -> None:
    """End the jobs that obey these controls."""
    for control in controls:
        control.close()


class _Ending:
    """Ends the jobs of a runner that is destroyed.

    Where the garbage collector came first, a partial or a function would be empty by then, and calling it would crash
    Python; an instance only lacks its attributes.
    """

    def __init__(self, controls: list[Control]) -> None:
        self._controls = controls

    def __call__(self, *_: object) -> None:
        close_all(getattr(self, "_controls", []))
