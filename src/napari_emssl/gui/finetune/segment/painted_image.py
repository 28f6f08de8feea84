"""What is painted on one image at one moment, copied from the layers; nothing slow is done. No Qt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....errors import UserError
from ....training.live_preview.query import PreviewQuery
from ...layers.layers import Index, LayerSnapshot, snapshot_of
from ...layers.matching import lie_alike
from .classes import PaintedClass, Unpainted, labels_of_planes
from .regions import AnnotatedRegion, mask_of, regions_of

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Shapes
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class PaintedImage:
    """The annotated planes of an image, those with paint or a region on them, copied: later edits do not matter."""

    source: LayerSnapshot
    name: str
    """Of the painting."""
    labels: Mapping[Index, NDArray[np.generic]]
    """Labels ``(h, w)`` of each annotated plane, by index."""
    regions: tuple[AnnotatedRegion, ...] = ()
    """What is fully annotated."""
    elsewhere: bool = False
    """Whether image and painting do not cover each other in the viewer."""

    def planes(self) -> list[NDArray[np.generic]]:
        """Return the annotated planes of the image, each ``(h, w)``; lazy ones are read now."""
        return [self.source.plane(index) for index in self.labels]

    def masks(self) -> list[NDArray[np.bool_] | None]:
        """Return what is fully annotated on each plane, ``(h, w)``; None where nothing is."""
        height, width = self.source.shape[-2:]
        return [mask_of(self.regions, index, (height, width)) for index in self.labels]

    def values(self) -> list[int]:
        """Return the labels that occur, in order; counts all planes."""
        return sorted(labels_of_planes(self.labels.values()))


def painted_image(image: "Image", painting: "Labels", shapes: "Shapes | None" = None) -> PaintedImage:
    """Copy what is annotated on an image: in memory at once, while lazy planes of the image are read when asked for.

    Parameters
    ----------
    image, painting
        Layers on one grid.
    shapes
        A Shapes layer whose closed shapes are fully annotated.

    Raises
    ------
    UserError
        When the painting is on another grid, or a shape does not lie in a plane of the image.

    """
    source = snapshot_of(image)
    regions = regions_of(shapes, image)
    labels = _annotated(_on_grid(painting, source), source, regions)
    return PaintedImage(
        source.with_copies(labels),
        painting.name,
        labels,
        tuple(region for region in regions if any(region.lies_on(index) for index in labels)),
        not lie_alike(image, painting),
    )


def _on_grid(painting: "Labels", source: LayerSnapshot) -> "Mapping[Index, ArrayLike]":
    """Return the array of a painting, numpy or lazy, which has to have the shape of its image."""
    data = painting.data[0] if painting.multiscale else painting.data
    if tuple(data.shape) != source.shape:
        raise UserError(
            f"'{painting.name}' is {_size(data.shape)} but '{source.name}' is {_size(source.shape)}: "
            "they are not on the same grid. Press 'New' beside Painting to make one that is."
        )
    return data  # type: ignore[no-any-return]


def _annotated(
    painting: "Mapping[Index, ArrayLike]", source: LayerSnapshot, regions: Sequence[AnnotatedRegion]
) -> dict[Index, NDArray[np.generic]]:
    """Copy each plane with paint on it or with regions of its own."""
    # outlines that lie on every plane of a stack say nothing about planes without paint
    bound = [region for region in regions if region.at or not source.leading]
    planes: dict[Index, NDArray[np.generic]] = {}
    for index in source.indices():
        plane = np.asarray(painting[index])
        if np.any(plane) or any(region.lies_on(index) for region in bound):
            planes[index] = plane.copy()
    return planes


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


class Inputs(NamedTuple):
    """What is picked on the page."""

    image: "Image | None"
    painting: "Labels | None"
    unpainted: Unpainted
    shapes: "Shapes | None"


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

    def values(self) -> tuple[int, ...]:
        """Return the painted labels that are classes, in order; counts all planes."""
        return self._with_role("class")

    def query(self) -> PreviewQuery:
        """Return the question as the job takes it; reads the planes."""
        return PreviewQuery(
            tuple(self.painted.planes()),
            tuple(self.painted.labels.values()),
            list(self.painted.labels).index(self.index),
            self.unpainted,
            self._with_role("background"),
            self._with_role("ignore"),
            tuple(self.painted.masks()),
            self.number,
        )

    def _with_role(self, role: str) -> tuple[int, ...]:
        roles = {value: self.given[value].role if value in self.given else "class" for value in self.painted.values()}
        return tuple(value for value in roles if roles[value] == role)


def alike(one: PreviewSnapshot, other: PreviewSnapshot | None) -> bool:
    """Whether two questions have the same answer: edits of layers are reported more often than they happen."""
    if other is None or one.index != other.index or one.painted.source.data is not other.painted.source.data:
        return False
    words = [(each.given, each.unpainted, each.painted.labels.keys(), _corners(each)) for each in (one, other)]
    if words[0] != words[1]:
        return False
    return all(np.array_equal(plane, other.painted.labels[index]) for index, plane in one.painted.labels.items())


def _corners(snapshot: PreviewSnapshot) -> list[tuple[Index, list[list[float]]]]:
    return [(region.at, region.outline.tolist()) for region in snapshot.painted.regions]
