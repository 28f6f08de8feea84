"""Work given out by a Dask scheduler to its workers, on however many machines; needs dask.distributed."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from ... import __version__
from ...errors import UserError
from ..events import Control

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

SCHEME = "dask://"
_PATIENCE_SECONDS = 10
_LOOK_SECONDS = 0.1
_WITHOUT_WORKERS_SECONDS = 60.0
"""So long nothing is said of workers that are gone: others may be about to start."""
_GOES_ON = "What is complete stays; the same command then does the rest."


@dataclass(frozen=True)
class TaskDone(Generic[R]):
    """One piece of work is over."""

    index: int
    result: R | None
    """None where it failed."""
    failure: str = ""
    """Why, in a sentence."""


def check_executor(address: str) -> str:
    """Return the address of a scheduler as Dask writes it; raises `UserError` where it is none, or without Dask."""
    if not address.startswith(SCHEME) or ":" not in address.removeprefix(SCHEME):
        raise UserError(
            f"--executor takes {SCHEME} and the address of a scheduler: {SCHEME}10.0.0.5:8786 (got {address})."
        )
    try:
        import distributed
    except ImportError as error:
        raise UserError(
            "--executor needs dask.distributed. Install it: pip install 'napari-emssl[cluster]'."
        ) from error
    assert distributed
    return address.replace(SCHEME, "tcp://", 1)


def require_workers(address: str) -> None:
    """Raise `UserError` as `run_on_workers` does where no scheduler or no worker can be used; nothing is done."""
    with _client(address):
        pass


def run_on_workers(address: str, work: Callable[[T], R], items: Sequence[T], control: Control) -> Iterator[TaskDone[R]]:
    """Let the workers of a scheduler do one piece of work after the other.

    A worker that dies is no loss: another one does again what it was doing. What fails by itself is told, and the
    others go on.

    Parameters
    ----------
    address
        ``dask://HOST:PORT``.
    work
        Called on a worker with each item; workers import it by its name.
    items
        Picklable, in the order in which they are begun.
    control
        A stop takes back what no worker has begun.

    Yields
    ------
    TaskDone
        In the order in which they end.

    Raises
    ------
    UserError
        When no scheduler answers or it is gone, it has no workers, or these have another version of the package.

    """
    with _client(address) as client:
        from distributed import as_completed

        futures = client.map(partial(_of_same_version, work, __version__), items, pure=False)
        places = {future.key: index for index, future in enumerate(futures)}
        with client.as_current():
            ended = as_completed(futures)
        watch = _Watch(client, address)
        while not ended.is_empty() and not control.stopped:
            if not ended.has_ready():
                watch.look()
                time.sleep(_LOOK_SECONDS)
                continue
            future = next(ended)
            if future.status == "cancelled":  # by nobody else than a scheduler that is gone
                raise UserError(_gone(address))
            if future.status == "lost":  # with its worker; another one does it again
                ended.add(future)
                continue
            yield _ended(places[future.key], future)
        if control.stopped:
            client.cancel(futures)


def _of_same_version(work: Callable[[T], R], version: str, item: T) -> R:
    """Do a piece of work on a worker that has the same program as the command, even if it came late."""
    if version != __version__:
        raise UserError(_other_version("A worker", __version__))
    return work(item)


def _other_version(worker: str, version: str) -> str:
    return (
        f"{worker} has napari-emssl {version}, not {__version__}, so its results may differ. Install the same version "
        "on all machines."
    )


def _gone(address: str) -> str:
    return f"The scheduler at {address} is gone. Start it again. {_GOES_ON}"


class _Watch:
    """Looks whether scheduler and workers are still there."""

    def __init__(self, client: "Client", address: str) -> None:
        self._client, self._address = client, address
        self._seen = time.monotonic()

    def look(self) -> None:
        """Raise `UserError` when the scheduler is gone, or when there have been no workers for a while."""
        if self._client.status in ("closing", "closed"):
            raise UserError(_gone(self._address))
        if self._client.status != "running" or self._client.scheduler_info(n_workers=-1)["workers"]:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _WITHOUT_WORKERS_SECONDS:
            raise UserError(f"The scheduler at {self._address} has no workers any more. Start some. {_GOES_ON}")


@contextmanager
def _client(address: str) -> Iterator["Client"]:
    """Connect to a scheduler whose workers have this version of the package."""
    tcp = check_executor(address)
    from distributed import Client

    _quieten()
    try:
        client = Client(tcp, timeout=_PATIENCE_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at {tcp}. Start one (dask scheduler), or check the address."
        ) from error
    try:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise UserError(f"The scheduler at {tcp} has no workers yet. Start some: dask worker {tcp} --nthreads 1.")
        _check_workers(client)
        yield client
    finally:
        client.close()


def _quieten() -> None:
    """Leave it to the command to say that a scheduler is gone."""
    import logging

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)


def _check_workers(client: "Client") -> None:
    """Raise `UserError` where a worker lacks the package, or has another version of it."""
    for worker, version in client.run(_version, on_error="return").items():
        if isinstance(version, OSError):
            continue  # it has died just now
        if isinstance(version, Exception):
            raise UserError(
                f"The worker at {worker} cannot use napari-emssl ({version}). Install version {__version__} there, "
                "and start the worker with the Python that has it."
            )
        if version != __version__:
            raise UserError(_other_version(f"The worker at {worker}", version))


def _version() -> str:
    """Called on workers."""
    return __version__


def _ended(index: int, future: "Future") -> TaskDone[R]:
    error = future.exception() if future.status != "finished" else None
    if error is None:
        return TaskDone(index, future.result())
    if isinstance(error, UserError):
        return TaskDone(index, None, str(error))
    if type(error).__name__ == "KilledWorker":
        return TaskDone(index, None, "Every worker that tried it died; memory may be full there.")
    return TaskDone(index, None, f"{type(error).__name__} on a worker: {error}")
