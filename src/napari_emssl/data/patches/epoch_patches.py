"""Training patches in true epochs: each image once in a pass, in random order, each time another crop inside it."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import torch
from torch import Tensor

from .corruption import turn
from .labelled import LabelledBatch, LabelledPlane, cut, resize_image, resize_labels

_RESIZE = (0.7, 1.4)
"""Least and most edge of a crop, in patches; half of all crops are resized. The paper gives no range."""
_NOISE = 0.06
"""Most Gaussian noise, sigma, in units of the scaled image. The paper gives no strength."""


class EpochPatches:
    """Batches of whole passes over planes with their targets, labels or intensities; a pass may end in a smaller batch.

    Parameters
    ----------
    planes
        Scaled planes with core labels ``(h, w)``, or with intensities ``(f h, f w)``.
    patch
        Edge of a patch, pixels. Smaller planes are padded: images by reflection, labels by unpainted pixels.
    seed
        With the step it decides a batch wholly.
    augment
        Flip and turn, resize by 0.7 to 1.4 as far as the plane reaches, and add noise to the image.
    upscale
        f, how many times finer the grid of intensities is.
    visits
        How often a pass shows each plane.

    """

    def __init__(
        self,
        planes: Sequence[LabelledPlane],
        patch: int,
        seed: int = 0,
        augment: bool = True,
        upscale: int = 1,
        visits: int = 1,
    ) -> None:
        self._planes, self._patch, self._seed, self._visits = planes, patch, seed, visits
        self._augment, self._upscale = augment, upscale
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def batch(self, step: int, size: int) -> LabelledBatch:
        """Return images ``(n, 1, patch, patch)`` float32 and their targets, n at most `size`.

        Targets are ``(n, patch, patch)`` int64 for labels and ``(n, 1, f patch, f patch)`` float32 for intensities.
        """
        count = self._visits * len(self._planes)
        epoch, place = divmod(step, ceil(count / size))
        if epoch != self._epoch:
            self._order = np.random.default_rng((self._seed, 0, epoch)).permutation(count)
            self._epoch = epoch
        pairs = [self._draw(int(n), epoch) for n in self._order[place * size : (place + 1) * size]]
        images, targets = (torch.stack(side) for side in zip(*pairs, strict=True))
        return images, targets

    def _draw(self, number: int, epoch: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self._seed, 1, epoch, number))
        plane = self._planes[number % len(self._planes)]
        edge = self._edge(min(plane.image.shape), rng)
        corner = [int(rng.integers(max(length - edge, 0) + 1)) for length in plane.image.shape]
        code = int(rng.integers(8)) if self._augment else 0
        image = torch.from_numpy(cut(plane.image, corner, edge, fill="reflect"))[None]
        image = turn(resize_image(image, self._patch), code).contiguous()
        target = self._target(plane, corner, edge)
        if self._augment:
            sigma = _NOISE * float(rng.random()) ** 2
            image = image + sigma * torch.from_numpy(rng.standard_normal(tuple(image.shape), dtype=np.float32))
        return image, turn(target, code).contiguous()

    def _edge(self, room: int, rng: np.random.Generator) -> int:
        """Edge of what is cut, pixels of the plane: inside it, unless it is smaller than a patch."""
        if not self._augment or rng.random() < 0.5:
            return self._patch
        low, high = (self._patch * factor for factor in _RESIZE)
        return round(float(np.exp(rng.uniform(np.log(low), np.log(min(high, max(room, self._patch)))))))

    def _target(self, plane: LabelledPlane, corner: Sequence[int], edge: int) -> Tensor:
        if plane.target.dtype.kind in "iu":
            labels = torch.from_numpy(cut(plane.target, corner, edge, fill="zero").astype(np.int64))
            return resize_labels(labels, self._patch)
        fine = [at * self._upscale for at in corner]
        intensities = torch.from_numpy(cut(plane.target, fine, edge * self._upscale, fill="reflect"))[None]
        return resize_image(intensities, self._patch * self._upscale)
