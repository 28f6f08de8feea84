"""Jobs in a process of their own: the very same events, and a viewer that neither stutters nor falls with them.

The parent never imports torch. It asks for one event at a time, answers the child's questions for planes of lazy arrays
while it waits, and turns the child's death into a sentence.
"""

import threading
import time
import weakref
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..events import Job, T_co
from .process import Process
from .session import WorkerDiedError, WorkerError, WorkerSession
from .target import reference_to

__all__ = ["WorkerDiedError", "WorkerError", "WorkerJob", "run", "warm_up"]

P = ParamSpec("P")
T = TypeVar("T")


class WorkerJob(Job[T_co]):
    """A job in another process; iterate in one thread, and `stop`, `pause`, `resume`, `show`, `ask`, `close` from any.

    When it is dropped, or this process ends in whatever way, the other process ends too.

    Attributes
    ----------
    grace_seconds
        After `stop`, the process is ended by force when nothing is heard of it for so long; a job whose steps have
        taken longer gets twice the longest.

    """

    def __init__(self, conversation: WorkerSession[T_co]) -> None:
        super().__init__(lambda _: conversation)
        self._conversation = conversation
        weakref.finalize(self, conversation.drop).atexit = False  # `process` ends all at exit

    @property
    def grace_seconds(self) -> float:
        """Seconds of silence after `stop` before the process is ended by force."""
        return self._conversation.grace_seconds

    @grace_seconds.setter
    def grace_seconds(self, seconds: float) -> None:
        self._conversation.grace_seconds = seconds

    @property
    def pid(self) -> int:
        """Number of the job's process."""
        return self._conversation.process.pid

    def stop(self) -> None:
        """Ask for a clean end: the last event still is `Finished`, with ``stopped=True``."""
        super().stop()
        self._conversation.stopped_at, self._conversation.paused = time.monotonic(), False
        self._conversation.process.tell("stop")

    def pause(self) -> None:
        """Wait after the step at hand, keeping everything in memory."""
        super().pause()
        self._conversation.paused = self.control.paused
        self._conversation.process.tell("pause")

    def resume(self) -> None:
        """Go on after `pause`."""
        super().resume()
        self._conversation.paused = False
        self._conversation.process.tell("resume")

    def show(self, plane: NDArray[np.generic]) -> None:
        """Preview this plane ``(h, w)`` from now on."""
        super().show(plane)
        self._conversation.process.tell("show", np.asarray(plane))

    def ask(self, question: object) -> None:
        """Put a question to a job that answers questions; arrays in it travel by file."""
        super().ask(question)
        self._conversation.process.tell("ask", question)

    def close(self, wait_seconds: float = 2.0) -> None:
        """End the job at once and give up its result; an iteration under way ends without an error.

        Parameters
        ----------
        wait_seconds
            How long the job may take to end by itself (an autosave, say) before it is ended by force.

        """
        self._conversation.close(wait_seconds)


class _Spare:
    """At most one process that has started and imported before it is needed."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._lock = threading.Lock()

    def prepare(self, modules: tuple[str, ...]) -> None:
        """Have a process ready."""
        with self._lock:
            if self._process is None or not self._process.alive:
                self._process = Process()
                self._process.tell("preload", modules)

    def take(self) -> Process:
        """Return the process that is ready, or a new one."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return Process()
        if process.is_mine and process.alive:
            return process
        process.release()
        return Process()


_SPARE = _Spare()


def warm_up(*modules: str) -> None:
    """Keep one process ready that has imported these modules; the next `run` takes it. Returns at once."""
    _SPARE.prepare(modules)


def run(function: Callable[P, Job[T]], *args: P.args, **kwargs: P.kwargs) -> WorkerJob[T]:
    """Run a job in a process of its own.

    Arrays reach it through memory-mapped files. Arrays that are memory-mapped files already are opened there by name,
    and those that are neither (dask, zarr, HDF5) are computed here, plane by plane, when the job asks for one: so only
    while the job is iterated over.

    Parameters
    ----------
    function
        Returns the job: one of `worker_jobs`, or any function of the top level of a module that the process can import.
    *args, **kwargs
        For that function; plain picklable data, arrays, `Image` and `Model`. With `autosave`, the message about a job
        that died names that file.

    Returns
    -------
    WorkerJob
        The very events of the job in this process. Iterating raises `UserError` where the job does, `WorkerDiedError`
        (also a `UserError`) when its process was killed or crashed, and `WorkerError` for every other error of the job.

    Raises
    ------
    UserError
        When no process can be started.

    """
    reference = reference_to(function)
    process = Process() if reference.light else _SPARE.take()
    return WorkerJob(WorkerSession[T](process, reference, args, kwargs))
