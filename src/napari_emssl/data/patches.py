"""Training patches: aligned random crops, and crops around painted pixels, with their flips, turns and resizing.

Every patch is a pure function of the seed and its position in the run, so a resumed run sees the patches that the
uninterrupted one would have seen, in the same order, however many processes read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from .corruption import turn
from .planes import Image
from .scaling import IntensityScaling, Levels

_RAMP = 0.1
"""Largest brightness ramp, from the middle of a patch to its border: illumination is seldom even."""
_PLACES = 20_000
"""Painted pixels kept of each class and plane: dense masks of many planes would fill the memory."""


def random_crop(plane: NDArray[Any], size: int, rng: np.random.Generator) -> NDArray[Any]:
    """Cut a ``(size, size)`` square from a random place; a smaller plane is padded by reflection first."""
    plane = pad_to(plane, size)
    top = int(rng.integers(plane.shape[0] - size + 1))
    left = int(rng.integers(plane.shape[1] - size + 1))
    return plane[top : top + size, left : left + size]


def pad_to(plane: NDArray[Any], size: int) -> NDArray[Any]:
    """Pad ``(h, w)`` by reflection, evenly on both sides, until neither edge is below `size`."""
    missing = [max(0, size - edge) for edge in plane.shape]
    if not any(missing):
        return plane
    return np.pad(plane, [(lack // 2, lack - lack // 2) for lack in missing], mode="symmetric")


class UnlabelledPatches(Dataset[Tensor]):
    """Random patches of many planes, addressed by position in an endless stream of shuffled epochs.

    An epoch visits every plane as often as whole patches fit into its area (a tile of patch size or less: once).
    Item k is the tensor ``(1, patch, patch)``, float32, scaled, flipped and turned at random.

    Parameters
    ----------
    images
        Images whose planes are drawn from.
    patch
        Edge of a patch, pixels.
    scaling
        Fitted to every whole plane.
    seed
        Decides order, places, flips and turns.
    cache_bytes
        Planes are kept in memory until they fill this much.
    visits
        How often an epoch visits a plane.

    """

    def __init__(
        self,
        images: Sequence[Image],
        patch: int,
        scaling: IntensityScaling,
        seed: int = 0,
        cache_bytes: int = 2**31,
        visits: Literal["by-area", "once"] = "by-area",
    ) -> None:
        self._images = list(images)
        self._patch, self._scaling, self._seed = patch, scaling, seed
        self._room = cache_bytes
        self._epoch, self._permutation = -1, np.empty(0, np.int64)
        self._cache: dict[tuple[int, int], NDArray[Any]] = {}
        self._levels: dict[tuple[int, int], Levels] = {}
        self._visits = [
            (number, index)
            for number, image in enumerate(self._images)
            for index in range(len(image))
            for _ in range(max(1, int(np.prod(image.plane_shape)) // patch**2) if visits == "by-area" else 1)
        ]

    def __len__(self) -> int:
        """Patches in one epoch."""
        return len(self._visits)

    def __getitem__(self, position: int) -> Tensor:
        epoch, index = divmod(position, len(self))
        key = self._visits[int(self._order(epoch)[index])]
        rng = np.random.default_rng((self._seed, 1, position))
        unit = self._unit_crop(key, rng)
        return turn(torch.from_numpy(unit)[None], int(rng.integers(8))).contiguous()

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Permutation of one epoch; only the latest is kept."""
        if self._epoch != epoch:
            self._epoch = epoch
            self._permutation = np.random.default_rng((self._seed, 0, epoch)).permutation(len(self))
        return self._permutation

    def _unit_crop(self, key: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
        plane = self._cache.get(key)
        if plane is None:
            plane = self._images[key[0]].plane(key[1])
            if plane.nbytes <= self._room:
                self._room -= plane.nbytes
                self._cache[key] = plane
        if key not in self._levels:
            self._levels[key] = self._scaling.fit(plane)
        return self._levels[key].to_unit(random_crop(plane, self._patch, rng))


@dataclass(frozen=True)
class Annotated:
    """A plane with its target: `image` ``(h, w)`` float32 scaled, `target` ``(h, w)`` of the same grid."""

    image: NDArray[np.float32]
    target: NDArray[Any]


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

    def __init__(self, planes: Sequence[Annotated], patch: int, seed: int = 0, augment: bool = True) -> None:
        self._planes = list(planes)
        self._patch, self._seed, self._augment = patch, seed, augment
        self._pixels = _pixels_by_class([item.target for item in planes])

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
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
        image, target = resize_pair(image, target, self._patch)
        code = int(rng.integers(8)) if self._augment else 0
        return turn(image, code), turn(target, code)


def _pixels_by_class(targets: Sequence[NDArray[Any]]) -> list[NDArray[np.int64]]:
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


def cut(plane: NDArray[Any], corner: Sequence[int], edge: int, fill: str) -> NDArray[Any]:
    """Cut a square that may reach over the border: there ``reflect`` mirrors the plane, ``zero`` puts zeros."""
    indices, inside = [], []
    for start, length in zip(corner, plane.shape, strict=True):
        index = np.arange(start, start + edge)
        inside.append((index >= 0) & (index < length))
        index = index % (2 * length)
        indices.append(np.minimum(index, 2 * length - 1 - index))
    square = plane[np.ix_(*indices)]
    if fill == "zero":
        square = np.where(np.outer(*inside), square, square.dtype.type(0))
    return np.ascontiguousarray(square)


def resize_pair(image: Tensor, target: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Resize image ``(1, h, w)`` (bilinear, antialiased) and target ``(h, w)`` (nearest) to `size` pixels square."""
    if image.shape[-1] == size:
        return image, target
    image = functional.interpolate(image[None], (size, size), mode="bilinear", antialias=True)[0]
    nearest = functional.interpolate(target[None, None].to(torch.float32), (size, size), mode="nearest-exact")
    return image, nearest[0, 0].to(torch.int64)


def vary_intensity(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Change each of ``(b, 1, h, w)``, scaled, as another field of view or detector setting would.

    Contrast by 0.75 to 1.33, brightness by +-0.15, a ramp of up to +-0.1 along each axis, noise of sigma up to 0.06.
    """
    count, _, height, width = images.shape

    def drawn(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32))

    gain = drawn(np.exp(rng.uniform(-0.29, 0.29, (count, 1, 1, 1))))
    shift = drawn(rng.uniform(-0.15, 0.15, (count, 1, 1, 1)))
    slopes = drawn(rng.uniform(-_RAMP, _RAMP, (count, 2, 1, 1)))
    ramp = slopes[:, :1] * torch.linspace(-1, 1, height).view(-1, 1) + slopes[:, 1:] * torch.linspace(-1, 1, width)
    sigma = drawn(0.06 * rng.random((count, 1, 1, 1)) ** 2)
    white = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32))
    return (images - 0.5) * gain + 0.5 + shift + ramp + sigma * white
