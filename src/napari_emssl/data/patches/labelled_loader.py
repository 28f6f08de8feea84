"""Batches of labelled patches made ahead, so that no step of a fine-tuning waits for one."""

import time
from collections.abc import Iterator

from torch.utils.data import Dataset

from .labelled import LabelledBatch, LabelledPatches
from .loader import Positions, by_processes, by_thread


class LabelledLoader:
    """Makes the batches of steps ahead, in a thread or in processes; the same batches, whichever makes them.

    Parameters
    ----------
    patches
        What batches are made of.
    batch_size
        Patches in a batch.
    workers
        Processes that make batches; 0 for a thread.

    """

    def __init__(self, patches: LabelledPatches, batch_size: int, workers: int = 0) -> None:
        self._batches_at, self._workers = _LabelledBatches(patches, batch_size), workers
        self._stream: Iterator[LabelledBatch] | None = None
        self.waited_seconds = 0.0
        """Time that `batches` kept its caller waiting, the first batch left out."""
        self.batches_made = 0

    def batches(self, first: int) -> Iterator[LabelledBatch]:
        """Yield the batch of each step from `first` on.

        Raises
        ------
        UserError
            When an image cannot be read, or a process died.

        """
        self.close()
        steps = Positions(first, batch_size=1)
        self._stream = (
            by_processes(self._batches_at, steps, self._workers)
            if self._workers
            else by_thread(self._batches_at, steps, _pinned)
        )
        while True:
            mark = time.monotonic()
            batch = next(self._stream)
            if self.batches_made:
                self.waited_seconds += time.monotonic() - mark
            self.batches_made += 1
            yield batch

    def close(self) -> None:
        """End the thread or the processes; `batches` can be called again."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()  # type: ignore[attr-defined]


class _LabelledBatches(Dataset[LabelledBatch]):
    """Batches by the list of their one step."""

    def __init__(self, patches: LabelledPatches, size: int) -> None:
        self._patches, self._size = patches, size

    def __getitem__(self, steps: list[int]) -> LabelledBatch:
        return self._patches.batch(steps[0], self._size)


def _pinned(batch: LabelledBatch) -> LabelledBatch:
    images, targets = batch
    return images.pin_memory(), targets.pin_memory()
