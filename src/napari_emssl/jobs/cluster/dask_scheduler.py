"""Work given out by a Dask scheduler to its workers, on however many machines; needs dask.distributed."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from ...errors import UserError
from ..events import Control

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

SCHEME = "dask://"
_PATIENCE_SECONDS = 10
_LOOK_SECONDS = 0.1


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
        When no scheduler answers, or it has no workers.

    """
    with _client(address) as client:
        from distributed import as_completed

        futures = client.map(work, items, pure=False)
        places = {future.key: index for index, future in enumerate(futures)}
        with client.as_current():
            ended = as_completed(futures)
        while not ended.is_empty() and not control.stopped:
            if not ended.has_ready():
                time.sleep(_LOOK_SECONDS)
                continue
            future = next(ended)
            yield _ended(places[future.key], future)
        if control.stopped:
            client.cancel(futures)


def _client(address: str) -> "Client":
    tcp = check_executor(address)
    from distributed import Client

    try:
        client = Client(tcp, timeout=_PATIENCE_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at {tcp}. Start one (dask scheduler), or check the address."
        ) from error
    if not client.scheduler_info(n_workers=-1)["workers"]:
        client.close()
        raise UserError(f"The scheduler at {tcp} has no workers yet. Start some: dask worker {tcp} --nthreads 1.")
    return client


def _ended(index: int, future: "Future") -> TaskDone[R]:
    error = future.exception() if future.status != "finished" else None
    if error is None:
        return TaskDone(index, future.result())
    if isinstance(error, UserError):
        return TaskDone(index, None, str(error))
    if type(error).__name__ == "KilledWorker":
        return TaskDone(index, None, "Every worker that tried it died; memory may be full there.")
    return TaskDone(index, None, f"{type(error).__name__} on a worker: {error}")
