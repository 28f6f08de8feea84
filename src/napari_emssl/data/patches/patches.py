"""Training patches: aligned random crops, and crops around painted pixels, with their flips, turns and resizing.

Every patch is a pure function of the seed and its position in the run, so a resumed run sees the patches that the
uninterrupted one would have seen, in the same order, however many processes read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from ...errors import UserError
from ..datasets.plane_stores import ImagePlanes, PlaneStore
from ..images.image import Image
from ..images.intensity_scaling import IntensityScaling, Levels
from .corruption import turn

T = TypeVar("T", bound=np.generic)

_ATTEMPTS = 100
"""Planes tried for one patch: that many damaged ones in a row mean that nearly all are."""
_RAMP = 0.1
"""Largest brightness ramp, from the middle of a patch to its border: illumination is seldom even."""
_PLACES = 20_000
"""Painted pixels kept of each class and plane: dense masks of many planes would fill the memory."""


def random_crop(plane: NDArray[T], size: int, rng: np.random.Generator) -> NDArray[T]:
    """Cut a square from a random place; a smaller plane is padded by reflection first.

    Parameters
    ----------
    plane
        ``(h, w)``.
    size
        Edge of the square, pixels.
    rng
        Draws the place.

    """
    plane = pad_to(plane, size)
    top = int(rng.integers(plane.shape[0] - size + 1))
    left = int(rng.integers(plane.shape[1] - size + 1))
    return plane[top : top + size, left : left + size]


def pad_to(plane: NDArray[T], size: int) -> NDArray[T]:
    """Pad ``(h, w)`` by reflection, evenly on both sides, until neither edge is below `size`."""
    missing = [max(0, size - edge) for edge in plane.shape]
    if not any(missing):
        return plane
    return np.pad(plane, [(lack // 2, lack - lack // 2) for lack in missing], mode="symmetric")


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
        self._patch, self._scaling, self._seed = patch, scaling, seed
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
        top, left = (int(rng.integers(max(edge, self._patch) - self._patch + 1)) for edge in (height, width))
        code = int(rng.integers(8))
        plane = self._kept.get(number)
        levels = self._known_levels(number)
        if plane is None and levels is not None and self._store.is_cheap(number) and height > self._patch:
            plane, top = self._store.read(number, top, top + self._patch), 0
        elif plane is None:
            plane = self._keep(number, self._store.read(number))
        if levels is None:
            levels = self._scaling.fit(plane)
            self._levels[number] = levels
        crop = pad_to(plane, self._patch)[top : top + self._patch, left : left + self._patch]
        return turn(torch.from_numpy(levels.to_unit(crop))[None], code).contiguous()

    def _known_levels(self, number: int) -> Levels | None:
        black, white = self._levels[number].tolist()
        return self._store.levels(number, self._scaling) if black != black else Levels(black, white)

    def _keep(self, number: int, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        """Keep a plane in memory if reading it again would take time and there is room."""
        if plane.nbytes <= self._room and not self._store.is_cheap(number):
            self._room -= plane.nbytes
            self._kept[number] = plane
        return plane


@dataclass(frozen=True)
class LabelledPlane:
    """A plane with its target: `image` ``(h, w)`` float32 scaled, `target` ``(h, w)`` of the same grid."""

    image: NDArray[np.float32]
    target: NDArray[Any]
    """Core labels uint8 (0 unpainted, 1 background, 2.. classes), or intensities float32, whose grid may be finer."""
    source: str = ""
    """The image it is a plane of; planes of one image stay together when images are held out."""


LabelledBatch = tuple[Tensor, Tensor]
"""Images ``(b, 1, patch, patch)`` float32 with the targets of their pixels."""


class LabelledPatches(Protocol):
    """Batches of patches, each wholly decided by the seed and the step."""

    def batch(self, step: int, size: int) -> LabelledBatch:
        """Return a batch of `size` patches for a step."""


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
        self._planes = list(planes)
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
        image, target = resize_pair(image, target, self._patch)
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


def cut(plane: NDArray[T], corner: Sequence[int], edge: int, fill: Literal["reflect", "zero"]) -> NDArray[T]:
    """Cut a square that may reach over the border.

    Parameters
    ----------
    plane
        ``(h, w)``.
    corner
        Row and column of the upper left pixel, negative beyond the border.
    edge
        Of the square, pixels.
    fill
        What lies beyond the border: ``reflect`` mirrors the plane, ``zero`` puts zeros.

    Returns
    -------
    numpy.ndarray
        ``(edge, edge)``, contiguous.

    """
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
    """Resize an image and its target to a square.

    Parameters
    ----------
    image
        ``(1, h, w)``, resized bilinearly and antialiased.
    target
        ``(h, w)`` int64; every pixel gets the nearest class.
    size
        Edge of the square, pixels.

    """
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
    grads = drawn(rng.uniform(-_RAMP, _RAMP, (count, 2, 1, 1)))
    ramp = grads[:, :1] * torch.linspace(-1, 1, height).view(-1, 1) + grads[:, 1:] * torch.linspace(-1, 1, width)
    sigma = drawn(0.06 * rng.random((count, 1, 1, 1)) ** 2)
    white = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32))
    return (images - 0.5) * gain + 0.5 + shift + ramp + sigma * white
