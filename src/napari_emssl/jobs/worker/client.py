"""Jobs in a process of their own: the very same events, and a viewer that neither stutters nor falls with them.

The parent never imports torch. While it waits for an event it serves planes of lazy arrays to the job, and it turns the
death of the other process into a sentence.
"""

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from pydantic import BaseModel

from ..events import Job, T_co
from .process import Process
from .session import WorkerDiedError, WorkerError, WorkerSession
from .target import JobRequest, reference_to

__all__ = ["WorkerDiedError", "WorkerError", "WorkerJob", "run", "warm_up"]

P = ParamSpec("P")
T = TypeVar("T")


class WorkerJob(Job[T_co]):
    """A job in another process: iterate over it in one thread, give commands and `close` it from any.

    When nothing refers to it any more, or this process ends in any way, the other process ends too.

    Attributes
    ----------
    title
        What messages call the job.
    settings
        The settings that it was given.

    """

    def __init__(self, session: WorkerSession[T_co], request: JobRequest) -> None:
        super().__init__(session.under)
        self._session = session
        self.title = request.function.title
        given = (*request.args, *request.kwargs.values())
        self.settings = tuple(each for each in given if isinstance(each, BaseModel))
        weakref.finalize(self, session.release).atexit = False  # `process` ends all at exit

    @property
    def grace_seconds(self) -> float:
        """Seconds of silence after `stop` before the process is ended by force; twice the longest step where longer."""
        return self._session.grace_seconds

    @grace_seconds.setter
    def grace_seconds(self, seconds: float) -> None:
        self._session.grace_seconds = seconds

    @property
    def pid(self) -> int:
        """Number of the job's process."""
        return self._session.process.pid

    def close(self, wait_seconds: float = 2.0) -> None:
        """End the job at once and give up its result; an iteration under way ends without an error.

        Parameters
        ----------
        wait_seconds
            How long the job may take to end on its own (to write an autosave, say) before it is terminated.

        """
        self._session.close(wait_seconds)


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
                self._process.send("preload", modules)

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
    # The process may have been started long ago, in another working folder.
    request = JobRequest(reference, args, kwargs, Path.cwd())
    return WorkerJob(WorkerSession[T](process, request), request)
