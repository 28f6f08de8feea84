"""What the painting of a query says: which pixels are of which class, and which background nobody has painted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.labels.objects import Target
from ...data.labels.targets import assumed_background, targets_from_painting
from .query import PreviewQuery


@dataclass(frozen=True, eq=False)
class QueryTargets:
    """The painting of a query as core targets."""

    targets: list[Target]
    """Of each plane, ``(h, w)`` uint8: 0 unpainted, 1 background, 2.. classes."""
    assumed: list[NDArray[np.bool_] | None]
    """Of each plane, which background nobody has painted; None where that cannot be."""
    classes: int
    """Background included."""


def query_targets(query: PreviewQuery) -> QueryTargets:
    """Read the painting of a query.

    Raises
    ------
    UserError
        When the painting does not show at least one class and background.

    """
    targets, values = targets_from_painting(
        list(query.painting), query.unpainted, query.background, ignored_labels=query.ignored, regions=query.regions
    )
    regions = query.regions or (None,) * len(targets)
    assumed = [
        assumed_background(*each) if query.unpainted == "near" else None
        for each in zip(targets, query.painting, regions, strict=True)
    ]
    return QueryTargets(targets, assumed, len(values) + 1)
