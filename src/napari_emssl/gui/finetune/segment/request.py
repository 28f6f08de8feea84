"""A segmentation as the page Segment asks for it: images with their paintings, and what the labels mean. No Qt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .... import worker_jobs
from ....data.images.image import Image
from ....errors import UserError
from ....jobs.context_settings import ContextSettings
from ....jobs.events import Job
from ....jobs.settings import FinetuneSettings
from ....jobs.worker import client
from ....models.model_file import Model
from ...job.request import RunOptions
from ...layers.layers import LayerSnapshot
from ..painting.classes import PaintedClass, Role, Unpainted, agreed_classes, labels_of_planes
from ..painting.painted_image import PaintedImage, elsewhere_notice, painted_image
from ..painting.painting_files import painting_paths, save_paintings

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels, Shapes

    from ....data.labels.objects import Target

Pair = tuple["ImageLayer | None", "Labels | None"]
"""An image layer and the Labels layer painted on it; None where none is picked."""
_NO_IMAGE = "There is no image layer. Open an image, or choose File > Open Sample > EM SSL for electron micrographs."
_NO_PAINTING = "There is no painting. Press 'New' beside Painting and paint a few particles."


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """Everything that a training on paintings needs, see `TrainingRequest`."""

    settings: FinetuneSettings
    start_from: str | None
    """A model or generator of the zoo, or ``scratch``; None takes the recommended generator."""
    layer: "ImageLayer"
    """The first image, whose predictions are shown; to be found again, not to be read."""
    images: tuple[PaintedImage, ...]
    classes: tuple[PaintedClass, ...]
    """Every label painted anywhere, in order."""
    unpainted: Unpainted
    files: tuple[Path, ...]
    """Where each painting is kept; written when the training starts."""
    generator: str | None = None
    """The generator with whose answer in context training begins; None: it begins from `start_from`."""

    @property
    def source(self) -> LayerSnapshot:
        """The first image as it was."""
        return self.images[0].source

    @property
    def values(self) -> tuple[int, ...]:
        """Labels that are classes, in order; a model numbers them from 1 on."""
        return self.with_role("class")

    def with_role(self, role: Role) -> tuple[int, ...]:
        """Return the labels with a role, in order."""
        return tuple(painted.value for painted in self.classes if painted.role == role)

    def class_names(self) -> list[str]:
        """Return the names of the classes, in the order of `values`."""
        return [painted.name for painted in self.classes if painted.role == "class"]

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that stay on screen for the whole run."""
        elsewhere = (elsewhere_notice(each.name, each.source.name) for each in self.images if each.elsewhere)
        context = ("Training begins from the first look.",) if self.generator else ()
        return (
            *context,
            *(f"The painting is saved in {path}" for path in self.files),
            *elsewhere,
        )

    def start(self, options: RunOptions) -> Job[Model]:
        """Save the paintings, read the images and make the job in its process; called in a worker thread.

        Parameters
        ----------
        options
            Name, autosave and resume of this run.

        Raises
        ------
        UserError
            When nothing says what background is, or the paintings cannot be saved.

        """
        if options.resume is None:
            save_paintings(self.images, self.files, self.classes, self.unpainted)
        planes, targets, assumed = self._material()
        if self.generator is None:
            return client.run(
                worker_jobs.finetune, planes, targets, self.settings, self.start_from,
                name=options.name, class_names=self.class_names(), autosave=options.autosave, resume=options.resume,
            )  # fmt: skip
        return client.run(
            worker_jobs.finetune_in_context, planes, targets, assumed, self.settings, self.generator,
            name=options.name, class_names=self.class_names(), autosave=options.autosave, resume=options.resume,
        )  # fmt: skip

    def keep(self, generator: str, name: str) -> Job[Model]:
        """Save the paintings and make the job that gives the model in context; called in a worker thread.

        Parameters
        ----------
        generator
            A generator with vectors.
        name
            Of the model.

        Raises
        ------
        UserError
            As `start`.

        """
        save_paintings(self.images, self.files, self.classes, self.unpainted)
        planes, targets, assumed = self._material()
        settings = ContextSettings(device=self.settings.device, precision=self.settings.precision)
        return client.run(
            worker_jobs.make_in_context, planes, targets, assumed, settings, generator,
            name=name, class_names=self.class_names(),
        )  # fmt: skip

    def _material(self) -> "tuple[list[Image], list[Target], list[NDArray[np.bool_] | None]]":
        """Return the annotated planes, their core targets, and which background nobody has painted."""
        # brings scipy and scikit-image: too slow for opening a dock
        from ....data.labels.targets import assumed_background, targets_from_painting

        labels = [plane for painted in self.images for plane in painted.labels.values()]
        regions = [mask for painted in self.images for mask in painted.masks()]
        targets, _ = targets_from_painting(
            labels, self.unpainted, self.with_role("background"), ignored_labels=self.with_role("ignore"),
            regions=regions,
        )  # fmt: skip
        near = self.unpainted == "near"
        assumed = [assumed_background(*each) if near else None for each in zip(targets, labels, regions, strict=True)]
        planes = [
            Image(painted.source.name, plane[None], (), painted.source.pixel_size_nm)
            for painted in self.images
            for plane in painted.planes()
        ]
        return planes, targets, assumed


