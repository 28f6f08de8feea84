"""The images of a comparison of segmentations, with the classes of their pixels, whole or sparsely painted."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import resolve_zero
from ...data.images.intensity_scaling import IntensityScaling
from ...data.labels.mask_doubts import mask_doubts
from ...data.labels.objects import Target, numbered_objects
from ...data.labels.sparse_painting import count_objects, paint_few
from ...data.labels.targets import targets_from_masks
from ...data.patches.labelled import LabelledPlane
from ...errors import UserError
from ...jobs.compare_settings import CompareSettings
from ...training.finetuning.labelled_data import TrainingData
from .data import ComparisonData, ComparisonPlane, Pair, Sides, divided, drawn_test, named_planes


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskedPlane(ComparisonPlane):
    """One plane with its core target ``(h, w)``."""

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
        """Return the scaled plane with this target, both flipped or turned as it is."""
        plane = LabelledPlane(scaling.scaled(self.image.plane(self.index)), target)
        return plane.turned(self.code) if self.code else plane


class SegmentationData(ComparisonData[MaskedPlane]):
    """All planes of a comparison of segmentations.

    Parameters
    ----------
    sides
        Planes by the part they play.
    settings
        Of the comparison.
    class_values
        The value of each foreground class in dense masks.

    """

    def __init__(self, sides: Sides[MaskedPlane], settings: CompareSettings, class_values: tuple[int, ...]) -> None:
        super().__init__(sides, settings)
        self.class_values = class_values
        self._scaled: dict[tuple[IntensityScaling, str], tuple[LabelledPlane, ...]] = {}

    def sample(self, seed: int, scaling: IntensityScaling) -> TrainingData:
        """Return what the run of this seed works on, whatever its start."""
        numbers = self.sampled_planes(seed)
        chosen = [self.pool[number] for number in numbers]
        targets = [self._painted(number, seed) for number in numbers]
        training = tuple(plane.scaled(scaling, target) for plane, target in zip(chosen, targets, strict=True))
        test = self._whole("test", scaling)
        if not self.test:
            unpainted = (np.where(target > 0, 0, plane.target) for plane, target in zip(chosen, targets, strict=True))
            pairs = zip(training, unpainted, strict=True)
            test = tuple(LabelledPlane(item.image, target) for item, target in pairs if target.any())
        validation = self._whole("validation", scaling)
        painted = [*training, *validation]
        return TrainingData(
            training, validation, self.class_values, scaling, None, self.summary, "", test, painted=painted
        )

    def digest(self) -> str:
        """Distinguish targets of the same names."""
        found = blake2b(digest_size=16)
        for plane in (*self.pool, *self.validation, *self.test):
            found.update(plane.target.tobytes())
        return found.hexdigest()

    def _painted(self, number: int, seed: int) -> Target:
        plane = self.pool[number]
        if not self.settings.paint:
            return plane.target
        return paint_few(plane.target, plane.numbers, self.settings.paint, np.random.default_rng((seed, 2, number)))

    def _whole(self, side: str, scaling: IntensityScaling) -> tuple[LabelledPlane, ...]:
        """Planes of a side with their whole targets, scaled once for all runs that scale alike."""
        if (scaling, side) not in self._scaled:
            planes: Sequence[MaskedPlane] = getattr(self, side)
            self._scaled[scaling, side] = tuple(plane.scaled(scaling, plane.target) for plane in planes)
        return self._scaled[scaling, side]


def gather_segmentations(
    training: Sequence[Pair], test: Sequence[Pair], settings: CompareSettings, split: Path | None
) -> SegmentationData:
    """Check and divide images with masks.

    Parameters
    ----------
    training, test
        Opened pairs to draw from and to score; without the latter some of the former are.
    settings
        What 0 means, what is painted, and how many images are trained on and scored.
    split
        A file that says which planes are in which part.

    Raises
    ------
    UserError
        When nothing is painted, or nothing is left for one side.

    """
    pairs = [*training, *test]
    masks = [target.label_plane(index) for _, target in pairs for index in range(len(target))]
    zero = resolve_zero(settings.zero, pairs[0][1])
    cores, values = targets_from_masks(masks, zero, settings.merge_classes)
    numbered = masks if settings.merge_classes else [None] * len(masks)
    named = named_planes([image for image, _ in pairs], settings)
    planes = [
        MaskedPlane(**vars(plane), target=core, mask=mask)
        for plane, core, mask in zip(named, cores, numbered, strict=True)
    ]
    count = sum(len(image) for image, _ in training)
    sides = divided(planes[:count], planes[count:], settings, split)
    painted = ([plane for plane in side if plane.target.any()] for side in (sides.validation, sides.test))
    sides = drawn_test(Sides(_usable(sides.pool, settings), *painted), settings)
    class_values = values if zero == "background" else tuple(value - 1 for value in values)
    data = SegmentationData(sides, settings, class_values)
    if zero == "background" and not settings.merge_classes:
        data.notes = tuple(mask_doubts(masks, values))
    return data


def _usable(planes: Sequence[MaskedPlane], settings: CompareSettings) -> list[MaskedPlane]:
    """Planes that show enough to learn from."""
    painted = [plane for plane in planes if plane.target.any()]
    if settings.paint:
        painted = [plane for plane in painted if count_objects(plane.numbers) >= settings.least_objects]
    if not painted:
        few = f"at least {settings.least_objects} objects (--least-objects)" if settings.paint else "a painted pixel"
        raise UserError(f"No training image shows {few}. Give other images or targets.")
    return painted
