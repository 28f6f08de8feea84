"""How many threads of the processor a process computes with, and how they wait for each other: one policy for all jobs.

The threads of a parallel loop wait for the slowest of them, by default by spinning. Beside another busy program, with
as many threads as cores, a thread that spins keeps a core from the one that it waits for, and steps take ten times as
long. So threads sleep here after spinning for some microseconds, and of runs that a clock ends anyway the number is
found by trying.

All other runs take a number that depends on the machine alone: sums come out differently, in their last bits, with
another number of threads. torch is imported where it is needed, so that the viewer and the terminal may import this.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")

AUTO = "auto"

_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
"""What makes threads wait passively: the first is obeyed by the OpenMP of LLVM, the last by that of Intel.

The second is for that of GNU, which torch brings: it spins for so many rounds, about ten microseconds. To sleep at once
cost an idle machine an eighth of the speed; ten thousand rounds cost as much beside a busy program.
"""
_CHOSEN_BY_USER = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT")

_ROUNDS = 3
"""Pieces of work that are timed with each number of threads."""
_HOPELESS, _WORSE = 3.0, 1.5
"""Times the best mean, from which on no more pieces are timed: of the first, which prepares, and of the others."""
_RECENT = 5
"""Pieces of work that tell whether work has become slower or quicker."""
_SLOWER, _QUICKER = 1.35, 0.75
_LEAST_WAIT, _USUAL_WAIT, _LONGEST_WAIT_SECONDS = 5.0, 20.0, 60.0
"""Between two trials, in times of the last one, so that trials take a twentieth of the time; the longest in seconds."""


class _OwnNumber:
    """The number of threads that this module has set, and what the process had before."""

    def __init__(self) -> None:
        self.before = self.now = 0
        self.kept_free = 0
        """Cores left to another program that people wait for."""


_own = _OwnNumber()


def wait_passively(environment: MutableMapping[str, str]) -> None:
    """Let threads wait without taking a core, unless `environment` says how; to be called before torch is imported."""
    if not any(name in environment for name in _CHOSEN_BY_USER):
        environment.update(_WAITING)


def leave_a_core() -> None:
    """Leave a core to the viewer, where there is more than one; called in the processes that work for it."""
    _own.kept_free = 1


def available() -> int:
    """Return how many threads this process may take: as many as torch does by itself, less what is left to a viewer."""
    import torch

    now = torch.get_num_threads()
    usual = _own.before if now == _own.now else now  # another number was set by somebody else, who means it
    return max(usual - _own.kept_free, 1)


def use(threads: str = AUTO) -> None:
    """Compute with so many threads from now on; with ``auto`` as many as are `available`."""
    _set(available() if threads == AUTO else int(threads))


def use_one() -> None:
    """Compute with one thread in the thread that calls this, which prepares what others compute with."""
    use_here(1)


def use_here(count: int) -> None:
    """Compute with so many threads in the thread that calls this alone."""
    import torch

    if torch.get_num_threads() != count:  # asked first: the question sets the number in a thread that is new to torch
        torch.set_num_threads(count)


def side_by_side(work: Callable[[K], T], items: Iterable[K], at_once: int) -> Generator[T, None, None]:
    """Do independent pieces of work at the same time, which share the threads of the caller evenly.

    No thread waits for another one before its piece is done, so a busy program beside costs its share and no more. A
    piece comes out the same whatever else is done at the same time.

    Parameters
    ----------
    work
        Does one piece.
    items
        What the pieces are done with; taken as they are needed.
    at_once
        Pieces at the same time; with 1 the caller's own thread does them.

    Yields
    ------
    T
        What the pieces return, in order; what one raises is raised here. When the iterator is closed, those that have
        begun are waited for.

    """
    if at_once == 1:
        yield from map(work, items)
        return
    import torch

    share, left = max(torch.get_num_threads() // at_once, 1), iter(items)
    pool = ThreadPoolExecutor(at_once, "computing", initializer=partial(use_here, share))
    try:
        begun = deque(pool.submit(work, item) for item in islice(left, at_once + 1))
        while begun:
            done = begun.popleft().result()
            begun.extend(pool.submit(work, item) for item in islice(left, 1))
            yield done
    finally:
        pool.shutdown(cancel_futures=True)


def _set(count: int) -> None:
    import torch

    now = torch.get_num_threads()
    if now == count:
        return
    if now != _own.now:
        _own.before = now
    _own.now = count
    torch.set_num_threads(count)


class ThreadTuner:
    """Keeps the number of threads at which work is quickest, by timing it.

    At first, whenever work has become slower or quicker, and now and then, some pieces of work are done with half and
    twice the threads.

    Parameters
    ----------
    most
        Threads at most.
    use_count
        Sets their number.

    """

    def __init__(self, most: int, use_count: Callable[[int], None] = _set) -> None:
        self._most, self._use = most, use_count
        self._worked = 0.0
        self._course = self._tuning()
        self.count = next(self._course)
        """Threads that the next piece of work is done with."""

    @classmethod
    def where(cls, may_vary: bool) -> "ThreadTuner":
        """Return one for the thread that calls this, which does nothing where the number may not vary."""
        import torch

        return cls(torch.get_num_threads() if may_vary else 1)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Compute with `count` threads in a block; afterwards their number is what it was."""
        if self._most == 1:
            yield
            return
        import torch

        before = torch.get_num_threads()
        self._use(self.count)
        try:
            yield
        finally:
            self._use(before)

    def took(self, seconds: float) -> None:
        """Note how long a piece of work took, and set the number of threads of the next one."""
        if self._most > 1:
            self._worked += seconds
            self.count = self._course.send(seconds)
            self._use(self.count)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Do a piece of work in a block; all pieces are equally large."""
        begin = time.perf_counter()
        yield
        self.took(time.perf_counter() - begin)

    def _tuning(self) -> Generator[int, float, None]:
        """Yield the number of threads of each piece of work; is sent what it took."""
        # With as many threads as cores, beside another program, threads that do not wait passively collapse: one first.
        count, confirmed = 1, 0
        while True:
            begin = self._worked
            best, usual = yield from self._trial(count)
            cost = self._worked - begin
            confirmed = confirmed + 1 if best == count else 0
            count = best
            longest = max(_LONGEST_WAIT_SECONDS, _USUAL_WAIT * cost)
            yield from self._watch(count, usual, _LEAST_WAIT * cost, min(_USUAL_WAIT * cost * 2**confirmed, longest))

    def _trial(self, count: int) -> Generator[int, float, tuple[int, float]]:
        """Time work with `count` threads and with fewer and more, as long as that is quicker."""
        times = {count: (yield from self._mean(count))}
        changes: tuple[Callable[[int], int], ...] = (lambda n: n // 2, lambda n: min(2 * n, self._most))
        for change in changes:
            other = change(count)
            while other and other not in times:
                times[other] = yield from self._mean(other, times[count])
                if times[other] >= times[count]:
                    break
                count, other = other, change(other)
        return count, times[count]

    def _mean(self, count: int, best: float = math.inf) -> Generator[int, float, float]:
        """Time some pieces of work; no more of them where one takes far longer than the best mean so far."""
        first = yield count  # prepares what is kept for this number of threads
        if first > _HOPELESS * best:
            return first
        total = 0.0
        for _ in range(_ROUNDS):
            piece = yield count
            if piece > _WORSE * best:
                return piece
            total += piece
        return total / _ROUNDS

    def _watch(self, count: int, usual: float, least: float, longest: float) -> Generator[int, float, None]:
        """Go on with `count` threads until work takes another time than usual, or `longest` seconds are over."""
        begin, recent = self._worked, list[float]()
        while (passed := self._worked - begin) < longest:
            recent = [*recent[1 - _RECENT :], (yield count)]
            middle = sorted(recent)[len(recent) // 2]
            changed = not _QUICKER * usual <= middle <= _SLOWER * usual
            if changed and len(recent) == _RECENT and passed >= least:
                return
