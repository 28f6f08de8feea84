"""One question of the live preview, copied from the layers: nothing slow is done on the GUI thread. No Qt."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....training.live_preview.query import PreviewQuery
from ...layers.layers import Index, LayerSnapshot
from ..painting.classes import PaintedClass, Unpainted, labels_of_planes
from ..painting.painted_image import PaintedImage
from ..painting.regions import AnnotatedRegion

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Shapes


class Inputs(NamedTuple):
    """What is picked on the page."""

    image: "Image | None"
    painting: "Labels | None"
    unpainted: Unpainted
    shapes: "Shapes | None"
    others: "tuple[tuple[Image, Labels, Shapes | None], ...]" = ()
    """The added images with their paintings."""


@dataclass(eq=False)
class FoundPlanes:
    """Which planes of a painting carry paint; found in a thread, once."""

    indices: tuple[Index, ...] | None = None


@dataclass(frozen=True, eq=False)
class OtherPainting:
    """Paint that is not in view: it is found and copied when the question is sent."""

    source: LayerSnapshot
    name: str
    data: NDArray[np.generic]
    """Labels on the grid of `source`."""
    regions: tuple[AnnotatedRegion, ...]
    found: FoundPlanes
    """Another one as soon as the painting was edited."""

    def read(self, without: Mapping[Index, object], most: int) -> PaintedImage:
        """Copy at most `most` painted planes, leaving out some."""
        if self.found.indices is None:
            self.found.indices = tuple(index for index in self.source.indices() if self.data[index].any())
        wanted = islice((index for index in self.found.indices if index not in without), most)
        return PaintedImage(self.source, self.name, {at: self.data[at].copy() for at in wanted}, self.regions)


@dataclass(frozen=True, eq=False)
class PreviewSnapshot:
    """One question of the live preview, as far as the GUI thread prepares it: nothing is read or counted."""

    number: int
    painted: PaintedImage
    """With the plane in view, painted or not."""
    index: Index
    """Of the plane in view."""
    given: Mapping[int, PaintedClass]
    """What the user has said about labels."""
    unpainted: Unpainted
    others: tuple[OtherPainting, ...] = ()
    """Further paint: on planes of this image not seen yet, and on other images."""
    most_planes: int = 4
    """Planes that are learnt from at the most."""
    window: tuple[int, int, int, int] | None = field(default=None)
    """What is on screen, see `PreviewQuery`."""

    @cached_property
    def images(self) -> tuple[PaintedImage, ...]:
        """All paint; the plane in view is one of the first image. Reads the paintings."""
        return tuple(self._read())

    def _read(self) -> Iterator[PaintedImage]:
        yield self.painted
        left = self.most_planes - len(self.painted.labels)
        for other in self.others:
            own = self.painted.labels if other.source.data is self.painted.source.data else {}
            image = other.read(own, max(left, 0))
            left -= len(image.labels)
            if image.labels:
                yield image

    def values(self) -> tuple[int, ...]:
        """Return the painted labels that are classes, in order; counts all planes."""
        return self._with_role("class")

    def query(self) -> PreviewQuery:
        """Return the question as the job takes it; reads the planes."""
        return PreviewQuery(
            tuple(plane for image in self.images for plane in image.planes()),
            tuple(labels for image in self.images for labels in image.labels.values()),
            list(self.painted.labels).index(self.index),
            self.unpainted,
            self._with_role("background"),
            self._with_role("ignore"),
            tuple(mask for image in self.images for mask in image.masks()),
            self.number,
            self.window,
        )

    def _with_role(self, role: str) -> tuple[int, ...]:
        values = sorted(labels_of_planes(labels for image in self.images for labels in image.labels.values()))
        roles = {value: self.given[value].role if value in self.given else "class" for value in values}
        return tuple(value for value in roles if roles[value] == role)


def alike(one: PreviewSnapshot, other: PreviewSnapshot | None) -> bool:
    """Whether two questions have the same answer: edits of layers are reported more often than they happen."""
    if other is None or one.index != other.index or one.painted.source.data is not other.painted.source.data:
        return False
    words = [
        (each.given, each.unpainted, each.painted.labels.keys(), _corners(each), [id(o.found) for o in each.others])
        for each in (one, other)
    ]
    if words[0] != words[1]:
        return False
    return all(np.array_equal(plane, other.painted.labels[index]) for index, plane in one.painted.labels.items())


def _corners(snapshot: PreviewSnapshot) -> list[tuple[Index, list[list[float]]]]:
    return [(region.at, region.outline.tolist()) for region in snapshot.painted.regions]
