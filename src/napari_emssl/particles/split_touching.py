"""Separating touching particles: a mask is cut at every neck, then pieces are joined again where the neck is wide.

Cutting takes the time; joining is fast, so the strength of the separation can be changed live.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

_SMOOTH_PX = 1.0
"""Blur of the distance to the background, so that a border that is rough by a pixel makes no necks."""
_PINHOLE_PX = 4
"""Holes of this many pixels or fewer do not count as background when necks are looked for; they stay holes."""
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class Fragments:
    """A mask cut at every neck: more pieces than particles."""

    labels: NDArray[np.int32]
    """Number of the piece of each pixel ``(h, w)``; 0 is background."""
    classes: NDArray[np.int64]
    """Value in the mask by number of the piece; entry 0 is 0."""
    widths: NDArray[np.float64]
    """Half of the largest width by number of the piece, in pixels; entry 0 is 0."""
    neighbours: NDArray[np.int64]
    """Pairs of pieces that touch ``(n, 2)``, the widest neck first."""
    necks: NDArray[np.float64]
    """Half of the width of the neck between them ``(n,)``, in pixels."""


def cut_at_necks(mask: NDArray[np.integer]) -> Fragments:
    """Cut a mask ``(h, w)`` of one or several classes (0 is background) into its fragments.

    Pixels that touch at a corner belong together. Each fragment is the surroundings of one maximum of the distance to
    the background (a watershed); the edge of the image does not count as background.
    """
    labels, width = np.zeros(mask.shape, np.int32), np.zeros(mask.shape)
    classes = [0]
    for value in np.unique(mask[mask != 0]):
        inside = mask == value
        distance = _distance(inside)
        pieces = _watershed(distance, inside)
        labels[inside], width[inside] = pieces[inside] + (len(classes) - 1), distance[inside]
        classes += [int(value)] * int(pieces.max())
    widths = np.zeros(len(classes))
    np.maximum.at(widths, labels.ravel(), width.ravel())
    return Fragments(labels, np.array(classes, np.int64), widths, *_necks(labels, np.array(classes), width))


def join_fragments(fragments: Fragments, split: float) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Join fragments into particles.

    Parameters
    ----------
    fragments
        A mask that was cut.
    split
        Two pieces stay apart when the neck between them is narrower than this share of the narrower one's width.

    Returns
    -------
    instances, classes
        Numbers ``(h, w)`` from 1 on, 0 on the background; the class by number, entry 0 is 0.

    """
    # the widest neck first: what it joins is as wide as its widest piece when narrower necks are judged
    parents, widths = list(range(len(fragments.classes))), fragments.widths.tolist()
    for (one, other), neck in zip(fragments.neighbours.tolist(), fragments.necks.tolist(), strict=True):
        a, b = _root(parents, one), _root(parents, other)
        if a != b and neck >= split * min(widths[a], widths[b]):
            parents[max(a, b)] = min(a, b)
            widths[min(a, b)] = max(widths[a], widths[b])
    roots = np.array([_root(parents, number) for number in range(len(parents))])
    kept, numbers = np.unique(roots, return_inverse=True)
    return numbers.astype(np.int32)[fragments.labels], fragments.classes[kept]


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:  # union-find, the paths halved on the way
        parents[number] = number = parents[parents[number]]
    return number


def _distance(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to the background in pixels, a little smoothed."""
    from scipy import ndimage

    holes, count = ndimage.label(~inside)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    sizes[0] = 0
    background = sizes[holes] > _PINHOLE_PX
    if not background.any():
        return inside.astype(np.float64)
    distance = ndimage.distance_transform_edt(~background)
    return np.asarray(np.where(inside, ndimage.gaussian_filter(distance, _SMOOTH_PX), 0.0))


def _watershed(distance: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the surroundings of each maximum of the distance."""
    from skimage.measure import label
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    if distance.min() == distance.max():  # no background at all: a plateau without an edge is no maximum
        return inside.astype(np.int32)
    peaks = label(local_maxima(distance, connectivity=2), connectivity=2)
    pieces: NDArray[np.int32] = watershed(-distance, peaks, connectivity=2, mask=inside).astype(np.int32)
    return pieces


def _necks(
    labels: NDArray[np.int32], classes: NDArray[np.int64], width: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of touching fragments of one class, and the widest place where they touch; the widest first."""
    keys, places = [], []
    for down, right in _NEIGHBOURS:
        (here, there), (near, far) = _shifted(labels, down, right), _shifted(width, down, right)
        touching = (here != there) & (here > 0) & (there > 0)
        one, other = here[touching].astype(np.int64), there[touching].astype(np.int64)
        same = classes[one] == classes[other]
        keys.append((np.minimum(one, other) * len(classes) + np.maximum(one, other))[same])
        places.append(np.minimum(near[touching], far[touching])[same])
    pairs, which = np.unique(np.concatenate(keys), return_inverse=True)
    necks = np.zeros(len(pairs))
    np.maximum.at(necks, which, np.concatenate(places))
    order = np.argsort(-necks, kind="stable")
    return np.stack(np.divmod(pairs[order], len(classes)), axis=1), necks[order]


def _shifted(array: NDArray[T], down: int, right: int) -> tuple[NDArray[T], NDArray[T]]:
    """An array and the same moved by a pixel, where both have values."""
    height, width = array.shape
    here = array[: height - down, max(-right, 0) : width - max(right, 0)]
    return here, array[down:, max(right, 0) : width + min(right, 0)]
