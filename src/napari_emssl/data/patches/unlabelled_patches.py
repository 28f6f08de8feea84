"""Patches of unlabelled images: random crops of many planes, flipped and turned, in an endless stream of epochs.

Every patch is a pure function of the seed and its position in the stream, so a resumed run sees the patches that the
uninterrupted one would have seen, in the same order, however many processes read them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ...errors import UserError
from ..datasets.plane_stores import ImagePlanes, PlaneStore
from ..images.image import Image
from ..images.intensity_scaling import IntensityScaling, Levels
from .corruption import turn

T = TypeVar("T", bound=np.generic)

_ATTEMPTS = 100
"""Planes tried for one patch: that many damaged ones in a row mean that nearly all are."""


class Drawn(NamedTuple):
    """A patch and what was in the way of it."""

    patch: Tensor
    """``(1, patch, patch)``, float32."""
    damaged: tuple[int, ...]
    """Numbers of the planes that could not be read, and were passed over."""


class UnlabelledPatches(Dataset[Tensor]):
    """Random patches of many planes, addressed by position in an endless stream of shuffled epochs.

    An epoch visits every plane as often as whole patches fit into its area (a tile of patch size or less: once).
    Item k is the tensor ``(1, patch, patch)``, float32, scaled, flipped and turned at random. In place of a plane
    that cannot be read another one is drawn; which one follows from seed and position, too.

    Parameters
    ----------
    images
        Images whose planes are drawn from, or a store of planes.
    patch
        Edge of a patch, pixels.
    scaling
        Fitted to every whole plane.
    seed
        Decides order, places, flips and turns.
    cache_bytes
        Planes that take time to read are kept in memory until they fill this much.
    visits
        How often an epoch visits a plane.
    planes
        Numbers of the planes of the store to draw from; all by default.

    """

    def __init__(
        self,
        images: Sequence[Image] | PlaneStore,
        patch: int,
        scaling: IntensityScaling,
        seed: int = 0,
        cache_bytes: int = 2**31,
        visits: Literal["by-area", "once"] = "by-area",
        planes: NDArray[np.int64] | None = None,
    ) -> None:
        self._store = ImagePlanes(images) if isinstance(images, Sequence) else images
        self._shapes = self._store.shapes
        self.patch, self._scaling, self._seed = patch, scaling, seed
        self._room = cache_bytes
        self._epoch, self._permutation = -1, np.empty(0, np.int64)
        self._kept: dict[int, NDArray[np.generic]] = {}
        self._levels = np.full((len(self._shapes), 2), np.nan)
        chosen = np.arange(len(self._shapes)) if planes is None else np.asarray(planes, np.int64)
        areas = self._shapes[chosen].prod(axis=1) // patch**2
        self._visits = np.repeat(chosen, np.maximum(1, areas) if visits == "by-area" else 1)

    def __len__(self) -> int:
        """Patches in one epoch."""
        return len(self._visits)

    def __getitem__(self, position: int) -> Tensor:
        return self.draw(position).patch

    def draw(self, position: int) -> Drawn:
        """Return the patch at a position of the stream, and the damaged planes met on the way to it.

        Raises
        ------
        UserError
            If hardly any plane can be read.
        """
        epoch, index = divmod(position, len(self))
        number = int(self._visits[self._order(epoch)[index]])
        damaged: list[int] = []
        for attempt in range(_ATTEMPTS):
            key = (self._seed, 1, position) if attempt == 0 else (self._seed, 2, position, attempt)
            rng = np.random.default_rng(key)
            if attempt:
                number = int(self._visits[rng.integers(len(self))])
            try:
                return Drawn(self._cut(number, rng), tuple(damaged))
            except UserError as error:
                damaged.append(number)
                reason = error
        raise UserError(f"Hardly any image can be read. {reason}")

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Permutation of one epoch; only the latest is kept."""
        if self._epoch != epoch:
            self._epoch = epoch
            self._permutation = np.random.default_rng((self._seed, 0, epoch)).permutation(len(self))
        return self._permutation

    def _cut(self, number: int, rng: np.random.Generator) -> Tensor:
        """Read, cut, flip, turn and scale; of large planes whose levels are known only the rows needed are read."""
        height, width = self._shapes[number].tolist()
        top, left = (int(rng.integers(max(edge, self.patch) - self.patch + 1)) for edge in (height, width))
        code = int(rng.integers(8))
        plane = self._kept.get(number)
        levels = self._known_levels(number)
        if plane is None and levels is not None and self._store.is_cheap(number) and height > self.patch:
            plane, top = self._store.read(number, top, top + self.patch), 0
        elif plane is None:
            plane = self._keep(number, self._store.read(number))
        if levels is None:
            levels = self._scaling.fit(plane)
            self._levels[number] = levels
        crop = pad_to(plane, self.patch)[top : top + self.patch, left : left + self.patch]
        return turn(torch.from_numpy(levels.to_unit(crop))[None], code)

    def _known_levels(self, number: int) -> Levels | None:
        black, white = self._levels[number].tolist()
        return self._store.levels(number, self._scaling) if black != black else Levels(black, white)

    def _keep(self, number: int, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        """Keep a plane in memory if reading it again would take time and there is room."""
        if plane.nbytes <= self._room and not self._store.is_cheap(number):
            self._room -= plane.nbytes
            self._kept[number] = plane
        return plane


def pad_to(plane: NDArray[T], size: int) -> NDArray[T]:
    """Pad ``(h, w)`` by reflection, evenly on both sides, until neither edge is below `size`."""
    missing = [max(0, size - edge) for edge in plane.shape]
    if not any(missing):
        return plane
    return np.pad(plane, [(lack // 2, lack - lack // 2) for lack in missing], mode="symmetric")
