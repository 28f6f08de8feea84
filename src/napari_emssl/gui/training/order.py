"""The part of a fine-tuning that runs in the worker thread: gather, save the painting, start, put into the zoo."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ...data.images.user_folder import safe_stem, unused_path
from ...jobs.events import Job
from ...jobs.settings import FinetuneSettings
from ...models.model_file import Card, Model
from ...models.zoo import add_model, free_name, home
from ..layers.layers import LayerSnapshot

_SCORES = {"dice": "Dice on held-out painting: {:.2f}.", "l1": "L1 on what was held out: {:.3g}."}


_KEPT_AUTOSAVES = 5
"""Autosaves of trainings that came to no end, the newest ones, which stay on the disk."""


@dataclass(frozen=True)
class RunOptions:
    """What every way of training asks for, read off the dock."""

    settings: FinetuneSettings
    start: str | None
    name: str
    autosave: Path
    """Where the job writes its autosaves."""
    resume: Path | None = None
    """Autosave to go on from, for an order that is given once more."""


@dataclass(frozen=True)
class TrainingOrder:
    """One training, resolved: nothing that is done to layers or dock afterwards changes it."""

    draft: RunOptions
    layer: Any
    """The image layer that previews and the new model are for; to be found again, not to be read."""
    source: LayerSnapshot
    """That layer as it was, whose planes are previewed."""
    start_job: Callable[[RunOptions], Job[Model]]
    """Starts the job as the draft says; called in the worker thread, so it may read files and take its time."""
    notes: tuple[str, ...] = ()
    """Lines that stay on screen for the whole run."""

    def make_job(self) -> Job[Model]:
        """Start the job."""
        return self.start_job(self.draft)

    def resumed(self) -> "TrainingOrder":
        """Return the same order, to go on from its last autosave."""
        return replace(self, draft=replace(self.draft, resume=self.draft.autosave))


@dataclass(frozen=True)
class Trained:
    """A model that is in the zoo now."""

    name: str
    card: Card
    path: Path

    def sentence(self, stopped: bool) -> str:
        """Say what there is now."""
        metrics = self.card.history[-1].metrics if self.card.history else {}
        scores = [f" {text.format(metrics[name])}" for name, text in _SCORES.items() if name in metrics]
        ending = "Stopped early, but the" if stopped else "The"
        return f"{ending} model is in the zoo as '{self.name}'.{''.join(scores[:1])}"


class AutosavedRun(Protocol):
    """What is asked of a training whose model is to be kept."""

    @property
    def name(self) -> str:
        """The wanted name."""

    @property
    def autosave(self) -> Path:
        """Where the job wrote its autosaves."""


def put_into_zoo(model: Model, draft: AutosavedRun) -> Trained:
    """Add the model to the user's zoo under the wanted name, or the next free one; its autosave is done with."""
    name = free_name(draft.name)
    path = add_model(model.renamed(name))
    draft.autosave.unlink(missing_ok=True)
    return Trained(name, model.card.model_copy(update={"name": name}), path)


def autosave_path(name: str) -> Path:
    """Return where a training writes its autosaves, a file that does not exist yet; old ones are cleared away."""
    folder = home() / "autosaves"
    newest_first = sorted(folder.glob("*.pt"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[_KEPT_AUTOSAVES:]:
        old.unlink(missing_ok=True)
    return unused_path(folder, safe_stem(name), ".pt")