def segment_request(
    pairs: Sequence[Pair],
    settings: FinetuneSettings,
    start_from: str | None = None,
    unpainted: Unpainted = "near",
    shapes: "Sequence[Shapes | None]" = (),
    generator: str | None = None,
) -> SegmentRequest:
    """Read images, the Labels layers painted on them and Shapes layers off the viewer.

    Parameters
    ----------
    pairs
        Each an image and its painting; the first one is the one whose predictions are shown.
    settings, start_from
        How the training goes, and from where.
    unpainted
        What unpainted pixels mean outside of the shapes.
    shapes
        For each image a Shapes layer whose closed shapes are fully annotated, or None; by default none at all.
    generator
        A generator with vectors, with whose answer in context training begins.

    Raises
    ------
    UserError
        When a layer is missing or there twice, a painting is on another grid, nothing is painted, or the paintings do
        not agree on what a label stands for.

    """
    complete = _checked(pairs)
    images = tuple(
        painted_image(*pair, layer) for pair, layer in zip(complete, shapes or [None] * len(complete), strict=True)
    )
    classes = _classes([painting for _, painting in complete], images)
    files = painting_paths(images, datetime.now())
    return SegmentRequest(settings, start_from, complete[0][0], images, classes, unpainted, files, generator)


def _checked(pairs: Sequence[Pair]) -> "list[tuple[ImageLayer, Labels]]":
    """Return the pairs when nothing is missing, or there twice."""
    complete = []
    for image, painting in pairs:
        if image is None:
            raise UserError(_NO_IMAGE)
        if painting is None:
            raise UserError(_NO_PAINTING)
        complete.append((image, painting))
    for kind in zip(*complete, strict=True):
        twice = next((layer for layer in kind if kind.count(layer) > 1), None)
        if twice is not None:
            raise UserError(f"'{twice.name}' is picked twice. Pick each image and each painting only once.")
    return complete


def _classes(paintings: "Sequence[Labels]", images: Sequence[PaintedImage]) -> tuple[PaintedClass, ...]:
    """Return what each painted label stands for, when at least one is a class."""
    for painted in images:
        if not any(labels.any() for labels in painted.labels.values()) and not painted.regions:
            raise UserError(f"No pixel is painted in '{painted.name}'. Paint one particle, then start again.")
    values = sorted(labels_of_planes(labels for painted in images for labels in painted.labels.values()))
    classes = agreed_classes(paintings, values)
    if not any(painted.role == "class" for painted in classes):
        names = " and ".join(f"'{painted.name}'" for painted in images)
        raise UserError(f"No label in {names} is a class. Paint one particle with a label that is one.")
    return classes
