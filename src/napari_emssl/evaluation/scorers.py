"""Scorers, one for labels and one for intensities: they know the targets, keep the scores of every plane, and pool."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.datasets.image_pairs import resolve_zero
from ..data.images.image import Image
from ..data.labels.targets import MOST_CLASSES, targets_from_masks
from ..errors import UserError
from ..formatting import counted
from ..jobs.events import Notice
from ..jobs.settings import EvaluateSettings
from ..metrics import ImageScores, confusion, mean_of, overlap_scores, restoration_scores, sum_of
from ..models.model_file import Card
from ..models.tasks import task_of


class Scorer(ABC):
    """Scores planes, one at a time."""

    def __init__(self) -> None:
        self.images: list[ImageScores] = []
        """Scores of each plane, with its ``name``."""
        self._scores: list[dict[str, float]] = []

    @classmethod
    @abstractmethod
    def for_model(cls, card: Card, targets: Sequence[Image], settings: EvaluateSettings) -> "Scorer":
        """Return the scorer of a model; see `scorer_of`.

        Parameters
        ----------
        card, targets, settings
            As for `scorer_of`.

        """

    @abstractmethod
    def add(self, number: int, name: str, result: NDArray[np.generic]) -> NDArray[np.generic]:
        """Score a plane.

        Parameters
        ----------
        number
            Of the plane, counted over all images.
        name
            What the plane is called.
        result
            What the model made of it, ``(h, w)``.

        Returns
        -------
        numpy.ndarray
            Its target, on the grid of the result.

        """

    def warnings(self) -> Iterator[Notice]:
        """Yield what the user should know of the targets."""
        return iter(())

    def mean(self) -> dict[str, float]:
        """Return every score averaged over the planes."""
        return mean_of(self._scores)

    def pooled(self) -> dict[str, float]:
        """Return the scores of all pixels together; empty where there is no such thing."""
        return {}

    def _keep(self, name: str, scores: dict[str, float]) -> None:
        self._scores.append(scores)
        self.images.append({"name": name, **scores})


class SegmentScorer(Scorer):
    """Overlap of labels with core targets, over painted pixels.

    Parameters
    ----------
    targets
        Core targets ``(h, w)`` of all planes.
    names
        Of the classes, background left out.
    merged
        Take all labels as one class.

    """

    def __init__(self, targets: Sequence[NDArray[np.uint8]], names: Sequence[str], merged: bool) -> None:
        super().__init__()
        self._targets, self._classes, self._merged = targets, tuple(names), merged
        self._counts: list[NDArray[np.int64]] = []
        self._unpainted = 0

    @classmethod
    def for_model(cls, card: Card, targets: Sequence[Image], settings: EvaluateSettings) -> "SegmentScorer":
        """Bring the targets to the classes of the model.

        Parameters
        ----------
        card, targets, settings
            As for `scorer_of`.

        Raises
        ------
        UserError
            As for `scorer_of`.

        """
        zero = resolve_zero(settings.zero, targets[0])
        merged = settings.merge_classes or trained_on_merged(card)
        known = None if merged else known_values(card, zero)
        masks = [target.label_plane(index) for target in targets for index in range(len(target))]
        cores, found = targets_from_masks(masks, zero, merged, class_values=known)
        if not any(core.any() for core in cores):
            raise UserError(
                "No pixel is painted in the targets, so there is nothing to score. Give targets with labels."
            )
        names = class_names(card)
        if merged and len(names) > 1:
            names = ["any class"]
        if len(found) > len(names):
            raise UserError(
                f"The targets have {counted(len(found), 'class', 'classes')}, model '{card.name}' knows {len(names)}. "
                "Use targets with the classes of its training, or merge them (--merge-classes)."
            )
        return cls(cores, names, merged)

    def add(self, number: int, name: str, result: NDArray[np.generic]) -> NDArray[np.generic]:
        """Score a plane; one with no painted pixel is only counted.

        Parameters
        ----------
        number, name, result
            As for `Scorer.add`; the result holds labels, 0 for background.

        """
        target = self._targets[number]
        if not target.any():
            self._unpainted += 1
            return target
        labels = result.astype(np.int64)
        if self._merged:
            labels = np.minimum(labels, 1)
        self._counts.append(confusion(labels, target, len(self._classes) + 1))
        self._keep(name, overlap_scores(self._counts[-1], self._classes))
        return target

    def warnings(self) -> Iterator[Notice]:
        """Say how many planes are not painted."""
        if self._unpainted:
            count = f"{self._unpainted} planes have" if self._unpainted > 1 else "1 plane has"
            yield Notice(f"{count} no painted pixel and did not count.")

    def pooled(self) -> dict[str, float]:
        """Return the overlap over the painted pixels of all planes."""
        return overlap_scores(sum_of(self._counts), self._classes) if self._counts else {}


class RestoreScorer(Scorer):
    """Distance of restored intensities from the truth."""

    def __init__(self, targets: Sequence[Image]) -> None:
        super().__init__()
        self._planes = [(target, index) for target in targets for index in range(len(target))]

    @classmethod
    def for_model(cls, card: Card, targets: Sequence[Image], settings: EvaluateSettings) -> "RestoreScorer":
        """Return the scorer of a restoring model, whatever its task.

        Parameters
        ----------
        card, targets, settings
            As for `scorer_of`; only the targets count.

        """
        return cls(targets)

    def add(self, number: int, name: str, result: NDArray[np.generic]) -> NDArray[np.generic]:
        """Score a plane; its truth is read now.

        Parameters
        ----------
        number, name, result
            As for `Scorer.add`; the result holds intensities in the units of the truth.

        """
        target, index = self._planes[number]
        truth = target.plane(index)
        self._keep(name, restoration_scores(result, truth))
        return truth


_SCORERS: dict[bool, type[Scorer]] = {True: SegmentScorer, False: RestoreScorer}
"""By whether a task gives labels."""


def scorer_of(card: Card, targets: Sequence[Image], settings: EvaluateSettings) -> Scorer:
    """Return the scorer of a model.

    Parameters
    ----------
    card
        Of the model; its task, classes and training decide what is scored.
    targets
        One for each image, on the grid of the results.
    settings
        What 0 means in labels, and whether all labels are one class.

    Raises
    ------
    UserError
        When nothing is painted, or the targets have values or classes the model does not know.

    """
    return _SCORERS[task_of(card.task).gives_labels].for_model(card, targets, settings)


def class_names(card: Card) -> list[str]:
    """Return the names of a model's classes, background left out; numbers where the card has none."""
    if len(card.classes) > 1:
        return [one.name for one in card.classes[1:]]
    return [f"class {number}" for number in range(1, max(card.network.out_channels, 2))]


def trained_on_merged(card: Card) -> bool:
    """Whether the last training took all values of its masks as one class."""
    return bool(card.history and card.history[-1].settings.get("merge_classes"))


def known_values(card: Card, zero: str) -> tuple[int, ...] | None:
    """Return the target value of each class of a model, or None where the card does not say.

    Where 0 is unpainted, 1 is background, so every class has one more than in dense masks; classes of masks that use
    large values (255) are then 2, 3, ... in their order.
    """
    given = [one.target_value for one in card.classes[1:]]
    values = tuple(value for value in given if value is not None)
    complete = len(values) == len(given) and given
    if zero == "background":
        return values if complete else None
    if complete and max(values) <= MOST_CLASSES:
        return tuple(value + 1 for value in values)
    return tuple(range(2, 2 + len(class_names(card))))
