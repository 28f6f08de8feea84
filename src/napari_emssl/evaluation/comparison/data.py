"""The images of a comparison: which are trained on, which are scored, drawn so that every start sees the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import ImageSources, open_pairs, resolve_zero
from ...data.datasets.origins import draw_subset, origin_of, split_by_origin
from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.labels.objects import Target, numbered_objects
from ...data.labels.sparse_painting import count_objects, paint_few
from ...data.labels.targets import targets_from_masks
from ...data.patches.labelled import LabelledPlane
from ...errors import UserError
from ...jobs.settings import CompareSettings
from ...models.tasks import task_of
from ...training.finetuning.labelled_data import TrainingData


@dataclass(frozen=True, eq=False)
class ComparisonPlane:
    """One plane with its core target ``(h, w)``."""

    name: str
    source: str
    """What it was cut from: planes of one source are never on both sides."""
    image: Image
    index: int
    target: Target
    mask: NDArray[np.generic] | None
    """Numbers its objects ``(h, w)``; None: objects are connected regions of a class."""

    @property
    def numbers(self) -> NDArray[np.integer]:
        """A number for each object ``(h, w)``, 0 where there is none."""
        if self.mask is None:
            return numbered_objects(self.target)[0]
        return np.where(self.target > 1, self.mask, 0).astype(np.int64)  # whole numbers, in files perhaps as floats

    def scaled(self, scaling: IntensityScaling, target: Target) -> LabelledPlane:
        """Return the scaled plane with this target."""
        plane = self.image.plane(self.index)
        return LabelledPlane(scaling.fit(plane).to_unit(plane), target)


@dataclass(frozen=True)
class RunData:
    """What one run learns from and what it is scored on."""

    training: TrainingData
    test: tuple[LabelledPlane, ...]


class ComparisonData:
    """All planes of a comparison.

    Parameters
    ----------
    pool, test
        Planes that runs draw from, and those that are scored; no test planes: the unpainted rest of what was drawn.
    class_values
        The value of each foreground class in dense masks.
    settings
        Of the comparison.

    """

    def __init__(
        self,
        pool: Sequence[ComparisonPlane],
        test: Sequence[ComparisonPlane],
        class_values: tuple[int, ...],
        settings: CompareSettings,
    ) -> None:
        self.pool, self.test, self.class_values, self.settings = tuple(pool), tuple(test), class_values, settings
        self._scaled: dict[IntensityScaling, tuple[LabelledPlane, ...]] = {}

    @property
    def train_count(self) -> int:
        """Training planes of a run."""
        return min(self.settings.train_count or len(self.pool), len(self.pool))

    @property
    def names(self) -> dict[str, list[str]]:
        """Names of the planes on both sides."""
        return {"training": [plane.name for plane in self.pool], "test": [plane.name for plane in self.test]}

    @property
    def summary(self) -> str:
        """What is trained on and scored, as a sentence."""
        count = f"{self.train_count} of {len(self.pool)} images"
        painted = f", {self.settings.paint} objects of each class painted on each" if self.settings.paint else ""
        scored = f"{len(self.test)} others" if self.test else "the pixels of the same images left unpainted"
        return f"Every run learns from {count}{painted}, and is scored on {scored}."

    def sample(self, seed: int, scaling: IntensityScaling) -> RunData:
        """Return what the run of this seed works on, whatever its start."""
        chosen = [self.pool[number] for number in self.sampled_planes(seed)]
        targets = [self._painted(number, seed) for number in self.sampled_planes(seed)]
        training = tuple(plane.scaled(scaling, target) for plane, target in zip(chosen, targets, strict=True))
        test = self._test(scaling)
        if not self.test:
            unpainted = (np.where(target > 0, 0, plane.target) for plane, target in zip(chosen, targets, strict=True))
            pairs = zip(training, unpainted, strict=True)
            test = tuple(LabelledPlane(item.image, target) for item, target in pairs if target.any())
        return RunData(TrainingData(training, (), self.class_values, scaling, None, self.summary, ""), test)

    def sampled_planes(self, seed: int) -> list[int]:
        """Return the places in `pool` of a seed's training planes; more contain fewer, seeds begin with unlike ones."""
        count = len(self.pool)
        first = int(np.random.default_rng(0).permutation(count)[seed % count])
        others = (int(number) for number in np.random.default_rng((seed, 1)).permutation(count))
        return [first, *(number for number in others if number != first)][: self.train_count]

    def _painted(self, number: int, seed: int) -> Target:
        plane = self.pool[number]
        if not self.settings.paint:
            return plane.target
        return paint_few(plane.target, plane.numbers, self.settings.paint, np.random.default_rng((seed, 2, number)))

    def _test(self, scaling: IntensityScaling) -> tuple[LabelledPlane, ...]:
        if scaling not in self._scaled:
            self._scaled[scaling] = tuple(plane.scaled(scaling, plane.target) for plane in self.test)
        return self._scaled[scaling]


