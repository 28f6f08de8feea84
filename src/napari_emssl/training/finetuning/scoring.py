"""Overlap of what a network segments with the targets of planes that it has not learnt from."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.patches.labelled import LabelledPlane
from ...inference.tiles import TileRegion, default_halo, padded, split
from ...metrics import confusion, mean_of, overlap_scores, sum_of

_PASS_PX = 2**20
"""Pixels in one pass: small planes go together, a large one in tiles of this size."""


class LabelPredictor(Protocol):
    """What is scored."""

    @property
    def stride(self) -> int:
        """What height and width of its input must be multiples of, pixels."""

    @property
    def receptive_field(self) -> int:
        """Edge in pixels of what reaches one output pixel."""

    def labels(self, images: Tensor) -> NDArray[np.uint8]:
        """Labels ``(b, h, w)`` of scaled images ``(b, 1, h, w)``."""


def overlap_on(predictor: LabelPredictor, planes: Sequence[LabelledPlane], names: Sequence[str]) -> dict[str, float]:
    """Return Dice and IoU over all pixels together, the Dice averaged over planes, and that of each class.

    Parameters
    ----------
    predictor
        Gives the labels.
    planes
        Scaled planes with core targets.
    names
        Of the foreground classes.

    """
    counts: list[NDArray[np.int64]] = []
    for _, group in groupby(sorted(planes, key=_shape), key=_shape):
        counts += _counts(predictor, list(group), len(names) + 1)
    each = mean_of([overlap_scores(count, names) for count in counts])
    pooled = overlap_scores(sum_of(counts), names)
    return {name.replace(" ", "_"): value for name, value in pooled.items()} | {"dice_per_image": each["dice"]}


def objects_dice(labels: NDArray[np.integer], target: NDArray[np.integer], owners: NDArray[np.integer]) -> list[float]:
    """Return the Dice of each object, over its own pixels and those that are nearer to it than to other objects.

    Parameters
    ----------
    labels
        What was found at painted pixels ``(n,)``: 0 background, 1.. classes.
    target
        Core target of these pixels: 1 background, 2.. classes.
    owners
        The object that each belongs to or is nearest to, from 1 on; an object's class is that of its pixels.

    """
    objects = int(owners.max(initial=0)) + 1
    own = target >= 2
    classes = np.zeros(objects, np.int64)
    classes[owners[own]] = target[own].astype(np.int64) - 1
    drawn = labels == classes[owners]
    true, found, shared = (np.bincount(owners[where], minlength=objects)[1:] for where in (own, drawn, own & drawn))
    return [float(2 * both / (one + other)) for both, one, other in zip(shared, true, found, strict=True) if one]


def labels_of(predictor: LabelPredictor, plane: LabelledPlane) -> NDArray[np.uint8]:
    """Return the labels ``(h, w)`` of one plane; a large one is cut into tiles as in applying."""
    height, width = plane.image.shape
    extended = torch.from_numpy(np.ascontiguousarray(padded(plane.image, predictor.stride)))[None, None]
    return _labels(predictor, extended)[0, :height, :width]


def undecided(probabilities: Tensor) -> Tensor:
    """Return the entropy of ``(classes, h, w)`` over the classes, as a share of the greatest: 0 sure to 1 undecided."""
    entropy: Tensor = torch.special.entr(probabilities).sum(0) / math.log(len(probabilities))
    return entropy.clamp(0.0, 1.0)


def _shape(plane: LabelledPlane) -> tuple[int, ...]:
    return plane.image.shape


def _counts(predictor: LabelPredictor, planes: list[LabelledPlane], classes: int) -> list[NDArray[np.int64]]:
    """Confusion of planes of one size, several in one pass."""
    height, width = planes[0].image.shape
    together = max(1, _PASS_PX // (height * width))
    found = []
    for first in range(0, len(planes), together):
        some = planes[first : first + together]
        stack = np.stack([padded(plane.image, predictor.stride) for plane in some])
        labels = _labels(predictor, torch.from_numpy(stack)[:, None])[:, :height, :width]
        found += [confusion(one, plane.target, classes) for one, plane in zip(labels, some, strict=True)]
    return found


def _labels(predictor: LabelPredictor, images: Tensor) -> NDArray[np.uint8]:
    """Labels ``(b, h, w)`` of images ``(b, 1, h, w)``; large ones in tiles, cut as in applying."""
    _, _, height, width = images.shape
    edge = int(_PASS_PX**0.5)
    halo = default_halo(predictor.receptive_field, predictor.stride)
    labels = np.zeros((len(images), height, width), np.uint8)
    for region in split(TileRegion(0, height, 0, width), edge):
        outer = region.grown(halo, height, width)
        found = predictor.labels(images[(..., *outer.slices)])
        labels[(..., *region.slices)] = found[(..., *region.within(outer).slices)]
    return labels


def scores_by_step(saved: object) -> dict[int, list[float]]:
    """Return what `objects_dice` gave at each validation, from an autosave; raises `TypeError` for anything else."""
    entries = saved.items() if isinstance(saved, dict) else [(None, None)]
    found = {step: scores for step, scores in entries if isinstance(step, int) and isinstance(scores, list)}
    if len(found) < len(entries) or not all(isinstance(one, float) for scores in found.values() for one in scores):
        raise TypeError("scores of objects")
    return found
