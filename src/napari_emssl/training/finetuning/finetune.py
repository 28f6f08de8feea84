"""Fine-tuning: from a pretrained start and very little painting to a model for one task."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ...data.datasets.image_pairs import ImageSources
from ...data.patches.labelled import LabelledBatch, LabelledPatches
from ...data.patches.labelled_loader import LabelledLoader
from ...errors import UserError
from ...jobs.devices import Device, choose_device
from ...jobs.events import Control, Finished, Job, Notice, Preview, Started, Update
from ...jobs.settings import FinetuneSettings
from ...models.card import IN_TURN
from ...models.model_file import Card, Model, NetworkSpec, digest_of
from ...models.recommended import recommended_start
from ...models.tasks import task_of
from ...models.zoo import load_model
from ..learner import TrainingSchedule, TrainingSummary
from ..loop import run_training
from ..provenance import stage
from .base_learner import FinetuneContext, FineTuner
from .context_start import POOR_DICE, begins_in_context, context_start, may_learn_as_a_whole
from .context_tuner import TOO_LITTLE, ContextTuner, FoldPatches, WholeTuner
from .labelled_data import Assumed, TrainingData
from .snapshots import SnapshotLearner
from .task_training import TaskTraining, training_of

DEFAULT_SECONDS = 60.0
_LEAST_FOR_TRAINING = 0.5
"""Share of the time that is left for training, however long the answer in context takes, which counts, too."""
DEFAULT_GENERATOR = "unet-3-96"


def finetune(
    images: ImageSources,
    targets: ImageSources | None,
    settings: FinetuneSettings | None = None,
    start: str | Path | Model | None = None,
    *,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
    resume: Path | None = None,
    autosave: Path | None = None,
    licence: str = "unknown",
    command: str = "",
    split: Path | None = None,
    keep_split: Path | None = None,
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
        Autosave file to resume from; where to write autosaves.
    licence, command
        Licence of the training images and the command line, for the card.
    split, keep_split
        A file that says which planes are learnt from, validated on and tested; where to write that of this run, if
        whole planes are divided so.

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
    request = FinetuneRequest(
        images, targets, chosen, start, name, class_names, resume, autosave, licence, command, split, keep_split
    )
    return Job(request.events)


@dataclass(frozen=True)
class FinetuneRequest:
    """What a fine-tuning was asked for; see `finetune`."""

    images: ImageSources
    targets: ImageSources | None
    settings: FinetuneSettings
    start: str | Path | Model | None
    name: str | None
    class_names: Sequence[str] | None
    resume: Path | None
    autosave: Path | None
    licence: str
    command: str
    split: Path | None = None
    keep_split: Path | None = None
    assumed: Assumed = None
    """Segmentation: for each plane which background nobody has painted."""

    def events(self, control: Control) -> Iterator[Update | Finished[Model]]:
        """Gather what there is to learn from, and train; yields the events of the job."""
        start = _load_start(self.start, self.settings)
        training = training_of(self.settings, self.targets is not None, self.assumed, self.class_names or ())
        data = training.gather(self.images, self.targets, self.settings, start, self.split)
        yield from map(Notice, data.notes)
        if self.keep_split and data.division:
            data.division.write(self.keep_split, {"seed": self.settings.seed, "split_by": self.settings.split_by})
        yield from _FinetuneRun(self, training, start, data).events(control)


class _FinetuneRun:
    """A fine-tuning whose data are gathered: everything that is known before the first step."""

    def __init__(
        self, request: FinetuneRequest, training: TaskTraining, start: Model | None, data: TrainingData
    ) -> None:
        self._request, self._settings, self._training, self._data = request, request.settings, training, data
        self._names = _class_names(request.class_names, data)
        self._new_classes = training.new_classes(start, self._names) if start else []
        self._start = training.adapted(start, self._names) if start else None
        self._network = _network_spec(self._start, self._settings, data)
        self._device = choose_device(request.settings)
        self._snapshots: SnapshotLearner | None = None
        self._facts: dict[str, object] = {}
        self._began, self._answered_seconds = time.monotonic(), 0.0
        resumable = request.autosave is not None or request.resume is not None
        self._basis = (data.digest(), digest_of(start)) if resumable else ("", "")

    def events(self, control: Control) -> Iterator[Update | Finished[Model]]:
        """Build the network, give it the weights of the start, and train."""
        settings, data, start = self._settings, self._data, self._start
        device = self._device
        if start and begins_in_context(start, data, settings):
            yield from self._events_in_context(start, device, control)
            return
        lr_factor = self._training.lr_factor(start, settings) if start else 1.0
        learner = self._training.learner(
            FinetuneContext(
                settings, data, device, self._network, start, self._card_from(start, self._network), lr_factor
            )
        )
        yield Started(device.label, device.reason, data.summary)
        yield from map(Notice, filter(None, [*self._warnings(), learner.cut_notice]))
        if start and not start.card.partial and len(learner.fresh) > len(learner.network.state_dict()) // 2:
            yield Notice(f"Most weights of '{start.name}' do not fit the network; training starts almost from scratch.")
        followed: FineTuner | SnapshotLearner = learner
        if settings.snapshots and data.test:
            followed = self._snapshots = SnapshotLearner(learner)
        yield from self._run(followed, self._training.patches(data, settings), control)

    def _events_in_context(self, start: Model, device: Device, control: Control) -> Iterator[Update | Finished[Model]]:
        """Train what the start answers in context, if anything can judge that."""
        settings, data = self._settings, self._data
        begin = context_start(start, data, self._training.classes(data, self._names), device, settings)
        answer, network = begin.model, begin.model.card.network
        if not data.validation and begin.folds[0].validation:
            self._data = replace(data, no_validation="")
            self._facts["validation"] = IN_TURN
        card = self._card_from(answer, network)
        learner = ContextTuner(
            FinetuneContext(settings, data, device, network, answer, card, settings.context_rate), begin
        )
        untrained = settings.validation and not learner.is_judged
        if untrained:  # and so without last weights, of which the data speak
            self._data, self._facts["validation"] = replace(data, no_validation=""), TOO_LITTLE
        yield Started(device.label, device.reason, data.summary)
        yield from map(Notice, filter(None, [*self._warnings(), begin.notice, learner.cut_notice]))
        if untrained:
            yield Preview(learner.preview(control.view), 0)
            model = learner.model(learner.weights(), TrainingSummary(0, 0.0, {}, 0, stopped=False))
            yield Notice(learner.verdict)
            yield Finished(model, stopped=False)
            return
        if may_learn_as_a_whole(start, data) and (found := learner.validate()["dice"]) < POOR_DICE:
            yield Notice(
                f"In context the Dice on held-out planes is only {found:.2f}, and much is labelled, so all weights of "
                "the network are trained."
            )
            context = FinetuneContext(
                settings, data, device, self._network, start, self._card_from(start, self._network)
            )
            yield from self._judged(WholeTuner(context, learner), self._training.patches(data, settings), control)
            return
        patches = FoldPatches(
            [self._training.patches(replace(data, training=fold.training), settings) for fold in begin.folds]
        )
        yield from self._judged(learner, patches, control)

    def _judged(
        self, learner: ContextTuner | WholeTuner, patches: LabelledPatches, control: Control
    ) -> Iterator[Update | Finished[Model]]:
        """Train, and say where the answer in context was not beaten."""
        self._answered_seconds = time.monotonic() - self._began
        for event in self._run(learner, patches, control):
            if isinstance(event, Finished) and learner.verdict:
                yield Notice(learner.verdict)
            yield event

    def _run(
        self, learner: FineTuner | SnapshotLearner, patches: LabelledPatches, control: Control
    ) -> Iterator[Update | Finished[Model]]:
        with closing(LabelledLoader(patches, self._settings.batch_size, self._settings.workers)) as loader:
            yield from run_training(learner, self._schedule(loader), control, self._request.resume)

    def _warnings(self) -> Iterator[str]:
        """Say what is not as one might expect of the data and the start."""
        yield from filter(None, (self._data.no_validation, self._data.doubt))
        if self._start and self._new_classes:
            new = ", ".join(self._new_classes)
            yield f"New to '{self._start.name}': {new}. The classes it knows keep what they have learnt."

    def _schedule(self, loader: LabelledLoader) -> TrainingSchedule[LabelledBatch]:
        settings = self._settings
        per_epoch = settings.epoch_steps(len(self._data.training))
        total = settings.steps or (settings.epochs * per_epoch if settings.epochs else None)
        limit = settings.max_seconds if total or settings.max_seconds else DEFAULT_SECONDS
        every = per_epoch * settings.validation_epochs if settings.validation_epochs else max(10, per_epoch)
        return TrainingSchedule(
            batches=loader.batches,
            batch_size=settings.batch_size,
            total=total,
            max_seconds=limit and max(limit - self._answered_seconds, _LEAST_FOR_TRAINING * limit),
            validation_interval=settings.validation_interval or every,
            autosave=self._request.autosave,
            autosave_seconds=settings.autosave_seconds,
            patience=settings.patience,
            epoch_steps=per_epoch if settings.sampling == "epochs" else None,
            tunes_threads=self._device.tunes_threads,
            data=self._data.summary,
            data_digest=self._basis[0],
            start_digest=self._basis[1],
        )

    def _card_from(self, start: Model | None, network: NetworkSpec) -> Callable[[TrainingSummary], Card]:
        """Return what writes the card when training of a network from a start is over."""
        return partial(self._card, start, network)

    def _card(self, start: Model | None, network: NetworkSpec, summary: TrainingSummary) -> Card:
        request, data = self._request, self._data
        facts: dict[str, object] = {"summary": data.summary, "validation": data.no_validation or "held out"}
        facts |= self._training.facts(data) | self._facts
        if summary.objects_dice:
            facts["objects_dice"] = [round(score, 3) for score in summary.objects_dice]
        if self._snapshots:
            facts["snapshots"] = self._snapshots.rows
        record = stage("finetune", self._settings, facts, summary, start.name if start else "scratch", request.command)
        return Card(
            name=request.name or f"{self._settings.task}-{network.name}",
            task=self._settings.task,
            network=network,
            scaling=data.scaling,
            classes=self._training.classes(data, self._names),
            pixel_size_nm=data.pixel_size_nm,
            history=(*(start.card.history if start else ()), record),
            licence=request.licence,
            upscale=data.upscale,
        )


def _class_names(given: Sequence[str] | None, data: TrainingData) -> list[str]:
    """Return the names of the foreground classes, in the order of their values."""
    names = list(given or (f"class {value}" for value in data.class_values))
    if len(names) != len(data.class_values):
        raise UserError(
            f"Class names: {len(names)} given, {len(data.class_values)} needed, one for each painted class."
        )
    return names


def _load_start(start: str | Path | Model | None, settings: FinetuneSettings) -> Model | None:
    """Return the model to start from, or None for random weights."""
    if isinstance(start, Model):
        return start
    chosen = str(start) if start is not None else recommended_start(settings.task)
    if chosen == "scratch":
        return None
    model = load_model(chosen)
    if settings.generator not in (None, model.card.network.name):
        raise UserError(
            f"Start '{model.name}' is a {model.card.network.name}, not a {settings.generator}. "
            "Leave out --generator, or use --start scratch."
        )
    return model


def _network_spec(start: Model | None, settings: FinetuneSettings, data: TrainingData) -> NetworkSpec:
    """Return the network of the start, or the one asked for, with the output channels of the task.

    A start made in context remembers the classes that are learnt (`TaskTraining.adapted`): it has no last layer.
    """
    channels = task_of(settings.task).out_channels(data.classes, data.upscale)
    if start is not None:
        own = start.card.network
        if own.painted:
            return own
        norm = own.norm if settings.norm == "auto" else settings.norm
        smoothing = 0.0 if task_of(settings.task).gives_labels else own.smoothing_px
        changed = {"refine": settings.refine or own.refine, "norm": norm, "smoothing_px": smoothing}
        return own.for_output(channels).model_copy(update=changed)
    name = settings.generator or DEFAULT_GENERATOR
    norm = "batch" if settings.norm == "auto" else settings.norm
    return NetworkSpec(name=name, width=settings.width, out_channels=channels, refine=settings.refine, norm=norm)