def gather_comparison_data(
    images: ImageSources,
    targets: ImageSources,
    settings: CompareSettings,
    test_images: ImageSources | None = None,
    test_targets: ImageSources | None = None,
) -> ComparisonData:
    """Open, check and divide the images of a comparison.

    Parameters
    ----------
    images, targets
        As for `finetune`, with targets of classes.
    settings
        What 0 means, what is painted, and how many images are trained on and scored.
    test_images, test_targets
        What is scored; None holds out a share of the images, by source.

    Returns
    -------
    ComparisonData
        Planes to draw from and planes to score.

    Raises
    ------
    UserError
        When images and targets do not pair up, nothing is painted, or nothing is left for one side.

    """
    _check(settings, test_images, test_targets)
    training = open_pairs(images, targets)
    test = open_pairs(test_images, test_targets) if test_images is not None and test_targets is not None else []
    pairs = [*training, *test]
    masks = [np.asarray(target.plane(index)) for _, target in pairs for index in range(len(target))]
    zero = resolve_zero(settings.zero, pairs[0][1])
    cores, values = targets_from_masks(masks, zero, settings.merge_classes)
    planes = _planes([image for image, _ in pairs], cores, masks if settings.merge_classes else None)
    count = sum(len(image) for image, _ in training)
    pool, held = planes[:count], planes[count:]
    if not test and settings.score_on == "images":
        pool, held = split_by_origin(pool, settings.test_share, settings.seed, lambda plane: plane.source)
    pool, held = _usable(pool, settings), [plane for plane in held if plane.target.any()]
    if settings.test_count is not None:
        held = draw_subset(held, settings.test_count, settings.seed, lambda plane: plane.name)
    if settings.score_on == "images" and not held:
        raise UserError("No image is left for testing. Give more images, or separate test images (--test-images).")
    class_values = values if zero == "background" else tuple(value - 1 for value in values)
    return ComparisonData(pool, held, class_values, settings)


def _check(settings: CompareSettings, test_images: ImageSources | None, test_targets: ImageSources | None) -> None:
    """Settings that contradict each other, or the arguments, are refused."""
    if not task_of(settings.task).gives_labels:
        raise UserError("Only segmentation can be compared. Use --task segment, or score models with 'evaluate'.")
    if (test_images is None) != (test_targets is None):
        raise UserError("Test images need test targets. Give both --test-images and --test-targets, or neither.")
    if settings.score_on == "unpainted" and not settings.paint:
        raise UserError("Whole targets leave no pixel unpainted. Say how many objects to paint: --paint 3.")
    if settings.score_on == "unpainted" and test_images is not None:
        raise UserError("Scores come either from test images or from unpainted pixels. Leave out one of the two.")


def _planes(
    images: Sequence[Image], cores: Sequence[Target], masks: Sequence[NDArray[np.generic]] | None
) -> list[ComparisonPlane]:
    """Name every plane; masks that number their objects keep those numbers."""
    found: list[ComparisonPlane] = []
    for position, image in enumerate(images):
        for index in range(len(image)):
            number = len(found)
            name = f"{position} {image.name}" + (f" [{index}]" if len(image) > 1 else "")
            source = origin_of(image.path) if image.path else str(position)
            mask = masks[number] if masks is not None else None
            found.append(ComparisonPlane(name, source, image, index, cores[number], mask))
    return found


def _usable(planes: Sequence[ComparisonPlane], settings: CompareSettings) -> list[ComparisonPlane]:
    """Planes that show enough to learn from."""
    painted = [plane for plane in planes if plane.target.any()]
    if settings.paint:
        painted = [plane for plane in painted if count_objects(plane.numbers) >= settings.least_objects]
    if not painted:
        few = f"at least {settings.least_objects} objects (--least-objects)" if settings.paint else "a painted pixel"
        raise UserError(f"No training image shows {few}. Give other images or targets.")
    return painted
