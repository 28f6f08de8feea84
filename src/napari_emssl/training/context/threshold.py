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
from .memory import SeenPainting
from .plane_vectors import PlaneVectors
from .tiled_planes import TiledPlane

_CHOICES = np.array([0.0, *(sign * step / 4 for step in range(1, 5) for sign in (-1, 1))])
"""Log-odds, the usual one first: it stays where others are no better. Farther ones gave more on most images and much
less on some (docs/evidence-few-labels.md)."""
_FOUND_DICE = 0.9
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


@dataclass(frozen=True)
class Edges:
    """What painted objects that were left out in turn say of the edges that a network draws."""

    threshold: float = 0.0
    """Log-odds, -1 to 1, from which on pixels of the one class are drawn best; 0 where that cannot be told."""
    dice: float | None = None
    """Of the objects left out, without the threshold; None where none could be left out."""

    @property
    def found(self) -> bool:
        """Whether the network is known to find objects like the painted ones."""
        return self.dice is not None and self.dice >= _FOUND_DICE


def fitted_edges(painting: SeenPainting, settings: ContextSettings) -> Edges:
    """Leave painted objects out in turn, and see how well they are drawn from the rest of the painting.

    Nothing can be told of fewer than two objects, or of several classes.
    """
    if painting.classes != 2:
        return Edges()
    if judged := _left_out_in_turn(painting, [plane.by_hand for plane in painting.painted], settings):
        return _best(*judged)
    # rings that nobody has painted say whether objects are found, but not where they end
    if judged := _left_out_in_turn(painting, [plane.target for plane in painting.painted], settings):
        return replace(_best(*judged), threshold=0.0)
    return Edges()


def _left_out_in_turn(
    painting: SeenPainting, targets: Sequence[NDArray[np.uint8]], settings: ContextSettings
) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Return the log-odds and the truth of pixels that judge; None where fewer than two objects can be left out."""
    vectors, planes = painting.vectors, painting.planes
    objects = _objects(vectors, planes, targets, settings.seed)
    odds, truth, drawn = [], [], 0
    for left_out in objects:
        rest = [
            _without(plane, left_out.hidden) if number == left_out.plane else plane
            for number, plane in enumerate(painting.painted)
        ]
        if not _shows_both(rest):
            continue
        drawn += 1
        context = replace(painting, painted=rest).context(settings).vectors
        for region in left_out.regions:
            found = vectors.logits(planes[left_out.plane], region, context)
            judged = left_out.hidden[region.slices]
            odds.append(found[0][judged])
            truth.append(targets[left_out.plane][region.slices][judged] > 1)
    return (np.concatenate(odds), np.concatenate(truth)) if drawn > 1 else None


def _without(plane: LabelledPlane, hidden: NDArray[np.bool_]) -> LabelledPlane:
    assumed = None if plane.assumed is None else plane.assumed & ~hidden
    return replace(plane, target=np.where(hidden, 0, plane.target).astype(np.uint8), assumed=assumed)


def _best(odds: NDArray[np.float32], truth: NDArray[np.bool_]) -> Edges:
    """Return the threshold with the highest Dice, of equals the first; 0 where objects are not found without it."""
    scores = [2 * (drawn & truth).sum() / max(1, drawn.sum() + truth.sum()) for drawn in odds > _CHOICES[:, None]]
    unfitted = Edges(0.0, float(scores[0]))
    return replace(unfitted, threshold=float(_CHOICES[int(np.argmax(scores))])) if unfitted.found else unfitted


def _objects(
    vectors: PlaneVectors, planes: Sequence[TiledPlane], targets: Sequence[NDArray[np.uint8]], seed: int
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
    plane: TiledPlane,
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


def _shows_both(planes: Sequence[LabelledPlane]) -> bool:
    return all(any((plane.target == value).any() for plane in planes) for value in (1, 2))
