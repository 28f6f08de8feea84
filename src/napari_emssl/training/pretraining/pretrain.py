"""Pretraining: a generator learns pretext tasks on micrographs without labels, by default to restore them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ...data.images.image import ImageSource
from ...data.patches.loader import BatchLoader
from ...errors import UserError
from ...jobs.devices import Device, choose_device
from ...jobs.events import Control, Finished, Job, Notice, Started, Update
from ...jobs.pretrain_settings import PretrainSettings
from ...models.model_file import Card, Model, NetworkSpec, digest_of
from ...models.tasks import task_of
from ...models.zoo import resolve_model
from ..learner import BatchT, Learner, TrainingSchedule, TrainingSummary
from ..loop import run_training
from ..provenance import stage
from ..steps import follow_training
from .data import PretrainingData, gather_unlabelled
from .distributed import ProcessGroup, process_group, with_own_device
from .heads import network_spec
from .pretext_training import PretrainingEvents, TrainingParts, training_of
from .reading import Reader, ReadingMonitor
from .test_error import restoration_l1
from .torchrun_env import rank, size

_EVERY = 50
"""Steps between two validations at most, where nobody knows how many steps there will be."""
_PREVIEW_SECONDS = 5.0


def pretrain(
    sources: Sequence[ImageSource],
    settings: PretrainSettings | None = None,
    *,
    start: str | Path | Model | None = None,
    name: str | None = None,
    resume: Path | None = None,
    autosave: Path | None = None,
    licence: str = "unknown",
    command: str = "",
    split: Path | None = None,
    keep_split: Path | None = None,
) -> Job[Model]:
    """Pretrain a generator on unlabelled micrographs.

    Parameters
    ----------
    sources
        Folders (searched through), files, packs and arrays ``(h, w)`` or ``(n, h, w)``, in any mix.
    settings
        Defaults are the paper's.
    start
        Generator to start from: a name from the zoo, a model file or a `Model`; None or ``scratch`` for random weights.
        It brings its network; the discriminator starts from random weights.
    name
        Name on the model's card; by default the generator's.
    resume, autosave
        Autosave file to resume from; where to write autosaves.
    licence
        Licence of the images, for the card.
    command
        The command line, for the card.
    split, keep_split
        A split that another run wrote, to use it again; where to write the split of this run.

    Returns
    -------
    Job
        Its result is a `Model` of task ``reconstruct``.

    Raises
    ------
    UserError
        From the iteration: no readable image, unknown generator, start or device, damaged autosave or split.

    """

    def events(control: Control) -> Iterator[Update | Finished[Model]]:
        model = _load_start(start)
        chosen = with_network_of(model, settings or PretrainSettings())
        called = name or chosen.generator
        request = _PretrainingRun(sources, chosen, model, called, resume, autosave, licence, command, split, keep_split)
        yield from request.events(control)

    return Job(events)


def _load_start(start: str | Path | Model | None) -> Model | None:
    """Return the generator to start from, or None for random weights."""
    if start is None or start == "scratch":
        return None
    model = resolve_model(start)
    if not task_of(model.card.task).is_pretext:
        raise UserError(
            f"'{model.name}' is a model for the task {model.card.task}, not a generator. Start from a generator, or "
            "from "
            "random weights."
        )
    return model


def with_network_of(start: Model | None, settings: PretrainSettings) -> PretrainSettings:
    """Return the settings with the network of a start in place of their default.

    Raises
    ------
    UserError
        When the settings ask for another network.

    """
    if start is None:
        return settings
    spec = start.card.network
    brought = {"generator": spec.name, "width": spec.width, "refine": spec.refine, "norm": spec.norm}
    for name, value in brought.items():
        asked = getattr(settings, name)
        if asked not in (value, PretrainSettings.model_fields[name].default):
            raise UserError(
                f"Start '{start.name}' brings its own network, with {name} {_shown(value)}, not {asked}. "
                f"Leave out --{name}, or start from random weights."
            )
    # settings stay as they were given, so that a run can be resumed with the same flags
    brought |= {"norm": settings.norm if spec.norm == "batch" else spec.norm}
    return settings.model_copy(update=brought | _episodes_of(spec, settings))


def _episodes_of(spec: NetworkSpec, settings: PretrainSettings) -> dict[str, object]:
    """Return what a start answers episodes with, where the settings leave it open."""
    if not spec.vector_channels:
        return {}
    default = PretrainSettings.model_fields["vector_channels"].default
    vectors = spec.vector_channels if settings.vector_channels == default else settings.vector_channels
    return {
        "vector_channels": vectors,
        "mask_decoder": (spec.mask_decoder or "none") if settings.mask_decoder == "auto" else settings.mask_decoder,
    }


def _shown(value: object) -> str:
    return "as usual" if value is None else str(value)


@dataclass(frozen=True)
class _PretrainingRun:
    """What a pretraining was asked for; see `pretrain`."""

    sources: Sequence[ImageSource]
    settings: PretrainSettings
    start: Model | None
    name: str
    resume: Path | None
    autosave: Path | None
    licence: str
    command: str
    split: Path | None
    keep_split: Path | None

    def events(self, control: Control) -> PretrainingEvents:
        """Yield the events of the job, in each process of a group."""
        device = choose_device(with_own_device(self.settings))
        ProcessGroup(rank(), size()).share_of(self.settings.batch_size)  # before the processes wait for each other
        with process_group(device.torch_device) as group:
            yield from self._train(control, device, group)

    def _train(self, control: Control, device: Device, group: ProcessGroup) -> PretrainingEvents:
        chosen = self.settings
        data = gather_unlabelled(self.sources, chosen, self.split)
        # only the leader validates: the others need not read and keep thousands of patches
        validates = group.leads and "restore" in chosen.pretexts
        validation, damaged = data.validation_patches() if validates else data.no_patches()
        share = group.share_of(chosen.batch_size)
        loader = BatchLoader(data.training_patches(), chosen.batch_size, chosen.workers, share)
        loader.damaged.update(damaged)
        facts = data.describe(loader.patches_per_epoch) | ({"processes": group.size} if group.size > 1 else {})
        card = partial(self._card, facts, loader)
        with closing(loader):
            run = _GatheredRun(self, data, device, group, control, loader)
            parts = TrainingParts(chosen, device, data, loader, validation, share, card, group, self.start)
            yield from training_of(chosen.pretexts)(parts, run.events)

    def _card(self, facts: dict[str, object], loader: BatchLoader, summary: TrainingSummary) -> Card:
        chosen, start = self.settings, self.start
        data = facts | {"damaged": len(loader.damaged)}
        record = stage("pretrain", chosen, data, summary, start.name if start else None, self.command)
        return Card(
            name=self.name,
            task="reconstruct",
            network=network_spec(chosen),
            history=(*(start.card.history if start else ()), record),
            licence=self._licence(),
        )

    def _licence(self) -> str:
        """Both licences where a start was made with images of another one."""
        if self.start is None or self.start.card.licence == self.licence:
            return self.licence
        return f"{self.licence}; start '{self.start.name}': {self.start.card.licence}"


@dataclass(frozen=True)
class _GatheredRun:
    """A pretraining whose images are gathered, in one of its processes."""

    request: _PretrainingRun
    data: PretrainingData
    device: Device
    group: ProcessGroup
    control: Control
    loader: BatchLoader

    def events(
        self, learner: Learner[BatchT], batches: Callable[[int], Iterator[BatchT]], reader: Reader
    ) -> PretrainingEvents:
        """Train; the process that leads yields the events of the job, the others none.

        Parameters
        ----------
        learner, batches, reader
            As for `RunTraining`.

        """
        group, data, request = self.group, self.data, self.request
        if not group.leads:
            follow_training(learner, batches, group.announced(), request.resume)
            return
        summary = data.summary(self.loader.patches_per_epoch)
        yield Started(f"{group.prefix}{self.device.label}", self.device.reason, summary)
        yield from map(Notice, data.remarks())
        reading, schedule = ReadingMonitor(reader, data), self._schedule(batches, summary)
        with group.released():
            for number, event in enumerate(run_training(learner, schedule, self.control, request.resume)):
                if number == 0 and request.keep_split is not None:
                    data.write_split(request.keep_split)
                yield from reading.warnings(event)
                yield _tested(event, data, self.device, self.control) if isinstance(event, Finished) else event

    def _schedule(self, batches: Callable[[int], Iterator[BatchT]], data: str) -> TrainingSchedule[BatchT]:
        settings = self.request.settings
        epoch_steps = self.loader.patches_per_epoch / settings.batch_size
        epochs = settings.epochs or (None if settings.max_seconds else 1)
        total = settings.steps or (max(1, int(epoch_steps * epochs)) if epochs else None)
        resumable = self.request.autosave is not None or self.request.resume is not None
        often = _EVERY if total is None else total // 20
        return TrainingSchedule(
            batches=batches,
            batch_size=settings.batch_size,
            total=total,
            max_seconds=settings.max_seconds,
            validation_interval=settings.validation_interval or max(1, min(int(epoch_steps), often)),
            preview_seconds=_PREVIEW_SECONDS,
            autosave=self.request.autosave,
            autosave_seconds=settings.autosave_seconds,
            patience=settings.patience,
            epoch_steps=epoch_steps,
            tunes_threads=self.device.tunes_threads and self.group.size == 1,
            data=data,
            data_digest=self.data.digest() if resumable else "",
            start_digest=digest_of(self.request.start) if resumable else "",
            caption="a held-out patch, the same throughout",
        )


def _tested(event: Finished[Model], data: PretrainingData, device: Device, control: Control) -> Finished[Model]:
    """Add the result on the test images to the card of the model, unless the run was stopped."""
    if event.stopped or not data.split.test or "restore" not in data.settings.pretexts:
        return event
    model = event.result
    l1 = restoration_l1(model, data.test_patches(), data.settings, device, lambda: control.stopped)
    if l1 is None:
        return event
    last = model.card.history[-1]
    history = (*model.card.history[:-1], last.model_copy(update={"data": last.data | {"test_l1": l1}}))
    return replace(event, result=Model(model.card.model_copy(update={"history": history}), model.weights))
