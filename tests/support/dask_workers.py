"""A Dask cluster of two worker processes on this machine, and work that kills one of them."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from napari_emssl.errors import UserError


@contextmanager
def two_workers() -> Iterator[str]:
    """Yield the address of a scheduler with two workers of one thread."""
    with mortal_workers() as (address, _kill):
        yield address


@contextmanager
def mortal_workers() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the address of a scheduler with two workers of one thread, and what kills the first of them."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        yield address, lambda: os.kill(cluster.workers[0].pid, signal.SIGKILL)


def square_or_die(item: int, mark: Path | None = None) -> int:
    """Square a number; refuse 3; and kill this process when 5 comes the first time."""
    if item == 3:
        raise UserError("three is refused")
    if item == 5 and mark is not None and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def slow_square(item: int) -> int:
    """Square a number after a while."""
    time.sleep(0.1)
    return item * item
