"""Training patches around painted pixels, with their flips, turns, resizing, contrast and noise.

Every batch is a pure function of the seed and the step, so a resumed run sees what the uninterrupted one would have
seen.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .corruption import turn
from .labelled import LabelledBatch, LabelledPlane, cut, resize_image, resize_labels

_RAMP = 0.1
"""Largest brightness ramp, from the middle of a patch to its border: illumination is seldom even."""
_PLACES = 20_000
"""Painted pixels kept of each class and plane: dense masks of many planes would fill the memory."""


class PaintedPatches:
    """Batches of patches around painted pixels: first a class at random, then a painted pixel of it.

    Parameters
    ----------
    planes
        Scaled planes with core targets (0 unpainted, 1 background, 2.. classes).
    patch
        Edge of a patch, pixels.
    seed
        With the step it decides a batch wholly.
    augment
        Flip and turn, resize by 0.7 to 1.4, change contrast, brightness and noise.

    """

    def __init__(self, planes: Sequence[LabelledPlane], patch: int, seed: int = 0, augment: bool = True) -> None:
        self._planes = planes
        self._patch, self._seed, self._augment = patch, seed, augment
        self._pixels = _pixels_by_class([item.target for item in planes])

    def batch(self, step: int, size: int) -> LabelledBatch:
        """Return images ``(size, 1, patch, patch)`` float32 and targets ``(size, patch, patch)`` int64."""
        rng = np.random.default_rng((self._seed, step))
        pairs = [self._draw(rng) for _ in range(size)]
        images = torch.stack([image for image, _ in pairs])
        targets = torch.stack([target for _, target in pairs])
        return (vary_intensity(images, rng) if self._augment else images), targets

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        places = self._pixels[int(rng.integers(len(self._pixels)))]
        number, row, column = places[int(rng.integers(len(places)))]
        item = self._planes[number]
        edge = self._patch
        if self._augment and rng.random() < 0.5:
            edge = round(edge * float(np.exp(rng.uniform(np.log(0.7), np.log(1.4)))))
        corner = [int(at - rng.integers(edge // 8, edge - edge // 8)) for at in (row, column)]
        image = torch.from_numpy(cut(item.image, corner, edge, fill="reflect"))[None]
        target = torch.from_numpy(cut(item.target, corner, edge, fill="zero").astype(np.int64))
        image, target = resize_image(image, self._patch), resize_labels(target, self._patch)
        code = int(rng.integers(8)) if self._augment else 0
        return turn(image, code), turn(target, code)


def _pixels_by_class(targets: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.int64]]:
    """For each painted class places ``(k, 3)``: plane number, row, column; at most `_PLACES` of each plane."""
    found: dict[int, list[NDArray[np.int64]]] = {}
    for number, target in enumerate(targets):
        for value in np.unique(target[target > 0]):
            flat = np.flatnonzero(target == value)
            if len(flat) > _PLACES:
                flat = np.random.default_rng(number).choice(flat, _PLACES, replace=False)
            rows, columns = np.unravel_index(flat, target.shape)
            places = np.stack([np.full_like(rows, number), rows, columns], axis=1)
            found.setdefault(int(value), []).append(places)
    return [np.concatenate(found[value]) for value in sorted(found)]


def vary_intensity(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Change each of ``(b, 1, h, w)``, scaled, as another field of view or detector setting would.

    Contrast by 0.75 to 1.33, brightness by +-0.15, a ramp of up to +-0.1 along each axis, noise of sigma up to 0.06.
    """
    count, _, height, width = images.shape

    def drawn(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32))

    gain = drawn(np.exp(rng.uniform(-0.29, 0.29, (count, 1, 1, 1))))
    shift = drawn(rng.uniform(-0.15, 0.15, (count, 1, 1, 1)))
    grads = drawn(rng.uniform(-_RAMP, _RAMP, (count, 2, 1, 1)))
    ramp = grads[:, :1] * torch.linspace(-1, 1, height).view(-1, 1) + grads[:, 1:] * torch.linspace(-1, 1, width)
    sigma = drawn(0.06 * rng.random((count, 1, 1, 1)) ** 2)
    white = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32))
    return (images - 0.5) * gain + 0.5 + shift + ramp + sigma * white
