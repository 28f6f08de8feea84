"""The part of a fine-tuning that runs in the worker thread: gather, save the painting, start, put into the zoo."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.planes import Image
from ..errors import UserError
from ..jobs import child
from ..jobs.events import Job
from ..jobs.settings import FinetuneSettings
from ..models.file import Card, Model
from ..models.zoo import add_model, list_models, own_folder
from .paintings import save_painting, unused
from .requests import TrainingRequest


@dataclass(frozen=True)
class FinetuneOrder:
    """Everything a fine-tuning needs, read off the dock and the layers."""

    request: TrainingRequest
    settings: FinetuneSettings
    start: str | None
    name: str
    painting_path: Path


@dataclass(frozen=True)
class Trained:
    """A model that is in the zoo now."""

    name: str
    card: Card
    path: Path

    def sentence(self, stopped: bool) -> str:
        """Say what there is now."""
        dice = self.card.history[-1].metrics.get("dice") if self.card.history else None
        quality = f" Dice on held-out painting: {dice:.2f}." if dice is not None else ""
        ending = "Stopped early, but the" if stopped else "The"
        return f"{ending} model is in the zoo as '{self.name}'.{quality}"


def make_job(order: FinetuneOrder) -> Job:
    """Save the painting, read the images, and start the job in its process."""
    from ..data.painting import targets_from_painting  # brings scipy and scikit-image: too slow for opening a dock

    request = order.request
    save_painting(request, order.painting_path)
    targets, values = targets_from_painting(list(request.painting), request.unpainted, request.background_label)
    source = request.source
    images = [Image(source.name, plane[None], (), source.pixel_size_nm) for plane in request.images()]
    return child.run(
        "finetune", images, targets, order.settings, order.start,
        name=order.name, class_names=[f"label {value}" for value in values],
    )  # fmt: skip


def put_into_zoo(model: Model, order: FinetuneOrder) -> Any:
    """Add the model to the user's zoo under the wanted name, or the next free one."""
    name = free_name(order.name)
    path = add_model(model.renamed(name))
    return Trained(name, model.card.model_copy(update={"name": name}), path)


def free_name(wanted: str) -> str:
    """Return the name, with a number behind it where it is taken; raises `UserError` when it is empty."""
    if not wanted:
        raise UserError("The model has no name. Write one into 'Save as'.")
    shipped = {entry.name for entry in list_models() if entry.origin == "shipped"}
    name = unused(own_folder(), wanted, ".safetensors").stem if wanted not in shipped else f"{wanted} (own)"
    return name if name not in shipped else free_name(f"{name} (own)")
