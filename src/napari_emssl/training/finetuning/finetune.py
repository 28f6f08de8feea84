"""Fine-tuning: from a pretrained start and very little painting to a model for one task."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from torch import Tensor

from ...data.images.image import ImageSource
from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.masked_pixels import HiddenPatches
from ...data.patches.paired_patches import PairPatches
from ...data.patches.patches import PaintedPatches
from ...errors import UserError
from ...jobs.devices import choose_device
from ...jobs.events import Control, Finished, Job, Notice, Started, Update
from ...jobs.settings import FinetuneSettings
from ...models.heads import new_classes, with_classes
from ...models.model_file import Card, ClassInfo, Model, NetworkSpec
from ...models.tasks import task_of
from ...models.zoo import load_model, recommended_start
from ..learner import TrainingSchedule, TrainingSummary
from ..loop import run_training
from ..provenance import stage
from .labelled_data import TrainingData, gather
from .learners import learner_of
from .noisy_data import gather_noisy
from .paired_data import gather_pairs
from .split_record import KEY, recorded

DEFAULT_SECONDS = 60.0
DEFAULT_GENERATOR = "unet-3-96"


def finetune(
    images: ImageSource | Sequence[ImageSource],
    targets: ImageSource | Sequence[ImageSource] | None,
    settings: FinetuneSettings | None = None,
    start: str | Path | Model | None = None,
    *,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
    resume: Path | None = None,
    autosave: Path | None = None,
    licence: str = "unknown",
    command: str = "",
) -> Job[Model]:
    """Fine-tune a start on few labels, or on pairs of images.

    Parameters
    ----------
    images, targets
        Lists, in the same order, of arrays ``(h, w)`` or ``(n, h, w)``, files or `Image`; or two folders whose files
        pair up by name. To segment: 0 unpainted (ignored), 1 background, 2.. classes, see ``settings.zero``. To
        restore: clean images, in the units of their images unless ``settings.target_levels`` says otherwise, to
        super-resolve perhaps twice as fine; None to denoise without any, see ``settings.supervision``.
    settings
        With no steps, epochs or max_seconds, training takes 60 seconds.
    start
        A name from the zoo, a model file, a `Model`, or ``scratch`` for random weights; None takes the zoo's
        recommended generator.
    name
        Name on the model's card.
    class_names
        Names of the foreground classes, in the order of their values.
    resume, autosave
        Autosave file to go on from; where to write autosaves.
    licence, command
        Licence of the training images and the command line, for the card.

    Returns
    -------
    Job
        Its result is a `Model` of the task.

    Raises
    ------
    UserError
        From the iteration: images and targets that do not pair up, nothing painted, unknown start or device.

    """
    chosen = settings or FinetuneSettings()

    def events(control: Control) -> Iterator[Update | Finished[Model]]:
        base = _load_start(start, chosen)
        annotations = _gather(images, targets, chosen, base)
        names = _class_names(class_names, annotations)
        said = list(filter(None, (annotations.no_validation, annotations.doubt, _on_new_classes(base, names))))
        base = with_classes(base, names) if base and task_of(chosen.task).gives_labels else base
        spec = _network_spec(base, chosen, annotations)
        card = _card(chosen, spec, annotations, base, name, names, licence, command)
        yield from _train(chosen, base, spec, annotations, card, said, control, resume, autosave)

    return Job(events)


def _train(
    settings: FinetuneSettings,
    base: Model | None,
    spec: NetworkSpec,
    annotations: TrainingData,
    card: Callable[[TrainingSummary], Card],
    said: Sequence[str],
    control: Control,
    resume: Path | None,
    autosave: Path | None,
) -> Iterator[Update | Finished[Model]]:
    """Build the network, give it the weights of the start, and train."""
    device = choose_device(settings)
    learner = learner_of(base, spec, settings, device, annotations, card)
    if base and base.card.task == settings.task and task_of(settings.task).gives_labels:
        learner.pace = settings.warm_rate
    yield Started(device.label, device.reason, annotations.summary)
    yield from map(Notice, said)
    if base and len(learner.fresh) > len(learner.network.state_dict()) // 2:
        yield Notice(f"Most weights of '{base.name}' do not fit the network; it starts almost from scratch.")
    yield from run_training(learner, _plan(settings, annotations, autosave), control, resume)


def _gather(
    images: ImageSource | Sequence[ImageSource],
    targets: ImageSource | Sequence[ImageSource] | None,
    settings: FinetuneSettings,
    base: Model | None,
) -> TrainingData:
    """Collect what there is to learn from, scaled as for the start."""
    scaling = base.card.scaling if base else IntensityScaling()
    if targets is None:
        return gather_noisy(images, settings, scaling)
    if not task_of(settings.task).gives_labels:
        return gather_pairs(images, targets, settings, scaling)
    return gather(images, targets, settings, scaling, recorded(base.card if base else None))


def _class_names(given: Sequence[str] | None, annotations: TrainingData) -> list[str]:
    """Return the names of the foreground classes, in the order of their values."""
    names = list(given or (f"class {value}" for value in annotations.class_values))
    if len(names) != len(annotations.class_values):
        raise UserError(f"{len(names)} class names were given for {len(annotations.class_values)} painted classes.")
    return names


def _on_new_classes(base: Model | None, names: Sequence[str]) -> str:
    """Say which classes are new to a start that knows others of them."""
    new = new_classes(base, names) if base else []
    if not base or not 0 < len(new) < len(names):
        return ""
    return f"New to '{base.name}': {', '.join(new)}. The classes it knows go on from where they were."


def _load_start(start: str | Path | Model | None, settings: FinetuneSettings) -> Model | None:
    """Return the model to start from, or None for random weights."""
    if isinstance(start, Model):
        return start
    chosen = str(start) if start is not None else recommended_start(settings.task)
    if chosen == "scratch":
        return None
    base = load_model(chosen)
    if settings.generator not in (None, base.card.network.name):
        raise UserError(
            f"Start '{base.name}' is a {base.card.network.name}, not a {settings.generator}. "
            "Leave out --generator, or use --start scratch."
        )
    return base


def _network_spec(base: Model | None, settings: FinetuneSettings, annotations: TrainingData) -> NetworkSpec:
    channels = task_of(settings.task).out_channels(annotations.classes, annotations.upscale)
    if base is not None:
        refine = settings.refine or base.card.network.refine
        return base.card.network.model_copy(update={"out_channels": channels, "refine": refine})
    name = settings.generator or DEFAULT_GENERATOR
    return NetworkSpec(name=name, width=settings.width, out_channels=channels, refine=settings.refine)


def _plan(settings: FinetuneSettings, annotations: TrainingData, autosave: Path | None) -> TrainingSchedule:
    patches = _patches(settings, annotations)
    per_epoch = math.ceil(len(annotations.training) / settings.batch_size)
    total = settings.steps or (settings.epochs * per_epoch if settings.epochs else None)
    seconds = settings.max_seconds if total or settings.max_seconds else DEFAULT_SECONDS

    def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
        return (patches.batch(step, settings.batch_size) for step in count(first))

    return TrainingSchedule(
        batches=batches,
        batch_size=settings.batch_size,
        total=total,
        max_seconds=seconds,
        validation_interval=settings.validation_interval or max(10, per_epoch),
        autosave=autosave,
        autosave_seconds=settings.autosave_seconds,
        patience=settings.patience,
        data=annotations.summary,
    )


def _patches(settings: FinetuneSettings, annotations: TrainingData) -> PaintedPatches | PairPatches:
    if task_of(settings.task).gives_labels:
        return PaintedPatches(annotations.training, settings.patch, settings.seed, settings.augment)
    if annotations.supervision and annotations.supervision.method == "blind-spot":
        reach_px = annotations.supervision.reach_px
        return HiddenPatches(annotations.training, settings.patch, settings.seed, settings.augment, reach_px)
    shared_zero = task_of(settings.task).keeps_background
    return PairPatches(
        annotations.training, settings.patch, settings.seed, settings.augment, annotations.upscale, shared_zero
    )


def _card(
    settings: FinetuneSettings,
    spec: NetworkSpec,
    annotations: TrainingData,
    base: Model | None,
    name: str | None,
    names: Sequence[str],
    licence: str,
    command: str,
) -> Callable[[TrainingSummary], Card]:
    """Return what writes the card when training is over."""
    classes = [ClassInfo(name="background", target_value=None)] if task_of(settings.task).gives_labels else []
    classes += [ClassInfo(name=n, target_value=v) for n, v in zip(names, annotations.class_values, strict=True)]
    data: dict[str, Any] = {"summary": annotations.summary, "validation": annotations.no_validation or "held out"}
    data |= {KEY: annotations.split} if annotations.split else {}
    if annotations.supervision:
        data |= {"supervision": annotations.supervision.method, **annotations.supervision.found}

    def card(outcome: TrainingSummary) -> Card:
        record = stage("finetune", settings, data, outcome, base.name if base else "scratch", command)
        return Card(
            name=name or f"{settings.task}-{spec.name}",
            task=settings.task,
            network=spec,
            scaling=annotations.scaling,
            classes=tuple(classes),
            pixel_size_nm=annotations.pixel_size_nm,
            history=(*(base.card.history if base else ()), record),
            licence=licence,
            upscale=annotations.upscale,
        )

    return card
