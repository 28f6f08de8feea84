"""Where fine-tuning begins in context: the painting remembered whole, and without what is to judge the training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ...data.labels.objects import Target, leave_each_out
from ...data.patches.labelled import LabelledPlane
from ...jobs.context_settings import ContextSettings
from ...jobs.devices import Device
from ...jobs.settings import FinetuneSettings
from ...models.build import build_network
from ...models.model_file import ClassInfo, Model
from ...models.tasks import task_of
from ...networks.filter_classifier import FilterClassifier
from ...networks.in_context import InContextNetwork
from ..context.remembered import RememberedPainting, remembered
from .labelled_data import TrainingData, around_painted

POOR_DICE = 0.8
"""Where much is labelled, an answer in context below this Dice is given up: all weights learn."""


@dataclass(frozen=True)
class Fold:
    """A part of the painting to learn from, and the rest, which judges what was learnt."""

    training: Sequence[LabelledPlane]
    validation: Sequence[LabelledPlane]
    """Cut down to what is painted; empty where nothing judges."""
    context: Sequence[Tensor]
    """For each class, background first, the vectors of pixels painted in the first part ``(c, n)``."""
    filters: FilterClassifier | None = None
    """Fitted to the first part; None where they have no share in the answer."""


@dataclass(frozen=True)
class ContextStart:
    """A training's beginning in context."""

    model: Model
    """Remembers all that is painted."""
    folds: Sequence[Fold]
    """At least one; several where each painted object is left out in turn."""
    notice: str
    """What there is to say of the painting, as a sentence; empty where there is nothing."""


def begins_in_context(start: Model | None, data: TrainingData, settings: FinetuneSettings) -> bool:
    """Whether training begins with an answer in context, of a generator or of a model.

    Parameters
    ----------
    start
        What the weights begin with; None for random weights, which answer nothing.
    data
        The painted planes: every class must be painted in the part that is learnt from.
    settings
        Of the fine-tuning; they can rule it out.

    """
    return (
        settings.begin_in_context
        and task_of(settings.task).gives_labels
        and start is not None
        and bool(start.card.network.vector_channels)
        and (task_of(start.card.task).is_pretext or bool(start.card.network.painted))
        and all(_shown(data.training, value) for value in range(1, data.classes + 1))
    )


def may_learn_as_a_whole(start: Model, data: TrainingData) -> bool:
    """Whether a generator may learn with all its weights: most of the planes is labelled, and some of it is held out.

    A model in context has no weights for that.
    """
    return bool(data.validation) and data.much_is_labelled and not start.card.network.painted


def context_start(
    start: Model, data: TrainingData, classes: tuple[ClassInfo, ...], device: Device, settings: FinetuneSettings
) -> ContextStart:
    """Ask a generator in context, with the whole painting and with parts of it.

    Parameters
    ----------
    start
        A generator with vectors, or a model in context of these classes, which keeps what it remembers.
    data
        What is painted, and what of it is held out.
    classes
        Background and the painted classes.
    device
        Where the network runs.
    settings
        Of the fine-tuning.

    """
    painted, parts = data.painted, _parts(data, settings)
    if start.card.network.painted:
        own = [torch.from_numpy(start.weights[f"context.{row}"]) for row in range(data.classes)]
        filters = cast(InContextNetwork, build_network(start)).filters
        return ContextStart(start, [_fold(painted, painted, part, own, filters) for part in parts], "")
    asked = ContextSettings(zero=settings.zero, merge_classes=settings.merge_classes)
    painting = remembered(start, painted, data.classes, asked, device)
    model = painting.model(f"in-context-{start.name}", classes, data.summary, data.pixel_size_nm)
    cleared = [_without_like_paint(painting, number, plane) for number, plane in enumerate(painted)]
    folds = [
        _fold(painted, cleared, part, *_remembered_of(painting, _part_of(painted, part), data.classes))
        for part in parts
    ]
    return ContextStart(model, folds, painting.context.notice)


def _parts(data: TrainingData, settings: FinetuneSettings) -> list[list[Target]]:
    """Return targets of the painted planes to learn from: one list, or one without each object in turn."""
    if data.validation:
        learnt = {id(plane.image): plane.target for plane in data.training}
        return [[learnt.get(id(plane.image), np.zeros_like(plane.target)) for plane in data.painted]]
    whole = [plane.target for plane in data.painted]
    return (leave_each_out(whole) if settings.validation else []) or [whole]


def _part_of(painted: Sequence[LabelledPlane], targets: Sequence[Target]) -> list[LabelledPlane]:
    """Return planes on which less is painted, rings too."""
    return [
        replace(plane, target=target, assumed=None if plane.assumed is None else plane.assumed & (target > 0))
        for plane, target in zip(painted, targets, strict=True)
    ]


def _fold(
    painted: Sequence[LabelledPlane],
    cleared: Sequence[LabelledPlane],
    part: Sequence[Target],
    context: list[Tensor],
    filters: FilterClassifier | None,
) -> Fold:
    """Divide what counts as painted into the part that is learnt from and the rest."""
    kept = [plane.target > 0 for plane in cleared]
    learnt = [np.where(where, target, 0) for where, target in zip(kept, part, strict=True)]
    judging = [
        np.where(where & (target == 0), plane.target, 0)
        for where, target, plane in zip(kept, part, painted, strict=True)
    ]
    training = [plane for plane in _part_of(painted, learnt) if plane.target.any()]
    validation = [around_painted(plane) for plane in _part_of(painted, judging) if plane.target.any()]
    return Fold(training, validation, context, filters)


def _remembered_of(
    painting: RememberedPainting, part: Sequence[LabelledPlane], classes: int
) -> tuple[list[Tensor], FilterClassifier | None]:
    return painting.of_part(part, classes).vectors, painting.filters_of_part(part, classes)


def _without_like_paint(painting: RememberedPainting, number: int, plane: LabelledPlane) -> LabelledPlane:
    """Return a plane on which background that nobody has painted is unpainted where it is like the paint."""
    if plane.assumed is None or not plane.assumed.any():
        return plane
    target, pixels = np.array(plane.target), np.argwhere(plane.assumed)
    like = painting.seen.vectors.classes_at(painting.seen.planes[number], pixels)
    target[tuple(pixels[like > 0].T)] = 0
    return replace(plane, target=target)


def _shown(planes: Sequence[LabelledPlane], value: int) -> bool:
    return any((plane.target == value).any() for plane in planes)
