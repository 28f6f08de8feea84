"""Pretraining: a generator learns to restore corrupted micrographs, with a PatchGAN looking on."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ...data.images.image import ImageSource
from ...data.patches.loader import BatchLoader
from ...errors import UserError
from ...formatting import counted
from ...jobs.devices import Device, choose_device
from ...jobs.events import Control, Event, Finished, Job, Notice, Progress, Started, Update
from ...jobs.settings import PretrainSettings
from ...models.model_file import Card, Model, NetworkSpec
from ...models.tasks import task_of
from ...models.zoo import load_model
from ..learner import TrainingSchedule, TrainingSummary
from ..loop import run_training
from ..provenance import stage
from .data import PretrainingData, gather_unlabelled
from .distributed import ProcessGroup, process_group, run_follower, with_own_device
from .pix2pix import Pix2Pix
from .test_error import restoration_l1
from .torchrun_env import rank, size

_KNOWN_BATCHES, _KNOWN_SECONDS = 20, 30.0
"""Before that nothing is said about waiting: reading processes take seconds to start."""
_LONG_WAIT = 0.2
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
        Generator to go on from: a name from the zoo, a model file or a `Model`; None or ``scratch`` for random weights.
        It brings its network; the discriminator begins anew.
    name
        Name on the model's card; by default the generator's.
    resume, autosave
        Autosave file to go on from; where to write autosaves.
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
        base = _load_start(start)
        chosen = with_network_of(base, settings or PretrainSettings())
        called = name or chosen.generator
        asked = _Request(sources, chosen, base, called, resume, autosave, licence, command, split, keep_split)
        yield from asked.events(control)

    return Job(events)


def _load_start(start: str | Path | Model | None) -> Model | None:
    """Return the generator to go on from, or None for random weights."""
    if start is None or start == "scratch":
        return None
    base = start if isinstance(start, Model) else load_model(start)
    if not task_of(base.card.task).is_pretext:
        raise UserError(
            f"'{base.name}' is a model for the task {base.card.task}, no generator. Start from a generator, or from "
            "random weights."
        )
    return base


def with_network_of(base: Model | None, settings: PretrainSettings) -> PretrainSettings:
    """Return the settings with the network of a start in place of their default.

    Raises
    ------
    UserError
        When the settings ask for another network.

    """
    if base is None:
        return settings
    spec = base.card.network
    brought = {"generator": spec.name, "width": spec.width, "refine": spec.refine}
    for name, value in brought.items():
        asked = getattr(settings, name)
        if asked not in (value, PretrainSettings.model_fields[name].default):
            raise UserError(
                f"Start '{base.name}' brings its network, with {name} {_said(value)}, not {asked}. "
                f"Leave out --{name}, or start from random weights."
            )
    return settings.model_copy(update=brought)


def _said(value: object) -> str:
    return "as usual" if value is None else str(value)


@dataclass(frozen=True)
class _Request:
    """What a pretraining was asked for; see `pretrain`."""

    sources: Sequence[ImageSource]
    settings: PretrainSettings
    base: Model | None
    name: str
    resume: Path | None
    autosave: Path | None
    licence: str
    command: str
    split: Path | None
    keep_split: Path | None

    def events(self, control: Control) -> Iterator[Update | Finished[Model]]:
        """Yield the events of the job, in each process of a team."""
        device = choose_device(with_own_device(self.settings))
        ProcessGroup(rank(), size()).share_of(self.settings.batch_size)  # before the processes wait for each other
        with process_group(device.torch_device) as team:
            yield from self._train(control, device, team)

    def _train(self, control: Control, device: Device, team: ProcessGroup) -> Iterator[Update | Finished[Model]]:
        chosen = self.settings
        share = team.share_of(chosen.batch_size)
        material = gather_unlabelled(self.sources, chosen, self.split)
        validation, damaged = material.validation_patches() if team.leads else material.no_patches()
        feed = BatchLoader(material.training_patches(), chosen.batch_size, chosen.workers, share)
        feed.damaged.update(damaged)
        data = material.describe(feed.patches_per_epoch) | ({"processes": team.size} if team.size > 1 else {})
        learner = Pix2Pix(chosen, device, validation, partial(self._card, data, feed), team, self.base)
        with closing(feed):
            if not team.leads:
                return run_follower(team, learner, feed.batches, self.resume)
            yield Started(f"{team.prefix}{device.label}", device.reason, data["summary"])
            yield from map(Notice, material.remarks())
            told, plan = _Reading(feed, material), _plan(chosen, feed, self.autosave, data["summary"])
            with team.released():
                for number, event in enumerate(run_training(learner, plan, control, self.resume)):
                    if number == 0 and self.keep_split is not None:
                        material.write_split(self.keep_split)
                    yield from told.warnings(event)
                    yield _tested(event, material, device, control) if isinstance(event, Finished) else event

    def _card(self, data: dict[str, Any], feed: BatchLoader, outcome: TrainingSummary) -> Card:
        chosen = self.settings
        facts = data | {"damaged": len(feed.damaged)}
        base = self.base
        record = stage("pretrain", chosen, facts, outcome, base.name if base else None, self.command)
        return Card(
            name=self.name,
            task="reconstruct",
            network=NetworkSpec(name=chosen.generator, width=chosen.width, refine=chosen.refine),
            history=(*(base.card.history if base else ()), record),
            licence=self._licence(),
        )

    def _licence(self) -> str:
        """Both licences where a start was made with images of another one."""
        if self.base is None or self.base.card.licence == self.licence:
            return self.licence
        return f"{self.licence}; start '{self.base.name}': {self.base.card.licence}"


class _Reading:
    """Says which images turn out to be damaged, and when reading holds up the training."""

    def __init__(self, feed: BatchLoader, material: PretrainingData) -> None:
        self._feed, self._material = feed, material
        self._tell_at, self._waits_told = 1, False

    def warnings(self, event: Event) -> Iterator[Update]:
        """Yield the warnings due after an event of the training."""
        damaged = self._feed.damaged
        if len(damaged) >= self._tell_at:
            self._tell_at = 10 ** len(str(len(damaged)))
            name = self._material.name_of(min(damaged))
            planes = counted(len(damaged), "damaged plane")
            yield Notice(f"So far {planes} passed over, for example of {name}. Others are shown in their place.")
        if isinstance(event, Progress) and self._waits(event.seconds):
            self._waits_told = True
            share = self._feed.waited_seconds / event.seconds
            yield Notice(
                f"The training waits for images in {share:.0%} of its time. More --workers, or a pack "
                "('napari-emssl pack'), make it faster."
            )

    def _waits(self, seconds: float) -> bool:
        """Whether enough is known, and too much time is spent waiting."""
        known = self._feed.batches_read > _KNOWN_BATCHES and seconds > _KNOWN_SECONDS
        return known and not self._waits_told and self._feed.waited_seconds > _LONG_WAIT * seconds


def _tested(event: Finished[Model], material: PretrainingData, device: Device, control: Control) -> Finished[Model]:
    """Add the result on the test images to the card of the model, unless the run was stopped."""
    if event.stopped or not material.split.test:
        return event
    model = event.result
    l1 = restoration_l1(model, material.test_patches(), material.settings, device, lambda: control.stopped)
    if l1 is None:
        return event
    last = model.card.history[-1]
    history = (*model.card.history[:-1], last.model_copy(update={"data": last.data | {"test_l1": l1}}))
    return replace(event, result=Model(model.card.model_copy(update={"history": history}), model.weights))


def _plan(settings: PretrainSettings, feed: BatchLoader, autosave: Path | None, data: str) -> TrainingSchedule:
    epoch_steps = feed.patches_per_epoch / settings.batch_size
    epochs = settings.epochs or (None if settings.max_seconds else 1)
    total = settings.steps or (max(1, int(epoch_steps * epochs)) if epochs else None)
    often = _EVERY if total is None else total // 20
    return TrainingSchedule(
        batches=feed.batches,
        batch_size=settings.batch_size,
        total=total,
        max_seconds=settings.max_seconds,
        validation_interval=settings.validation_interval or max(1, min(int(epoch_steps), often)),
        preview_seconds=_PREVIEW_SECONDS,
        autosave=autosave,
        autosave_seconds=settings.autosave_seconds,
        patience=settings.patience,
        epoch_steps=epoch_steps,
        data=data,
        caption="a held-out patch, the same throughout",
    )
