"""The odds from which on a pixel is drawn, fitted to the edges of painted objects.

A generator places an object's edge as its pretraining did; whoever paints may place it a little further out or in. Each
painted object in turn is drawn by what the rest of the painting says, and the threshold is the one that draws them as
they were painted. Only objects count beside which background was painted, too: a ring that nobody has painted follows
whatever the paint does. And only where objects are found anyway is there nothing but the edge to adjust: elsewhere a
threshold that suits the few painted objects makes more mistakes in the rest of the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...data.labels.objects import EIGHT, PaintedObject, painted_objects
from ...data.patches.labelled import LabelledPlane
from ...inference.tiles import TileRegion
from ...jobs.context_settings import ContextSettings
from .memory import draw_context
from .plane_vectors import PlaneVectors, VectorPlane

_CHOICES = np.array([0.0, *(sign * step / 4 for step in range(1, 5) for sign in (-1, 1))])
"""Log-odds, the usual one first: it stays where others are no better. Farther ones gave more on most images and much
less on some (docs/evidence-few-labels.md)."""
_LEAST_DICE = 0.9
"""Of the objects left out, before anything is fitted: below it more than the edge is wrong."""
_MOST_OBJECTS = 3
_MARGIN_PX = 32
"""Around an object, on the grid that the network looks at."""
_MOST_EDGE_PX = 176
"""Of what is drawn around an object, on the same grid."""
_DAB_PX = 64
"""Edge of what is looked at around background elsewhere, on the same grid."""
_BESIDE_PX = 3
_LEAST_PAINTED = 0.1
"""Of the pixels beside an object: so many must be painted as background for its edge to be known."""


@dataclass(frozen=True)
class _LeftOut:
    """An object that is drawn by what the rest of the painting says."""

    plane: int
    hidden: NDArray[np.bool_]
    """What it is judged by, ``(h, w)``: its pixels, the background beside it, and some background elsewhere."""
    regions: tuple[TileRegion, ...]
    """Where the network looks for it: around the object, and around the background elsewhere."""


def fitted_threshold(
    vectors: PlaneVectors,
    planes: Sequence[VectorPlane],
    painted: Sequence[LabelledPlane],
    classes: int,
    settings: ContextSettings,
) -> float:
    """Return the log-odds, -1 to 1, from which on pixels of the one class are drawn best.

    It is 0 where that cannot be told: fewer than two objects, several classes, or objects that are not found.

    Parameters
    ----------
    vectors
        Of the planes.
    planes, painted
        The painted planes, and what is painted on them.
    classes
        Number of classes, background included.
    settings
        How many painted pixels are remembered.

    """
    if classes != 2:
        return 0.0
    targets = [_by_hand(plane) for plane in painted]
    objects = _objects(vectors, planes, targets, settings.seed)
    odds, truth, drawn = [], [], 0
    for left_out in objects:
        rest = [
            replace(plane, target=np.where(left_out.hidden, 0, plane.target)) if number == left_out.plane else plane
            for number, plane in enumerate(painted)
        ]
        if not _shows_all(rest, classes):
            continue
        drawn += 1
        context = draw_context(
            rest, classes, settings.most_painted, settings.seed, vectors.network.sharpness.item(),
            lambda number, pixels: vectors.at(planes[number], pixels),
        ).vectors  # fmt: skip
        for region in left_out.regions:
            found = vectors.logits(planes[left_out.plane], region, context)
            judged = left_out.hidden[region.slices]
            odds.append(found[0][judged])
            truth.append(targets[left_out.plane][region.slices][judged] > 1)
    return _best(np.concatenate(odds), np.concatenate(truth)) if drawn > 1 else 0.0


def _best(odds: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """Return the threshold with the highest Dice, of equals the first; 0 where objects are not found without it."""
    scores = [2 * (drawn & truth).sum() / max(1, drawn.sum() + truth.sum()) for drawn in odds > _CHOICES[:, None]]
    return float(_CHOICES[int(np.argmax(scores))]) if scores[0] >= _LEAST_DICE else 0.0


def _by_hand(plane: LabelledPlane) -> NDArray[np.uint8]:
    """Return the target without the background that nobody has painted."""
    return plane.target if plane.assumed is None else np.where(plane.assumed, 0, plane.target).astype(np.uint8)


def _objects(
    vectors: PlaneVectors, planes: Sequence[VectorPlane], targets: Sequence[NDArray[np.uint8]], seed: int
) -> list[_LeftOut]:
    """Return objects that can be left out, a few drawn at random where there are many."""
    rng = np.random.default_rng(seed)
    found = [(number, painted) for number, target in enumerate(targets) for painted in painted_objects(target)]
    chosen: list[_LeftOut] = []
    for index in rng.permutation(len(found)):
        if len(chosen) == _MOST_OBJECTS:
            break
        number, painted = found[index]
        box, beside = _beside(painted, targets[number])
        ground = targets[number][box] == 1
        if beside.any() and ground[beside].mean() >= _LEAST_PAINTED:
            hidden = np.zeros(targets[number].shape, bool)
            hidden[box] = beside & ground
            hidden[painted.box] |= painted.mask
            chosen.append(_left_out(vectors, planes[number], targets[number], number, painted.box, hidden, rng))
    return chosen


def _beside(painted: PaintedObject, target: NDArray[np.uint8]) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return a box around an object, and which of its pixels lie a few pixels beside the object."""
    top, left = (max(0, side.start - _BESIDE_PX) for side in painted.box)
    box = slice(top, painted.box[0].stop + _BESIDE_PX), slice(left, painted.box[1].stop + _BESIDE_PX)
    inside = np.zeros(target[box].shape, bool)
    inside[painted.box[0].start - top :, painted.box[1].start - left :][
        : painted.mask.shape[0], : painted.mask.shape[1]
    ] = painted.mask
    return box, ndimage.binary_dilation(inside, EIGHT, _BESIDE_PX) & ~inside


def _left_out(
    vectors: PlaneVectors,
    plane: VectorPlane,
    target: NDArray[np.uint8],
    number: int,
    box: tuple[slice, slice],
    hidden: NDArray[np.bool_],
    rng: np.random.Generator,
) -> _LeftOut:
    """Return an object that is hidden with what is beside it; hide some painted background elsewhere, too."""
    scale = vectors.network.scale
    edge = min(max(side.stop - side.start for side in box) * scale + 2 * _MARGIN_PX, _MOST_EDGE_PX)
    regions = [vectors.region(plane, [(side.start + side.stop) // 2 for side in box], round(edge / scale))]
    elsewhere = target == 1
    elsewhere[regions[0].slices] = False
    places = np.argwhere(elsewhere)
    if len(places):
        regions.append(vectors.region(plane, places[rng.integers(len(places))].tolist(), round(_DAB_PX / scale)))
        hidden[regions[1].slices] |= elsewhere[regions[1].slices]
    return _LeftOut(number, hidden, tuple(regions))


def _shows_all(planes: Sequence[LabelledPlane], classes: int) -> bool:
    return all(any((plane.target == value).any() for plane in planes) for value in range(1, classes + 1))
