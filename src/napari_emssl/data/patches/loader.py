"""Batches of patches, read ahead of the training: by a thread, or by processes that share nothing but the files."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...errors import UserError
from ..read_ahead import made_ahead
from .unlabelled_patches import UnlabelledPatches

T = TypeVar("T")

_AHEAD = 3
"""Batches that the thread keeps ready."""
_END_SECONDS = 10.0
"""A batch is read in less; what takes longer at the end of a training hangs."""
_SAFE_PATH = "PYTHONSAFEPATH"
"""What `multiprocessing` starts inherits this; it takes no `-P` of ours."""
_ALL = slice(None)


@dataclass(frozen=True)
class Batch:
    """Patches ``(b, 1, patch, patch)``, the damaged planes met, and why there are none, if so."""

    patches: Tensor
    damaged: tuple[int, ...] = ()
    problem: str = ""

    def pin_memory(self) -> "Batch":
        """Return the batch in memory from which a GPU copies while it computes."""
        return self if self.problem else Batch(self.patches.pin_memory(), self.damaged)


class Positions:
    """Positions of the patches of each batch, from step `first` on, until it is `over`.

    Parameters
    ----------
    first
        The first step.
    batch_size
        Patches in a batch.
    share
        Which patches of each batch are read; of several processes that train each reads its own.

    """

    def __init__(self, first: int, batch_size: int, share: slice = _ALL) -> None:
        self._first, self._batch_size, self._share = first, batch_size, share
        self.over = False
        """Set to end the iteration."""

    def __iter__(self) -> Iterator[list[int]]:
        for step in count(self._first):
            if self.over:
                return
            start = step * self._batch_size
            yield list(range(start, start + self._batch_size))[self._share]


class BatchLoader:
    """Reads batches ahead, and knows how long the training waited and which planes are damaged.

    Parameters
    ----------
    patches
        What to read.
    batch_size
        Patches in a batch, over all processes that train.
    workers
        Processes that read; 0 for a thread.
    share
        Which patches of each batch are read, see `Positions`.

    """

    def __init__(self, patches: UnlabelledPatches, batch_size: int, workers: int = 0, share: slice = _ALL) -> None:
        self._patches, self._workers = patches, workers
        self._batch_size, self._share = batch_size, share
        self._stream: Iterator[Batch] | None = None
        self.damaged: set[int] = set()
        """Numbers of the planes that could not be read so far."""
        self.waited_seconds = 0.0
        """Time that `batches` kept its caller waiting, the first batch left out."""
        self.batches_read = 0

    @property
    def patches_per_epoch(self) -> int:
        """Patches in one pass over the images."""
        return len(self._patches)

    def batches(self, first: int) -> Iterator[Tensor]:
        """Yield the patches ``(b, 1, patch, patch)`` of each step from `first` on, pinned where there is CUDA.

        Raises
        ------
        UserError
            If hardly any plane can be read, or a reading process died.

        """
        self.close()
        positions = Positions(first, self._batch_size, self._share)
        self._stream = (
            by_processes(_Batches(self._patches), positions, self._workers)
            if self._workers
            else by_thread(_Batches(self._patches, pinned=torch.cuda.is_available()), positions)
        )
        while True:
            mark = time.monotonic()
            batch = next(self._stream)
            if self.batches_read:
                self.waited_seconds += time.monotonic() - mark
            self.batches_read += 1
            if batch.problem:
                raise UserError(batch.problem)
            self.damaged.update(batch.damaged)
            yield batch.patches

    def close(self) -> None:
        """End the thread or the processes; `batches` can be called again."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()  # type: ignore[attr-defined]


class _Batches(Dataset[Batch]):
    """Batches by the list of their positions; `pinned` ones lie where a GPU copies from while it computes."""

    def __init__(self, patches: UnlabelledPatches, pinned: bool = False) -> None:
        self._patches, self._pinned = patches, pinned

    def __getitem__(self, positions: list[int]) -> Batch:
        edge = self._patches.patch
        patches = torch.empty(len(positions), 1, edge, edge, pin_memory=self._pinned)
        damaged: set[int] = set()
        try:
            for place, position in zip(patches, positions, strict=True):
                drawn = self._patches.draw(position)
                place.copy_(drawn.patch)
                damaged.update(drawn.damaged)
        except UserError as error:
            return Batch(torch.empty(0), problem=str(error))
        return Batch(patches, tuple(sorted(damaged)))


def _as_it_is(batch: T) -> T:
    return batch


def by_processes(batches_at: Dataset[T], positions: Positions, workers: int) -> Iterator[T]:
    """Let processes make batches, in order; they end when the iterator is closed.

    Parameters
    ----------
    batches_at
        Gives the batch of a list of positions; it is pickled once for each process.
    positions
        Those of each batch.
    workers
        Number of processes.

    Yields
    ------
    T
        The batches, pinned where there is CUDA.

    Raises
    ------
    UserError
        When a process died.

    """
    loader = DataLoader(
        batches_at,
        batch_size=None,
        sampler=positions,
        num_workers=workers,
        collate_fn=_as_it_is,
        multiprocessing_context="spawn",
        worker_init_fn=_begin_reading,
        prefetch_factor=2,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # its own: that of torch belongs to the training
    )
    before = set(multiprocessing.active_children())
    with _safe_path():
        batches = iter(loader)
    try:
        while True:
            yield next(batches)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError("A process that reads images died; memory may be full. Use fewer --workers.") from error
    finally:
        positions.over = True
        ending = threading.Thread(target=_drain, args=(batches,), name="ending readers", daemon=True)
        ending.start()
        ending.join(_END_SECONDS)
        if ending.is_alive():
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()


def _drain(batches: Iterator[T]) -> None:
    """Take what is still on its way: a process that ends while it passes on a batch aborts."""
    with suppress(RuntimeError):
        for _ in batches:
            continue


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let processes that are started now take no module from the current folder, whatever files are called there."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        os.environ.pop(_SAFE_PATH)
        if before is not None:
            os.environ[_SAFE_PATH] = before


def _begin_reading(_worker: int) -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the training, and end when that is killed.

    PyTorch asks now and then whether the parent has changed, but only from here on: the parent of a process that was
    still loading its modules when the training died would be taken for the right one, and it would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="following the training", daemon=True).start()


def _end_with_parent() -> None:
    """Wait until the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def by_thread(batches_at: Dataset[T], positions: Positions, pinned: Callable[[T], T] | None = None) -> Iterator[T]:
    """Let a thread make batches, in order; it ends when the iterator is closed.

    Parameters
    ----------
    batches_at
        Gives the batch of a list of positions.
    positions
        Those of each batch.
    pinned
        Moves a batch to memory from which a GPU copies while it computes; called where there is CUDA. None: they are
        made there.

    Returns
    -------
    Iterator
        The batches; what making one raises is raised here.

    """
    if pinned is None or not torch.cuda.is_available():
        return made_ahead(batches_at.__getitem__, positions, _AHEAD, "reading patches")
    return made_ahead(lambda batch: pinned(batches_at[batch]), positions, _AHEAD, "reading patches")
