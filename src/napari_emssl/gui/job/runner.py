"""Runs one job at a time: a thread drains its events, Qt signals carry them to the dock."""

import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from napari.qt.threading import create_worker
from numpy.typing import NDArray
from qtpy.QtCore import QCoreApplication, QObject, Signal

from ...jobs.events import Event, Finished, Job

MakeJob = Callable[[], Job[Any]]
Finish = Callable[[Any], Any]


class Handle:
    """Commands for a job that may not exist yet: what is asked before it does is passed on to it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: Any = None
        self._plane: NDArray[Any] | None = None
        self._question: Any = None
        self.stopped = self.paused = self.closed = False

    def adopt(self, job: Job[Any]) -> Job[Any]:
        """Take the job in and tell it what was asked meanwhile."""
        with self._lock:
            self._job = job
            paused, stopped = self.paused, self.stopped
        if self._plane is not None:
            job.show(self._plane)
        if self._question is not None:
            job.ask(self._question)
        if paused:
            job.pause()
        if stopped:
            job.stop()
        if self.closed:
            self.close()
        return job

    def stop(self) -> None:
        """Ask for a clean end."""
        with self._lock:
            self.stopped = True
            if self._job is not None:
                self._job.stop()

    def pause(self, paused: bool) -> None:
        """Let the job wait, or go on."""
        with self._lock:
            self.paused = paused
            if self._job is not None:
                (self._job.pause if paused else self._job.resume)()

    def show(self, plane: NDArray[Any]) -> None:
        """Ask for previews of this plane; may take a while, as the plane travels."""
        if self.closed:
            return
        with self._lock:
            self._plane, job = plane, self._job
        if job is not None:
            job.show(plane)

    def ask(self, question: Any) -> None:
        """Put a question to the job, see `Job.ask`; may take a while, as its arrays travel."""
        if self.closed:
            return
        with self._lock:
            self._question, job = question, self._job
        if job is not None:
            job.ask(question)

    def close(self) -> None:
        """End the job at once, result or not; returns when its process is gone. One of this process is stopped."""
        self.closed = self.stopped = True
        end = getattr(self._job, "close", None) or getattr(self._job, "stop", None)
        if end is not None:
            end()


def drain(handle: Handle, make_job: MakeJob, finish: Finish) -> Iterator[Event | Exception]:
    """Make the job, yield its events, and pass its result through `finish`; when nobody listens, close the job.

    An exception is yielded as the last thing, not raised: napari 0.9 listens to errors of its workers in a way that
    raises another one with PySide6.
    """
    try:
        for event in handle.adopt(make_job()):
            yield replace(event, result=finish(event.result)) if isinstance(event, Finished) else event
    except GeneratorExit:
        handle.close()
        raise
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
        The job is over, in whatever way.

    """

    event = Signal(object)
    failed = Signal(object)
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._handles: list[Handle] = []
        self.destroyed.connect(_Ending(self._handles))
        weakref.finalize(self, close_all, self._handles).atexit = False
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @property
    def running(self) -> bool:
        """Whether a job is under way, paused ones included."""
        return bool(self._handles)

    @property
    def handle(self) -> Handle:
        """Commands for the job under way; for none when there is none."""
        return self._handles[-1] if self._handles else Handle()

    def run(self, make_job: MakeJob, finish: Finish = lambda result: result) -> None:
        """Start a job.

        Parameters
        ----------
        make_job, finish
            Called in the worker thread: the first makes the job, the second turns its result into what
            `Finished` shall carry.

        """
        handle = Handle()
        self._handles.append(handle)
        worker = create_worker(drain, handle, make_job, finish, _start_thread=False, _ignore_errors=True)
        worker.yielded.connect(self._tell)
        worker.finished.connect(self._end)
        worker.start()

    def _tell(self, event: Event | Exception) -> None:
        (self.failed if isinstance(event, Exception) else self.event).emit(event)

    def _end(self) -> None:
        for handle in self._handles:
            handle.closed = True
        self._handles.clear()
        self.ended.emit()

    def close(self) -> None:
        """End a job under way without waiting for it and without a word."""
        close_all(self._handles)


def close_all(handles: list[Handle], *_: object) -> None:
    """End the jobs of these handles in the background."""
    for handle in handles:
        handle.closed = True
        threading.Thread(target=handle.close, daemon=True).start()


class _Ending:
    """Ends the jobs of a runner that is destroyed.

    Where the garbage collector came first, a partial or a function would be empty by then, and calling it would crash
    Python; an instance only lacks its attributes.
    """

    def __init__(self, handles: list[Handle]) -> None:
        self._handles = handles

    def __call__(self, *_: object) -> None:
        close_all(getattr(self, "_handles", []))
