"""The images of a comparison: which are learnt from and which are scored, so that every start sees the same."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Generic, NamedTuple, Self, TypeVar

import numpy as np

from ...data.datasets.plane_origins import plane_origins
from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.splits.division import PlaneOrigin, SplitRules, divide
from ...data.splits.origins import draw_subset, split_by_origin
from ...errors import UserError
from ...formatting import counted
from ...jobs.compare_settings import CompareSettings
from ...training.finetuning.labelled_data import TrainingData

DIGESTED = 32
"""Planes whose pixels count in a digest: to read all of a large set would take minutes."""
Pair = tuple[Image, Image]


@dataclass(frozen=True, eq=False)
class ComparisonPlane:
    """One plane, perhaps flipped or turned."""

    name: str
    origin: PlaneOrigin
    """Planes of one origin are never on both sides."""
    image: Image
    index: int
    code: int = 0
    """Which flip or turn of it, see `LabelledPlane.turned`."""

    def copied(self, code: int) -> Self:
        """Return one of its flips and turns."""
        return replace(self, name=f"{self.name} @{code}", code=code)


P = TypeVar("P", bound=ComparisonPlane)


class Sides(NamedTuple, Generic[P]):
    """Planes by the part they play."""

    pool: list[P]
    """What runs draw from."""
    validation: list[P]
    """What chooses the weights that are scored; empty: they are scored as they are."""
    test: list[P]
    """What is scored; empty: the unpainted rest of what was drawn."""


class ComparisonData(ABC, Generic[P]):
    """All planes of a comparison.

    Parameters
    ----------
    sides
        Planes by the part they play.
    settings
        Of the comparison.

    """

    class_values: tuple[int, ...] = ()
    """The value of each foreground class in dense masks; none where intensities are learnt."""
    notes: tuple[str, ...] = ()
    """Remarks on the files."""

    def __init__(self, sides: Sides[P], settings: CompareSettings) -> None:
        self.pool, self.validation, self.test = map(tuple, sides)
        self.settings = settings

    @abstractmethod
    def sample(self, seed: int, scaling: IntensityScaling) -> TrainingData:
        """Return what the run of this seed learns from and is scored on, whatever its start."""

    @abstractmethod
    def digest(self) -> str:
        """Distinguish targets of the same names."""

    def images_digest(self) -> str:
        """Distinguish images of the same names, by some of them."""
        planes = (*self.pool, *self.validation, *self.test)
        found = blake2b(digest_size=16)
        for number in np.unique(np.linspace(0, len(planes) - 1, DIGESTED).round().astype(int)):
            plane = planes[int(number)]
            found.update(np.ascontiguousarray(plane.image.plane(plane.index)).tobytes())
        return found.hexdigest()

    @property
    def train_count(self) -> int:
        """Training planes of a run."""
        return min(self.settings.train_count or len(self.pool), len(self.pool))

    @property
    def names(self) -> dict[str, list[str]]:
        """Names of the planes of each part that has some."""
        sides = {"training": self.pool, "validation": self.validation, "test": self.test}
        return {
            side: [plane.name for plane in planes] for side, planes in sides.items() if planes or side != "validation"
        }

    @property
    def summary(self) -> str:
        """What is trained on and scored, as a sentence."""
        count = f"{self.train_count} of {counted(len(self.pool), 'image')}"
        painted = f", {self.settings.paint} objects of each class painted on each" if self.settings.paint else ""
        chosen = f"; {len(self.validation)} choose the best weights" if self.validation else ""
        scored = f"{counted(len(self.test), 'other')}" if self.test else "the pixels of the same images left unpainted"
        return f"Every run learns from {count}{painted}, and is scored on {scored}{chosen}."

    def sampled_planes(self, seed: int) -> list[int]:
        """Return the places in `pool` of a seed's training planes; more contain fewer, seeds begin with unlike ones."""
        count = len(self.pool)
        first = int(np.random.default_rng(0).permutation(count)[seed % count])
        others = (int(number) for number in np.random.default_rng((seed, 1)).permutation(count))
        return [first, *(number for number in others if number != first)][: self.train_count]


def named_planes(images: Sequence[Image], settings: CompareSettings) -> list[ComparisonPlane]:
    """Return every plane of all images with its name and origin."""
    origins = iter(plane_origins(images, settings.named_parts))
    found: list[ComparisonPlane] = []
    for position, image in enumerate(images):
        for index in range(len(image)):
            name = f"{position} {image.name}" + (f" [{index}]" if len(image) > 1 else "")
            found.append(ComparisonPlane(name, next(origins), image, index))
    return found


def divided(pool: list[P], test: list[P], settings: CompareSettings, split: Path | None) -> Sides[P]:
    """Hold out planes for validation, and for the test where none are given.

    Parameters
    ----------
    pool, test
        What can be drawn from, and what is scored; the latter may be empty.
    settings
        Shares and the seed.
    split
        A file that says which planes are in which part.

    Raises
    ------
    UserError
        When a file does not fit the planes, or nothing is left to learn from.

    """
    takes_test = not test and settings.score_on == "images"
    share = settings.test if takes_test else 0.0
    rules = SplitRules(settings.validation, share, settings.split_by, settings.seed, split)
    origins = [plane.origin for plane in pool]
    if settings.validation or rules._replace(test=0.0).apply_to(origins):
        division = divide(origins, rules)
        copies, found = division.copies, division.split
        items = [plane.copied(code) for plane in pool for code in range(copies)] if copies > 1 else pool
        parts = ([items[n] for n in part] for part in (found.training, found.validation, found.test))
        return Sides(next(parts), next(parts), test or next(parts))
    if takes_test:
        pool, test = split_by_origin(pool, settings.test, settings.seed, lambda plane: plane.origin.origin)
    return Sides(pool, [], test)


def drawn_test(sides: Sides[P], settings: CompareSettings) -> Sides[P]:
    """Draw some of the test planes, where that is asked for.

    Raises
    ------
    UserError
        When there is none, though test images are scored.

    """
    test = sides.test
    if settings.test_count is not None:
        test = draw_subset(test, settings.test_count, settings.seed, lambda plane: plane.name)
    if settings.score_on == "images" and not test:
        raise UserError("No image is left for testing. Give more images, or separate test images (--test-images).")
    return sides._replace(test=test)
