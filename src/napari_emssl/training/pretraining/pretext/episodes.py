"""Episodes: on a collage a few objects count as painted, and all other pixels are to be told from them.

What a user will do with the generator is what it is trained for: some objects of one kind, or of several, are painted
with a little of the ground around them, and every other object of these kinds is to be found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....simulation.collage.collage import Collage

_MOST_PAINTED = 5
"""Objects of a kind that are painted at the most."""
_RING_PX = 3
_DAB_RADIUS_PX = 6
_LEAST_PIXELS = 4
_CARELESS, _SLOPPY, _HASTY = 0.25, 0.3, 0.25
"""Shares of the rings that run over neighbours, of the objects painted a pixel beside their outline, and of those that
are painted in part."""
_LARGE_PX = 60
"""Mean area from which a pixel more or less around an object leaves it recognisable."""
_KEYS = 48
"""Painted pixels of each class that attention goes over."""


@dataclass(frozen=True)
class Episode:
    """What is painted on a picture, and the answer."""

    keys: tuple[Tensor, ...]
    """For each class the flat indices of `_KEYS` painted pixels; class 0 is the ground."""
    target: Tensor
    """``(h * w,)`` int64: the class of each pixel."""
    drawn: int
    """The class whose mask the mask decoder is to draw."""


class EpisodeBatch(NamedTuple):
    """Episodes of several pictures, as many classes for all of them."""

    keys: Tensor
    """``(b, classes, keys)`` int64: flat indices of painted pixels; what a picture has no class for is 0."""
    counts: Tensor
    """``(b,)`` int64: classes of each picture, the ground included; 0 where nothing could be painted."""
    target: Tensor
    """``(b, h * w)`` uint8: the class of each pixel."""
    drawn: Tensor
    """``(b,)`` int64: the class whose mask is to be drawn, from 1."""

    def to(self, device: torch.device) -> "EpisodeBatch":
        """Return the episodes on a device."""
        return EpisodeBatch(*(tensor.to(device, non_blocking=True) for tensor in self))


def batch_of(episodes: Sequence[Episode | None], pixels: int) -> EpisodeBatch:
    """Return episodes as one batch.

    Parameters
    ----------
    episodes
        One for each picture, or None where nothing could be painted.
    pixels
        Of each picture.

    """
    counts = torch.tensor([0 if one is None else len(one.keys) for one in episodes])
    keys = torch.zeros(len(episodes), max(2, int(counts.max())), _KEYS, dtype=torch.int64)
    target = torch.zeros(len(episodes), pixels, dtype=torch.uint8)
    for number, one in enumerate(episodes):
        if one is not None:
            keys[number, : len(one.keys)] = torch.stack(one.keys)
            target[number] = one.target.to(torch.uint8)
    drawn = torch.tensor([1 if one is None else one.drawn for one in episodes])
    return EpisodeBatch(keys, counts, target, drawn)


def draw_episode(collage: Collage, rng: np.random.Generator) -> Episode | None:
    """Paint some objects of a collage; None where it shows nothing that could be painted.

    Parameters
    ----------
    collage
        One picture with its truth.
    rng
        Decides which kinds are meant and which of their objects are painted.

    """
    kinds, numbers = (part.cpu().numpy() for part in (collage.kinds, collage.numbers))
    there = [int(kind) for kind in np.unique(kinds) if kind and (kinds == kind).mean() < 0.9]
    if not there:
        return None
    count = 1 if len(there) == 1 or rng.random() < 0.7 else int(rng.integers(2, len(there) + 1))
    meant = [int(kind) for kind in rng.permutation(there)[:count]]
    target = np.zeros(kinds.shape, np.int64)
    for label, kind in enumerate(meant, 1):
        target[kinds == kind] = label
    painted = [_paint(target == label, numbers, rng) for label in range(1, count + 1)]
    ground = _ground(painted, target, rng)
    masks = [np.flatnonzero(mask) for mask in (ground, *painted)]
    if min(map(len, masks)) < _LEAST_PIXELS:
        return None
    keys = tuple(torch.from_numpy(rng.choice(mask, _KEYS, replace=len(mask) < _KEYS)) for mask in masks)
    return Episode(keys, torch.from_numpy(target.reshape(-1)), int(rng.integers(1, count + 1)))


def _paint(mask: NDArray[np.bool_], numbers: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Paint some objects of one class: whole, or only a part of each as a hasty stroke does."""
    found, sizes = np.unique(numbers[mask], return_counts=True)
    large = found[sizes >= min(12, sizes.max())]
    chosen = rng.permutation(large)[: int(rng.integers(1, _MOST_PAINTED + 1))]
    painted = mask & np.isin(numbers, chosen)
    if painted.sum() >= _LARGE_PX * len(chosen) and rng.random() < _SLOPPY:
        painted = _sloppy(painted, rng)
    return _hasty(painted, rng) if rng.random() < _HASTY else painted


def _hasty(painted: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Keep only dabs of what is painted, as hasty strokes leave."""
    rows, columns = np.nonzero(painted)
    kept = np.zeros_like(painted)
    y, x = np.ogrid[: painted.shape[0], : painted.shape[1]]
    for place in rng.integers(len(rows), size=3):
        kept |= (y - rows[place]) ** 2 + (x - columns[place]) ** 2 <= rng.uniform(2, 12) ** 2
    return kept & painted


def _ground(painted: list[NDArray[np.bool_]], target: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Paint a ring around the painted objects, and some dabs on the ground.

    A ring that is drawn without looking runs over neighbours; some do here, so that this does no harm in use.
    """
    from scipy import ndimage

    objects, ground = np.logical_or.reduce(painted), target == 0
    around = ndimage.binary_dilation(objects, iterations=_RING_PX) & ~objects
    found: NDArray[np.bool_] = around if rng.random() < _CARELESS else around & ground
    rows, columns = np.nonzero(ground)
    y, x = np.ogrid[: ground.shape[0], : ground.shape[1]]
    for _ in range(int(rng.integers(0, 6)) if len(rows) else 0):
        place = rng.integers(len(rows))
        found |= ((y - rows[place]) ** 2 + (x - columns[place]) ** 2 <= _DAB_RADIUS_PX**2) & ground
    return found


def _sloppy(painted: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Let the paint end a pixel beside the outline: too wide more often than too narrow, as strokes are."""
    from scipy import ndimage

    wide = rng.random() < 0.7
    shifted: NDArray[np.bool_] = (
        ndimage.binary_dilation(painted) if wide else ndimage.binary_erosion(painted, border_value=1)
    )
    return shifted
