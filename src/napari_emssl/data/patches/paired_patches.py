"""Training patches of image pairs: what was recorded, and what it should have been."""

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
import torch
from torch import Tensor

from .corruption import turn
from .labelled import LabelledBatch, LabelledPlane, cut

_GAIN, _SHIFT = 0.25, 0.08
"""Logarithm of the largest change of contrast, and the largest change of brightness."""


class PairPlanes(Sequence[LabelledPlane]):
    """Pairs that are read when they are asked for, and kept while there is room.

    Parameters
    ----------
    readers
        Each reads and scales one pair.
    room
        Bytes that kept pairs may fill.

    """

    def __init__(self, readers: Sequence[Callable[[], LabelledPlane]], room: int = 3 * 2**30) -> None:
        self._readers, self._room = readers, room
        self._kept: dict[int, LabelledPlane] = {}

    def __len__(self) -> int:
        return len(self._readers)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_kept": {}}  # a process that reads need not be sent what this one has read

    @overload
    def __getitem__(self, number: int) -> LabelledPlane: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[LabelledPlane]: ...
    def __getitem__(self, number: int | slice) -> LabelledPlane | Sequence[LabelledPlane]:
        if isinstance(number, slice):
            return PairPlanes(self._readers[number], self._room)
        place = range(len(self))[number]
        if place in self._kept:
            return self._kept[place]
        pair = self._readers[place]()
        size = pair.image.nbytes + pair.target.nbytes
        if size <= self._room:
            self._room -= size
            self._kept[place] = pair
        return pair


class PairPatches:
    """Batches of aligned patches of image pairs.

    Parameters
    ----------
    planes
        Scaled pairs; a target ``(f h, f w)`` belongs to an image ``(h, w)``.
    patch
        Edge of a patch of the image, pixels.
    seed
        With the step it decides a batch wholly.
    augment
        Flip and turn, and change contrast and brightness of image and target alike.
    upscale
        f, how many times finer the targets' grid is.
    shared_zero
        Whether 0 means the same in image and target; otherwise only the image's brightness is changed.

    """

    def __init__(
        self,
        planes: Sequence[LabelledPlane],
        patch: int,
        seed: int = 0,
        augment: bool = True,
        upscale: int = 1,
        shared_zero: bool = True,
    ) -> None:
        self._planes, self._patch, self._seed, self._augment = planes, patch, seed, augment
        self._upscale, self._shared_zero = upscale, shared_zero

    def batch(self, step: int, size: int) -> LabelledBatch:
        """Return images ``(size, 1, patch, patch)`` and targets ``(size, 1, f patch, f patch)``, float32."""
        rng = np.random.default_rng((self._seed, step))
        pairs = [self._draw(rng) for _ in range(size)]
        images, targets = (torch.stack(side) for side in zip(*pairs, strict=True))
        return self._vary(images, targets, rng) if self._augment else (images, targets)

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        pair = self._planes[int(rng.integers(len(self._planes)))]
        room = [max(length - self._patch, 0) for length in pair.image.shape]
        corner = [int(rng.integers(most + 1)) for most in room]
        code = int(rng.integers(8)) if self._augment else 0
        image = cut(pair.image, corner, self._patch, fill="reflect")
        fine = [at * self._upscale for at in corner]
        target = cut(pair.target, fine, self._patch * self._upscale, fill="reflect")
        turned = (turn(torch.from_numpy(side)[None], code).contiguous() for side in (image, target))
        return next(turned), next(turned)

    def _vary(self, images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        shape = (len(images), 1, 1, 1)
        gain = torch.from_numpy(np.exp(rng.uniform(-_GAIN, _GAIN, shape)).astype(np.float32))
        shift = torch.from_numpy(rng.uniform(-_SHIFT, _SHIFT, shape).astype(np.float32))
        return images * gain + shift, targets * gain + (shift if self._shared_zero else 0.0)
