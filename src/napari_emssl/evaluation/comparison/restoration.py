"""The images of a comparison of restorations, with what they should have been; read when they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np

from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.labelled import LabelledPlane
from ...data.patches.paired_patches import PairPlanes
from ...jobs.compare_settings import CompareSettings
from ...training.finetuning.labelled_data import TrainingData
from ...training.finetuning.paired_data import common_factor, read_pair
from .data import ComparisonData, ComparisonPlane, Pair, Sides, divided, drawn_test, named_planes

_DIGESTED = 64
"""Targets whose pixels count in the digest: to read all of a large set would take minutes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PairedPlane(ComparisonPlane):
    """One plane with its clean target."""

    target: Image


class RestorationData(ComparisonData[PairedPlane]):
    """All planes of a comparison of restorations.

    Parameters
    ----------
    sides
        Planes by the part they play.
    settings
        Of the comparison.
    upscale
        How many times finer the grid of the targets is.

    """

    def __init__(self, sides: Sides[PairedPlane], settings: CompareSettings, upscale: int) -> None:
        super().__init__(sides, settings)
        self.upscale = upscale
        self._scaled: dict[IntensityScaling, dict[str, PairPlanes]] = {}

    def sample(self, seed: int, scaling: IntensityScaling) -> TrainingData:
        """Return what the run of this seed works on, whatever its start."""
        sides = self._sides(scaling)
        read = sides["pool"].__getitem__
        training = PairPlanes([partial(read, number) for number in self.sampled_planes(seed)], room=0)
        return TrainingData(
            training, sides["validation"], (), scaling, None, self.summary, "", sides["test"], upscale=self.upscale
        )

    def digest(self) -> str:
        """Distinguish targets of the same names, by some of them."""
        planes = (*self.pool, *self.validation, *self.test)
        found = blake2b(digest_size=16)
        for number in np.unique(np.linspace(0, len(planes) - 1, _DIGESTED).round().astype(int)):
            plane = planes[int(number)]
            found.update(np.ascontiguousarray(plane.target.plane(plane.index)).tobytes())
        return found.hexdigest()

    def _sides(self, scaling: IntensityScaling) -> dict[str, PairPlanes]:
        """Planes of all sides, kept once for all runs that scale alike."""
        if scaling not in self._scaled:
            sides = {"pool": self.pool, "validation": self.validation, "test": self.test}
            self._scaled[scaling] = {
                side: PairPlanes([partial(self._read, plane, scaling) for plane in planes])
                for side, planes in sides.items()
            }
        return self._scaled[scaling]

    def _read(self, plane: PairedPlane, scaling: IntensityScaling) -> LabelledPlane:
        pair = read_pair(plane.image, plane.target, plane.index, self.settings, scaling)
        return pair.turned(plane.code) if plane.code else pair


def gather_restorations(
    training: Sequence[Pair], test: Sequence[Pair], settings: CompareSettings, split: Path | None
) -> RestorationData:
    """Divide images with clean targets.

    Parameters
    ----------
    training, test
        Opened pairs to draw from and to score; without the latter some of the former are.
    settings
        The task, the levels of targets, and how many images are trained on and scored.
    split
        A file that says which planes are in which part.

    Raises
    ------
    UserError
        When targets are finer by different factors, or nothing is left for one side.

    """
    pairs = [*training, *test]
    targets = [target for image, target in pairs for _ in range(len(image))]
    named = named_planes([image for image, _ in pairs], settings)
    planes = [PairedPlane(**vars(plane), target=target) for plane, target in zip(named, targets, strict=True)]
    count = sum(len(image) for image, _ in training)
    sides = divided(planes[:count], planes[count:], settings, split)
    return RestorationData(drawn_test(sides, settings), settings, common_factor(pairs))
