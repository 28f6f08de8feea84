"""The part of a fine-tuning that runs in the worker thread: gather, save the painting, start, put into the zoo."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.planes import Image
from ..jobs import child
from ..jobs.events import Job
from ..jobs.settings import FinetuneSettings
from ..models.file import Card, Model
from ..models.zoo import add_model, list_models, own_folder
from .layers import Source
from .paintings import save_painting, unused
from .requests import TrainingRequest

_SCORES = {"dice": "Dice on held-out painting: {:.2f}.", "l1": "L1 on what was held out: {:.3g}."}


@dataclass(frozen=True)
class Draft:
    """What every way of training asks for, read off the dock."""

    settings: FinetuneSettings
    start: str | None
    name: str


@dataclass(frozen=True)
class Order:
    """One training, resolved: nothing that is done to layers or dock afterwards changes it."""

    draft: Draft
    layer: Any
    """The image layer that previews and the new model are for; to be found again, not to be read."""
    source: Source
    """That layer as it was, whose planes are previewed."""
    make_job: Callable[[], Job]
    """Starts the job; called in the worker thread, so it may read files and take its time."""
    notes: tuple[str, ...] = ()
    """Lines that stay on screen for the whole run."""


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


def start_segmenting(request: TrainingRequest, draft: Draft, painting_path: Path) -> Job:
    """Save the painting, read the images, and start the job in its process."""
    from ..data.painting import targets_from_painting  # brings scipy and scikit-image: too slow for opening a dock

    save_painting(request, painting_path)
    targets, values = targets_from_painting(list(request.painting), request.unpainted, request.background_label)
    source = request.source
    images = [Image(source.name, plane[None], (), source.pixel_size_nm) for plane in request.images()]
    return child.run(
        "finetune", images, targets, draft.settings, draft.start,
        name=draft.name, class_names=[f"label {value}" for value in values],
    )  # fmt: skip


def put_into_zoo(model: Model, wanted: str) -> Trained:
    """Add the model to the user's zoo under the wanted name, or the next free one."""
    name = free_name(wanted)
    path = add_model(model.renamed(name))
    return Trained(name, model.card.model_copy(update={"name": name}), path)


def free_name(wanted: str) -> str:
    """Return the name, with a number behind it where it is taken."""
    shipped = {entry.name for entry in list_models() if entry.origin == "shipped"}
    name = unused(own_folder(), wanted, ".safetensors").stem if wanted not in shipped else f"{wanted} (own)"
    return name if name not in shipped else free_name(f"{name} (own)")
