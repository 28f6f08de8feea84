"""What becomes of a training in the viewer: its model goes into the zoo, its autosaves stay only where it died."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from ...data.images.user_folder import home, safe_stem, unused_path
from ...errors import UserError
from ...models.card import Card, objects_of
from ...models.model_file import Model
from ...models.zoo import add_model, free_name
from ..job.request import RunOptions

_DICE = "Dice on held-out painting: {:.2f}."
_SCORES = {"dice_adjusted": _DICE, "dice": _DICE, "l1": "L1 on what was held out: {:.3g}."}
"""The first of these that a card has is told."""
_KEPT_AUTOSAVES = 5
"""Autosaves of trainings that came to no end, the newest ones, which stay on the disk."""


@dataclass(frozen=True)
class Trained:
    """A model that is in the zoo now."""

    name: str
    card: Card
    path: Path

    def describe(self, stopped: bool) -> str:
        """Say what there is now."""
        metrics = self.card.history[-1].metrics if self.card.history else {}
        scores = [text.format(metrics[name]) for name, text in _SCORES.items() if name in metrics]
        told = (self.card.history and objects_of(self.card.history[-1])) or "".join(scores[:1])
        ending = "Stopped early, but the" if stopped else "The"
        return f"{ending} model is in the zoo as '{self.name}'. {told}".rstrip()


def put_into_zoo(model: Model, options: RunOptions) -> Trained:
    """Add the model to the user's zoo under the wanted name, or the next free one, and delete its autosave."""
    while True:
        name = free_name(options.name)
        try:
            path = add_model(model.renamed(name))
            break
        except UserError:
            if free_name(options.name) == name:  # else a training of the same name ended just now, in another viewer
                raise
    if options.autosave is not None:
        options.autosave.unlink(missing_ok=True)
    return Trained(name, model.card.model_copy(update={"name": name}), path)


def autosave_path(name: str) -> Path:
    """Return where a training writes its autosaves, a file that does not exist yet; old ones are cleared away."""
    folder = home() / "autosaves"
    newest_first = sorted(folder.glob("*.pt"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[_KEPT_AUTOSAVES:]:
        old.unlink(missing_ok=True)
    # trainings that begin one after the other, in two viewers, may have one name, and write nothing for a while
    return unused_path(folder, f"{safe_stem(name)} {uuid.uuid4().hex[:8]}", ".pt")
