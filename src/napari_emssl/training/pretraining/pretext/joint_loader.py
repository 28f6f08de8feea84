"""Collages are made while patches are read beside them."""

import time
from collections.abc import Iterator
from itertools import repeat

from torch import Tensor

from ....data.patches.loader import BatchLoader
from ....jobs.pretrain_settings import PretrainSettings
from .collage_batches import CollageBatch, CollageBatches
from .task import PretextBatch


class JointLoader:
    """Makes collages ahead, and reads patches beside them where a task restores.

    Parameters
    ----------
    patches
        Reads the patches.
    collages
        Makes the collages.
    settings
        Pretext tasks, batch size and the number of processes.
    share
        Which of each batch are this process's.

    """

    def __init__(
        self, patches: BatchLoader, collages: CollageBatches, settings: PretrainSettings, share: slice
    ) -> None:
        self._patches, self._collages, self._settings, self._share = patches, collages, settings, share
        self._made: Iterator[CollageBatch] | None = None
        self.waited_seconds, self.batches_read = 0.0, 0

    @property
    def damaged(self) -> set[int]:
        """Numbers of the planes that could not be read so far."""
        return self._patches.damaged

    def batches(self, first: int) -> Iterator[PretextBatch]:
        """Yield what each step from `first` on learns from."""
        self.close()
        settings = self._settings
        self._made = self._collages.stream(first, settings.batch_size, self._share, settings.workers)
        clean: Iterator[Tensor | None] = (
            self._patches.batches(first) if "restore" in settings.pretexts else repeat(None)
        )
        while True:
            mark = time.monotonic()
            batch = PretextBatch(next(clean), next(self._made))
            if self.batches_read:
                self.waited_seconds += time.monotonic() - mark
            self.batches_read += 1
            yield batch

    def close(self) -> None:
        """End the thread or the processes that make collages; `batches` can be called again."""
        made, self._made = self._made, None
        if made is not None:
            made.close()  # type: ignore[attr-defined]
