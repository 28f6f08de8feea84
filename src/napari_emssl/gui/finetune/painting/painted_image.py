"""What is painted on one image at one moment, copied from the layers; nothing slow is done. No Qt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....errors import UserError
from ...layers.layers import Index, LayerSnapshot, snapshot_of
from ...layers.matching import lie_alike
from .classes import labels_of_planes
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


def elsewhere_notice(painting: str, image: str) -> str:
    """Say that a painting does not cover its image."""
    return f"'{painting}' does not cover '{image}' in the viewer; their pixels are assumed to match."


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
    labels = _annotated(on_grid(painting, source), source, regions)
    return PaintedImage(
        source.with_copies(labels),
        painting.name,
        labels,
        tuple(region for region in regions if any(region.lies_on(index) for index in labels)),
        not lie_alike(image, painting),
    )


def on_grid(painting: "Labels", source: LayerSnapshot) -> "Mapping[Index, ArrayLike]":
    """Return the array of a painting, numpy or lazy, which has to have the shape of its image; else a `UserError`."""
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
