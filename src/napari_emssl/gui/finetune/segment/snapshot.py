"""A question about the painting at one moment, copied from the layers; nothing slow is done. No Qt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....training.live_preview.query import PreviewQuery
from ...layers.layers import LayerSnapshot
from .classes import PaintedClass, labels_in
from .regions import AnnotatedRegion, mask_of
from .request import Unpainted

Index = tuple[int, ...]


class Inputs(NamedTuple):
    """What is picked on the page."""

    image: Any
    painting: Any
    unpainted: Unpainted
    shapes: Any


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One question, as far as the GUI thread prepares it: painted planes are copied, nothing is read or counted."""

    number: int
    source: LayerSnapshot
    index: Index
    """Of the plane in view."""
    labels: dict[Index, NDArray[Any]]
    """Painted planes by index, that in view among them."""
    given: dict[int, PaintedClass]
    unpainted: Unpainted
    regions: tuple[AnnotatedRegion, ...]

    def values(self) -> tuple[int, ...]:
        """Return the painted labels that are classes, in order; counts all planes."""
        return tuple(value for value in self._painted() if self._role(value) == "class")

    def query(self) -> PreviewQuery:
        """Return the question as the job takes it; reads the planes."""
        indices, painted = list(self.labels), self._painted()
        height, width = self.source.shape[-2:]
        return PreviewQuery(
            tuple(self.source.plane(index) for index in indices),
            tuple(self.labels.values()),
            indices.index(self.index),
            self.unpainted,
            tuple(value for value in painted if self._role(value) == "background"),
            tuple(value for value in painted if self._role(value) == "ignore"),
            tuple(mask_of(self.regions, index, (height, width)) for index in indices),
            self.number,
        )

    def _painted(self) -> list[int]:
        return sorted(set().union(*(labels_in(plane, plane.shape) for plane in self.labels.values())))

    def _role(self, value: int) -> str:
        return self.given[value].role if value in self.given else "class"


def alike(one: Snapshot, other: Snapshot | None) -> bool:
    """Whether two questions have the same answer: edits of layers are told of more often than they happen."""
    if other is None or one.index != other.index or one.source.data is not other.source.data:
        return False
    words = [(look.given, look.unpainted, look.labels.keys(), _corners(look.regions)) for look in (one, other)]
    if words[0] != words[1]:
        return False
    return all(np.array_equal(plane, other.labels[index]) for index, plane in one.labels.items())


def _corners(regions: Sequence[AnnotatedRegion]) -> list[Any]:
    return [(region.at, region.outline.tolist()) for region in regions]
