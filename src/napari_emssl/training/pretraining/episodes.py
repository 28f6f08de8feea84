"""Episodes: on a collage a few objects count as painted, and all other pixels are to be told from them.

What a user will do with the generator is what it is trained for: some objects of one kind, or of several, are painted
with a little of the ground around them, and every other object of these kinds is to be found.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...networks.attention import class_logits
from ...simulation.collage.collage import Collage

_MOST_PAINTED = 5
"""Objects of a kind that are painted at the most."""
_RING_PX = 3
_DAB_RADIUS_PX = 6
_LEAST_PIXELS = 4
_KEYS = 48
"""Painted pixels of each class that attention goes over."""


@dataclass(frozen=True)
class Episode:
    """A picture, what is painted on it, and the answer."""

    image: Tensor
    """``(h, w)`` float32."""
    keys: tuple[Tensor, ...]
    """For each class the flat indices of `_KEYS` painted pixels; class 0 is the ground."""
    target: Tensor
    """``(h * w,)`` int64: the class of each pixel."""


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
    ground = _ground(painted, target == 0, rng)
    masks = [np.flatnonzero(mask) for mask in (ground, *painted)]
    if min(map(len, masks)) < _LEAST_PIXELS:
        return None
    keys = tuple(torch.from_numpy(rng.choice(mask, _KEYS, replace=len(mask) < _KEYS)) for mask in masks)
    return Episode(collage.image, keys, torch.from_numpy(target.reshape(-1)))


def _paint(mask: NDArray[np.bool_], numbers: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Paint some objects of one class: whole, or only a part of each as a hasty stroke does."""
    found, sizes = np.unique(numbers[mask], return_counts=True)
    large = found[sizes >= min(12, sizes.max())]
    chosen = rng.permutation(large)[: int(rng.integers(1, _MOST_PAINTED + 1))]
    painted = mask & np.isin(numbers, chosen)
    return _hasty(painted, rng) if rng.random() < 0.25 else painted


def _hasty(painted: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Keep only dabs of what is painted, as hasty strokes leave."""
    rows, columns = np.nonzero(painted)
    kept = np.zeros_like(painted)
    y, x = np.ogrid[: painted.shape[0], : painted.shape[1]]
    for place in rng.integers(len(rows), size=3):
        kept |= (y - rows[place]) ** 2 + (x - columns[place]) ** 2 <= rng.uniform(2, 12) ** 2
    return kept & painted


def _ground(painted: list[NDArray[np.bool_]], ground: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Paint a ring around the painted objects, and some dabs on the ground."""
    from scipy import ndimage

    objects = np.logical_or.reduce(painted)
    found: NDArray[np.bool_] = ndimage.binary_dilation(objects, iterations=_RING_PX) & ground
    rows, columns = np.nonzero(ground)
    y, x = np.ogrid[: ground.shape[0], : ground.shape[1]]
    for _ in range(int(rng.integers(0, 5)) if len(rows) else 0):
        place = rng.integers(len(rows))
        found |= ((y - rows[place]) ** 2 + (x - columns[place]) ** 2 <= _DAB_RADIUS_PX**2) & ground
    return found


def episode_loss(vectors: Tensor, episode: Episode, sharpness: Tensor) -> Tensor:
    """Return the cross-entropy of an episode plus one minus the soft Dice of its classes.

    Parameters
    ----------
    vectors
        Unit vectors of the picture's pixels, ``(c, h * w)``.
    episode
        What is painted, and the answer.
    sharpness
        See `networks.attention.class_logits`.

    """
    target = episode.target.to(vectors.device)
    logits = class_logits(vectors, [vectors[:, keys.to(vectors.device)] for keys in episode.keys], sharpness)
    share = logits.softmax(0)[1:]
    truth = functional.one_hot(target, len(logits)).T[1:].to(share.dtype)
    dice = (2 * (share * truth).sum(1) + 1) / (share.sum(1) + truth.sum(1) + 1)
    return functional.cross_entropy(logits.T, target) + 0.5 * (1 - dice.mean())
