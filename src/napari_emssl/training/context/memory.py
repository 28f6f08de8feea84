"""The vectors of painted pixels, which are all that a model in context remembers of its painting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.patches.labelled import LabelledPlane
from ...jobs.context_settings import ContextSettings
from .plane_vectors import PlaneVectors
from .ring import unlike_paint
from .tiled_planes import TiledPlane

VectorsAt = Callable[[int, NDArray[np.int64]], Tensor]
"""Returns unit vectors ``(c, n)`` of pixels ``(n, 2)``, rows and columns, of the plane with a number."""
_CLOSE_PX = 3
_WORTH_SAYING = 0.1
"""Share of the rings from which on a user is told that it is left out."""
_RING_FACTOR = 2
"""So many times as many pixels of rings are looked at as are remembered: some of them are left out."""


@dataclass(frozen=True)
class Context:
    """What is remembered of a painting."""

    vectors: list[Tensor]
    """For each class, background first, unit vectors of painted pixels ``(c, n)``."""
    left_out: float = 0.0
    """Share of the rings that is like the paint, and so was left out; 0 where there are no rings."""

    @property
    def notice(self) -> str:
        """Say what was left out, as a sentence; empty where it is nearly nothing."""
        if self.left_out < _WORTH_SAYING:
            return ""
        return (
            f"{self.left_out:.0%} of what lies close around painted objects looks like the paint, so it does not count "
            "as background."
        )


@dataclass(frozen=True)
class SeenPainting:
    """Painted planes as a network sees them."""

    vectors: PlaneVectors
    """Of the planes, by the network."""
    planes: Sequence[TiledPlane]
    painted: Sequence[LabelledPlane]
    """What is painted on each of the planes."""
    classes: int
    """Number of classes, background included."""

    def context(self, settings: ContextSettings) -> Context:
        """Draw painted pixels and return their vectors, see `draw_context`; of each class one must be painted."""
        return draw_context(
            self.painted, self.classes, settings.most_painted, settings.seed, self.vectors.network.sharpness.item(),
            lambda number, pixels: self.vectors.at(self.planes[number], pixels),
        )  # fmt: skip


def draw_context(
    planes: Sequence[LabelledPlane], classes: int, most: int, seed: int, sharpness: float, vectors_at: VectorsAt
) -> Context:
    """Draw painted pixels and return their vectors.

    Parameters
    ----------
    planes
        Core targets (0 unpainted, 1 background, 2.. classes), and which of their background nobody has painted.
    classes
        Number of classes, background included; of each at least one pixel is painted.
    most
        Painted pixels kept of each class, drawn evenly from all planes together.
    seed
        Decides which are kept.
    sharpness
        As in `networks.attention.class_logits`; decides with which pixels of rings are like the paint.
    vectors_at
        Gives the vectors.

    """
    rng = np.random.default_rng(seed)
    drawn = [draw_places([_painted(plane, value) for plane in planes], most, rng) for value in range(1, classes + 1)]
    drawn.append(draw_places([_ring(plane) for plane in planes], _RING_FACTOR * most, rng))
    ground, *painted, ring = values_of(drawn, vectors_at)
    if not ring.shape[1]:
        return Context([ground, *painted])
    close = torch.from_numpy(_close_to_paint(planes, drawn[-1]))
    kept = unlike_paint(ring, painted, ground if ground.shape[1] else None, sharpness, close)
    return Context([_together(ground, ring[:, kept], most), *painted], 1 - float(kept.float().mean()))


def _painted(plane: LabelledPlane, value: int) -> NDArray[np.bool_]:
    """Return what was painted with a value of the core target."""
    mask: NDArray[np.bool_] = plane.by_hand == value
    return mask


def _ring(plane: LabelledPlane) -> NDArray[np.bool_]:
    return np.zeros(plane.target.shape, bool) if plane.assumed is None else plane.assumed


def _close_to_paint(planes: Sequence[LabelledPlane], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which places (plane, row, column) lie within `_CLOSE_PX` of a painted object."""
    steps = np.mgrid[-_CLOSE_PX : _CLOSE_PX + 1, -_CLOSE_PX : _CLOSE_PX + 1].reshape(2, -1).T
    around = steps[np.hypot(*steps.T) <= _CLOSE_PX]
    found = np.zeros(len(places), bool)
    for number in np.unique(places[:, 0]):
        here, target = places[:, 0] == number, planes[number].target
        rows, columns = np.moveaxis(places[here, None, 1:] + around, -1, 0)
        beside = target[rows.clip(0, target.shape[0] - 1), columns.clip(0, target.shape[1] - 1)]
        found[here] = (beside >= 2).any(1)
    return found


def draw_places(masks: Sequence[NDArray[np.bool_]], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw pixels of planes at random.

    Parameters
    ----------
    masks
        For each plane, which of its pixels may be drawn.
    most
        Pixels drawn from all planes together.
    rng
        Draws them.

    Returns
    -------
    numpy.ndarray
        Their places (plane, row, column), in the order of the planes.

    """
    ends = np.cumsum([mask.size for mask in masks])
    begins, widths = ends - [mask.size for mask in masks], np.array([mask.shape[1] for mask in masks])
    every = np.concatenate([np.flatnonzero(mask) + begin for mask, begin in zip(masks, begins, strict=True)])
    chosen = np.sort(rng.choice(every, min(most, len(every)), replace=False, shuffle=False))
    numbers = np.searchsorted(ends, chosen, side="right")
    rows, columns = np.divmod(chosen - begins[numbers], widths[numbers])
    return np.column_stack([numbers, rows, columns]).astype(np.int64)


def values_of(drawn: Sequence[NDArray[np.int64]], vectors_at: VectorsAt) -> list[Tensor]:
    """Return the values at places (plane, row, column), for each group ``(c, n)``; each plane is asked once."""
    every = np.concatenate(drawn)
    found: Tensor | None = None
    for number in np.unique(every[:, 0]):
        here = np.flatnonzero(every[:, 0] == number)
        vectors = vectors_at(int(number), every[here, 1:])
        found = vectors.new_zeros(vectors.shape[0], len(every)) if found is None else found
        found[:, torch.from_numpy(here)] = vectors
    if found is None:
        raise ValueError("Nothing is painted.")
    return list(torch.split(found, [len(part) for part in drawn], dim=1))


def _together(ground: Tensor, ring: Tensor, most: int) -> Tensor:
    """Return painted background and rings, at most `most`; half of each where there is plenty of both."""
    of_ring = min(ring.shape[1], max(most // 2, most - ground.shape[1]))
    ring = ring[:, torch.linspace(0, ring.shape[1] - 1, of_ring).long()]  # in order of place: take from everywhere
    ground = ground[:, torch.linspace(0, max(ground.shape[1] - 1, 0), min(ground.shape[1], most - of_ring)).long()]
    return torch.cat([ground, ring], 1)
