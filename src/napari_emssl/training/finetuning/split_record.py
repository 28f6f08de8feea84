"""What an earlier run held out stays held out in a run that starts from its weights.

Painting grows and is corrected between two runs. If the objects held out were drawn again, a run would be validated on
some that its start has been trained on. So a card records, for each plane (known by its pixels), points inside the
objects of either side, or that the plane as a whole was on one side.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, cast

import numpy as np

from ...data.labels.objects import KnownPoint, inner_points
from ...data.patches.labelled import LabelledPlane
from ...models.model_file import Card

KEY = "split"
"""Where a stage's data hold the record."""

SplitRecord = dict[str, dict[str, Any]]
"""By plane: ``{"learnt": points, "held out": points}``, or ``{"whole": "learnt" | "held out" | "test"}``."""

_SIDES = ("learnt", "held out")
_TEST = "test"


def record_objects(training: Sequence[LabelledPlane], validation: Sequence[LabelledPlane]) -> SplitRecord:
    """Return which painted objects lie on which side; planes are whole, not cropped."""
    record: SplitRecord = {}
    for side, items in zip(_SIDES, (training, validation), strict=True):
        for item in items:
            record.setdefault(plane_key(item), {})[side] = inner_points(item.target)
    return record


def record_planes(
    training: Sequence[LabelledPlane], validation: Sequence[LabelledPlane], test: Sequence[LabelledPlane] = ()
) -> SplitRecord:
    """Return which planes lie on which side as a whole, or were kept for the test.

    Parameters
    ----------
    training, validation, test
        The planes of each part, with the images as they were learnt from: a plane is known by its pixels.

    Returns
    -------
    dict
        By `plane_key`: ``{"whole": "learnt" | "held out" | "test"}``.

    """
    sides = zip((*_SIDES, _TEST), (training, validation, test), strict=True)
    return {plane_key(item): {"whole": side} for side, items in sides for item in items}


def recorded(card: Card | None) -> SplitRecord:
    """Return what the runs that led to a model had recorded, the last word on every plane; nothing without a model."""
    found: SplitRecord = {}
    for stage in card.history if card else ():
        found |= cast(SplitRecord, stage.data.get(KEY) or {})
    return found


def known_points(record: SplitRecord, item: LabelledPlane) -> list[KnownPoint]:
    """Return the points known on a plane; where it was on one side as a whole, all its objects are."""
    entry = record.get(plane_key(item), {})
    if entry.get("whole", _TEST) != _TEST:
        held_out = entry["whole"] == _SIDES[1]
        return [KnownPoint(row, column, held_out) for row, column in inner_points(item.target)]
    height, width = item.target.shape
    points = [KnownPoint(row, column, side == _SIDES[1]) for side in _SIDES for row, column in entry.get(side, ())]
    return [point for point in points if point.row < height and point.column < width]


def whole_side(record: SplitRecord, item: LabelledPlane) -> bool | None:
    """Return whether a plane was held out as a whole; None where that was not decided, as for those of a test."""
    whole = record.get(plane_key(item), {}).get("whole")
    return None if whole in (None, _TEST) else whole == _SIDES[1]


def in_objects(record: SplitRecord, items: Sequence[LabelledPlane]) -> bool:
    """Whether one of the planes was divided into objects."""
    return any("whole" not in record.get(plane_key(item), {"whole": ""}) for item in items)


def plane_key(item: LabelledPlane) -> str:
    """Return what a plane is known by, whatever its file is called or where it stands in a stack."""
    return blake2b(np.ascontiguousarray(item.image).tobytes(), digest_size=8).hexdigest()
