"""Threads that compute the shares of a batch at the same time, and add up what concerns all of it.

Threads that divide every single operation meet hundreds of times in a training step, for pieces of work of a few
microseconds; beside another busy program most of their time is spent waiting for each other. Here each thread takes
whole patches through the whole network, so threads meet only in the norms, whose statistics span the batch, and at the
end.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .cpu_threads import use_here

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

MOST = 8
"""Threads of a team at most: they start their operations one after the other, which many would mostly wait for."""


class _Batch:
    """Where the threads that compute one batch meet."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size)
        self._given: tuple[list[Tensor | None], ...] = ([None] * size, [None] * size)

    def add_up(self, own: "Tensor") -> "Tensor":
        """Return the sum of what all threads give."""
        import torch

        _here.meetings += 1
        # in turn into one of two lists: whoever is here again so soon cannot overwrite what another still reads
        given = self._given[_here.meetings % 2]
        given[_here.number] = own
        self.barrier.wait()
        return torch.stack([part for part in given if part is not None]).sum(0)


class _Place(threading.local):
    """What the current thread computes a share of, which one, and how often it has met the others."""

    batch: _Batch | None = None
    number = 0
    meetings = 0


_here = _Place()


class ThreadTeam:
    """Threads that each compute one share.

    Parameters
    ----------
    size
        Number of threads, and of shares; 1 stands for the caller's own thread.
    threads
        Threads of the processor for all of them together.

    """

    def __init__(self, size: int, threads: int = 1) -> None:
        self.size, self._threads = size, threads

    @classmethod
    def for_batches_of(cls, patches: int, threads: int) -> "ThreadTeam":
        """Return the team for batches of so many patches, on so many threads of the processor."""
        return cls(max(min(patches, threads, MOST), 1), threads)

    def run(self, work: Callable[[slice], T], patches: int) -> list[T]:
        """Do a piece of work with each share of a batch at the same time.

        Parameters
        ----------
        work
            Is called with the patches of each share, which are divided as evenly as possible.
        patches
            Of the whole batch; fewer than there are threads are computed by the caller's own thread.

        Returns
        -------
        list
            What the calls return, in the order of the shares.

        Raises
        ------
        Exception
            What one of the calls raises; the others end where they would meet it.

        """
        if self.size == 1 or patches < self.size:
            return [work(slice(0, patches))]
        batch, bounds = _Batch(self.size), [patches * number // self.size for number in range(self.size + 1)]
        parts = [slice(*bounds[number : number + 2]) for number in range(self.size)]
        prepare = partial(use_here, max(self._threads // self.size, 1))
        # for this batch alone: threads cost little beside a step, and however a training ends, none is left
        with ThreadPoolExecutor(self.size, "computing shares", prepare) as pool:
            begun = [pool.submit(_take, work, part, batch, number) for number, part in enumerate(parts)]
        raised = [error for share in begun if (error := share.exception()) is not None]
        if raised:
            raise next((error for error in raised if not isinstance(error, threading.BrokenBarrierError)), raised[0])
        return [share.result() for share in begun]


def _take(work: Callable[[slice], T], part: slice, batch: _Batch, number: int) -> T:
    """Do one share in a thread of a team."""
    _here.batch, _here.number, _here.meetings = batch, number, 0
    try:
        return work(part)
    except BaseException:
        batch.barrier.abort()
        raise
    finally:
        _here.batch = None


def is_shared() -> bool:
    """Return whether the current thread computes a share of a batch."""
    return _here.batch is not None


def leads() -> bool:
    """Return whether the current thread is the one of its team that notes what all know; true of a thread alone."""
    return _here.batch is None or _here.number == 0


def over_all_shares(own: "Tensor") -> "Tensor":
    """Return the sum over all shares that are computed at the same time, where there are several; all wait for it."""
    return own if _here.batch is None else _here.batch.add_up(own)
