"""Collages to learn from, made ahead of the training by a thread or by processes; their number decides all of them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ....data.datasets.plane_stores import PlaneStore
from ....data.patches.loader import Positions, by_processes
from ....errors import UserError
from ....simulation.collage.collage import Collage, CollageMaker
from ....simulation.collage.settings import CollageSettings
from ....simulation.collage.textures import Textures
from ..data import PretrainingData
from .episodes import Episode, EpisodeBatch, batch_of, draw_episode

_MOST_TEXTURES = 512
"""Micrographs that collages are cut from; each takes up to 4 MB in every process that makes collages."""
_LEAST_EDGE_PX = 64
_HELD_OUT, _FIRST_HELD_OUT = 64, 10**9
"""Collages that are validated on, and the number of the first: no training gets that far."""
_AHEAD = 3
"""Batches that the thread keeps ready."""
_GAIN, _OFFSET = 0.3, 0.15
"""Spread of the logarithm of contrast, and of brightness: how an image is scaled depends on what else it shows."""


class CollageBatch(NamedTuple):
    """Some collages, what is to be told on them, and what counts as painted."""

    images: Tensor
    """``(b, 1, h, w)`` float32."""
    objects: Tensor
    """``(b, h, w)`` bool: whether a pixel belongs to an object of any kind."""
    episodes: EpisodeBatch
    """What is painted on each collage."""


class CollageBatches(Dataset[CollageBatch]):
    """Batches of collages by the list of their numbers; micrographs are read when the first batch is made.

    Parameters
    ----------
    store, planes
        Micrographs, and the numbers of those to cut from; at most 512 are drawn by the seed.
    size_px
        Edge of a collage, pixels.
    seed
        Decides, with its number, everything about a collage.
    augment
        Whether contrast and brightness change.
    views
        How many numbers in a row show the same collage; each is turned in its own way.

    Raises
    ------
    UserError
        When no micrograph is large enough.

    """

    def __init__(
        self,
        store: PlaneStore,
        planes: NDArray[np.int64],
        size_px: int,
        seed: int,
        augment: bool = True,
        views: int = 1,
    ) -> None:
        large = planes[store.shapes[planes].min(axis=1) >= _LEAST_EDGE_PX]
        if not len(large):
            raise UserError(
                f"Collages need micrographs of at least {_LEAST_EDGE_PX} x {_LEAST_EDGE_PX} px. Give larger images."
            )
        drawn = np.random.default_rng((seed, 3)).permutation(len(large))[:_MOST_TEXTURES]
        self._store, self._planes = store, large[np.sort(drawn)]
        self._settings, self._seed, self._augment, self._views = CollageSettings(size_px=size_px), seed, augment, views
        self._maker: CollageMaker | None = None

    def __getitem__(self, numbers: list[int]) -> CollageBatch:
        if self._maker is None:
            self._maker = CollageMaker(Textures(self._readable()), self._settings, self._seed)
        collages = {base: self._maker(base) for base in {number // self._views for number in numbers}}
        made = [self._varied(collages[number // self._views], number) for number in numbers]
        return CollageBatch(
            torch.stack([collage.image for collage in made])[:, None],
            torch.stack([collage.kinds > 0 for collage in made]),
            batch_of([self._episode(*one) for one in zip(made, numbers, strict=True)], made[0].image.numel()),
        )

    def _readable(self) -> Iterator[NDArray[np.number]]:
        """Yield the micrographs, damaged ones left out."""
        for number in self._planes:
            try:
                yield self._store.read(int(number))
            except UserError:
                continue  # it is reported where patches are read from it

    def _varied(self, collage: Collage, number: int) -> Collage:
        """Return the collage with another contrast and brightness, and turned where it is shown several times."""
        if not self._augment:
            return collage
        rng = np.random.default_rng((self._seed, 4, number))
        gain, offset = float(np.exp(rng.uniform(-_GAIN, _GAIN))), float(rng.uniform(-_OFFSET, _OFFSET))
        varied = Collage((collage.image - 0.5) * gain + 0.5 + offset, collage.kinds, collage.numbers)
        return varied if self._views == 1 else varied.turned(int(rng.integers(4)), bool(rng.random() < 0.5))

    def _episode(self, collage: Collage, number: int) -> Episode | None:
        return draw_episode(collage, np.random.default_rng((self._seed, 5, number)))

    def stream(self, first: int, batch_size: int, share: slice, workers: int) -> Iterator[CollageBatch]:
        """Yield the batches of a run in order, made ahead.

        Parameters
        ----------
        first
            The first step.
        batch_size
            Collages in a batch, over all processes that train.
        share
            Which of each batch are made; of several processes that train each makes its own.
        workers
            Processes that make collages; 0 for a thread.

        """
        positions = Positions(first, batch_size, share)
        return by_processes(self, positions, workers) if workers else self._by_thread(positions)

    def _by_thread(self, positions: Positions) -> Iterator[CollageBatch]:
        """Let a thread make batches; it ends when the iterator is closed."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="making collages")
        numbers = iter(positions)
        try:
            ahead: deque[Future[CollageBatch]] = deque(
                pool.submit(self.__getitem__, chosen) for chosen in islice(numbers, _AHEAD)
            )
            while True:
                yield ahead.popleft().result()
                ahead.append(pool.submit(self.__getitem__, next(numbers)))
        finally:
            pool.shutdown(cancel_futures=True)


def training_collages(data: PretrainingData) -> CollageBatches:
    """Return the collages that a pretraining learns from, cut from its training images.

    Raises
    ------
    UserError
        When no training image is large enough.

    """
    planes = data.catalog.planes_of(data.split.training)
    settings = data.settings
    return CollageBatches(data.catalog.store, planes, settings.patch, settings.seed, views=settings.collage_views)


def held_out_collages(data: PretrainingData) -> CollageBatch | None:
    """Return fixed collages of held-out images to validate on; None where no held-out image is large enough."""
    store, planes = data.catalog.store, data.catalog.planes_of(data.split.validation)
    if not len(planes) or store.shapes[planes].min(axis=1).max() < _LEAST_EDGE_PX:
        return None
    settings = data.settings
    made = CollageBatches(store, planes, settings.patch, settings.seed, augment=False)
    return made[list(range(_FIRST_HELD_OUT, _FIRST_HELD_OUT + _HELD_OUT))]
