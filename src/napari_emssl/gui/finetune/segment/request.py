"""What the user wants learnt, resolved into one frozen request. No Qt, no viewer: plain arrays and words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....errors import UserError
from ...layers.layers import LayerSnapshot, snapshot_of
from ...layers.matching import lie_alike
from .classes import PaintedClass, agreed_classes, labels_in
from .regions import AnnotatedRegion, mask_of, regions_of

Unpainted = Literal["near", "ignored", "background"]
Pair = tuple[Any, Any]
"""An image layer and the Labels layer painted on it; None where none is picked."""
_NO_IMAGE = "There is no image layer. Open an image, or take File > Open Sample > napari-emssl."
_NO_PAINTING = "There is no painting. Press 'New' beside Painting and paint a few particles."


@dataclass(frozen=True)
class PaintedImage:
    """The annotated planes of a stack, copied, so that later edits of the layers do not matter."""

    source: LayerSnapshot
    name: str
    """Of the painting."""
    indices: tuple[tuple[int, ...], ...]
    """Index of each annotated plane: with paint on it, or a region drawn on it."""
    planes: tuple[Callable[[], NDArray[Any]], ...]
    """Each returns its plane ``(h, w)``; lazy layers are read only when it is called."""
    painting: NDArray[Any]
    """The labels of the annotated planes, ``(n, h, w)``."""
    regions: tuple[AnnotatedRegion, ...] = ()
    """What is fully annotated."""
    elsewhere: bool = False
    """Whether image and painting do not cover each other in the viewer."""

    def images(self) -> list[NDArray[Any]]:
        """Read the annotated planes, each ``(h, w)``."""
        return [plane() for plane in self.planes]

    def masks(self) -> list[NDArray[np.bool_] | None]:
        """Return what is fully annotated on each plane, ``(h, w)``; None where nothing is."""
        height, width = self.source.shape[-2:]
        return [mask_of(self.regions, index, (height, width)) for index in self.indices]


@dataclass(frozen=True)
class TrainingRequest:
    """Images with their paintings, and what the labels mean."""

    images: tuple[PaintedImage, ...]
    """The first one is the one whose predictions are shown."""
    classes: tuple[PaintedClass, ...]
    """Every label painted anywhere, in order."""
    unpainted: Unpainted

    @property
    def values(self) -> tuple[int, ...]:
        """Labels that are classes, in order; a model numbers them from 1 on."""
        return self.with_role("class")

    def with_role(self, role: str) -> tuple[int, ...]:
        """Return the labels with a role, in order."""
        return tuple(painted.value for painted in self.classes if painted.role == role)

    def class_names(self) -> list[str]:
        """Return the names of the classes, in the order of `values`."""
        return [painted.name for painted in self.classes if painted.role == "class"]


def training_request(
    pairs: Sequence[Pair], unpainted: Unpainted = "near", shapes: Sequence[Any] = ()
) -> TrainingRequest:
    """Resolve image layers, the Labels layers painted on them and Shapes layers into what a fine-tuning job needs.

    Parameters
    ----------
    pairs
        Each an image and its painting.
    unpainted
        What unpainted pixels mean outside of the shapes.
    shapes
        For each image a Shapes layer whose closed shapes are fully annotated, or None; by default none at all.

    Raises
    ------
    UserError
        When a layer is missing or there twice, a painting is on another grid, nothing is painted, or the paintings do
        not agree on what a label stands for.

    """
    _check_layers(pairs)
    drawn = shapes or [None] * len(pairs)
    images = tuple(_painted_image(*pair, layer) for pair, layer in zip(pairs, drawn, strict=True))
    for painted in images:
        if not painted.painting.any() and not painted.regions:
            raise UserError(f"No pixel is painted in '{painted.name}'. Paint one particle, then start again.")
    values = sorted(set().union(*(labels_in(painted.painting, painted.painting.shape) for painted in images)))
    classes = agreed_classes([labels for _, labels in pairs], values)
    request = TrainingRequest(images, classes, unpainted)
    if not request.values:
        raise UserError(f"No label in {_quoted(images)} is a class. Paint one particle with a label that is one.")
    return request


def _check_layers(pairs: Sequence[Pair]) -> None:
    for image, labels in pairs:
        if image is None:
            raise UserError(_NO_IMAGE)
        if labels is None:
            raise UserError(_NO_PAINTING)
    for kind in zip(*pairs, strict=True):
        twice = next((layer for layer in kind if kind.count(layer) > 1), None)
        if twice is not None:
            raise UserError(f"'{twice.name}' is picked twice. Take each image and each painting once.")


def _painted_image(image: Any, labels: Any, shapes: Any) -> PaintedImage:
    source = snapshot_of(image)
    regions = regions_of(shapes, image)
    painting = _on_grid(labels, source)
    indices = tuple(_annotated(painting, source, regions))
    planes = [np.asarray(painting[index]) for index in indices]
    return PaintedImage(
        source, labels.name, indices, tuple(_reader(source, index) for index in indices),
        np.stack(planes) if planes else np.zeros((0, *source.shape[-2:]), np.uint8),
        tuple(region for region in regions if any(region.lies_on(index) for index in indices)),
        not lie_alike(image, labels),
    )  # fmt: skip


def _on_grid(labels: Any, source: LayerSnapshot) -> Any:
    """Return the array of a painting, which has to have the shape of its image."""
    data = labels.data[0] if labels.multiscale else labels.data
    if tuple(data.shape) != source.shape:
        raise UserError(
            f"'{labels.name}' is {_size(data.shape)} but '{source.name}' is {_size(source.shape)}: "
            "they are not on one grid. Press 'New' beside Painting to make one that is."
        )
    return data


def _annotated(painting: Any, source: LayerSnapshot, regions: Sequence[AnnotatedRegion]) -> Iterator[tuple[int, ...]]:
    """Yield the index of each plane with paint on it or with regions of its own."""
    # outlines that lie on every plane of a stack say nothing of planes that nobody has painted on
    bound = [region for region in regions if region.at or not source.leading]
    for index in source.indices():
        if np.any(np.asarray(painting[index])) or any(region.lies_on(index) for region in bound):
            yield index


def _reader(source: LayerSnapshot, index: tuple[int, ...]) -> Callable[[], NDArray[Any]]:
    """A plane in memory is copied now; one on disk is read when the job asks for it."""
    if not isinstance(source.data, np.ndarray):
        return lambda: source.plane(index)
    plane = source.plane(index)
    return lambda: plane


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _quoted(images: Sequence[PaintedImage]) -> str:
    return " and ".join(f"'{painted.name}'" for painted in images)
