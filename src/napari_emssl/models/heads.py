"""What a segmentation model knows of its classes, brought to other classes than those it was made for."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .model_file import Model
from .tasks import task_of

_TRUNK, _CONTEXT = "trunk.", "context."
"""What the tensors of a model in context are called: those of its generator, and the vectors of its classes."""


def new_classes(model: Model, names: Sequence[str]) -> list[str]:
    """Return the classes of a wanted row that a segmentation model does not know; all of them where it knows none.

    A model made in context knows either all classes of a row or none.
    """
    known = {info.name for info in model.card.classes[1:]} if task_of(model.card.task).gives_labels else set()
    known = set() if model.card.network.painted and known != set(names) else known
    return [name for name in names if name not in known]


def with_classes(model: Model, names: Sequence[str]) -> Model:
    """Return a model that gives these foreground classes, in this order; some of them may be new.

    Classes known by name keep their weights. A new one begins as the mean of all that were there, which is never the
    largest logit: until it is learnt, every pixel gets the class it had. A model that knows none of the names, or
    segments nothing, is returned as it is. A model made in context keeps its painted pixels where it has just these
    classes; otherwise its generator is returned.
    """
    old = [info.name for info in model.card.classes[1:]]
    if model.card.network.painted:
        return _in_order(model, old, names) if set(old) == set(names) else without_context(model)
    if old == list(names) or len(new_classes(model, names)) == len(names):
        return model
    weights = {
        name: _arranged(np.asarray(array, np.float32), old, names) if "head" in name.split(".") else array
        for name, array in model.weights.items()
    }
    return replace(model, weights=weights)


def without_context(model: Model) -> Model:
    """Return the generator that a model in context was made with; any other model as it is."""
    card = model.card
    if not card.network.painted:
        return model
    trunk = {name.removeprefix(_TRUNK): array for name, array in model.weights.items() if not name.startswith(_CONTEXT)}
    network = card.network.model_copy(update={"painted": ()})
    return Model(card.model_copy(update={"task": "reconstruct", "network": network, "classes": ()}), trunk)


def _in_order(model: Model, old: Sequence[str], names: Sequence[str]) -> Model:
    """Put the painted pixels of a model in context into the order of these classes, which are its own."""
    rows = [0, *(1 + old.index(name) for name in names)]
    painted = {f"{_CONTEXT}{row}": model.weights[f"{_CONTEXT}{place}"] for row, place in enumerate(rows)}
    network = model.card.network.model_copy(update={"painted": tuple(model.card.network.painted[row] for row in rows)})
    classes = tuple(model.card.classes[row] for row in rows)
    card = model.card.model_copy(update={"network": network, "classes": classes})
    return replace(model, card=card, weights={**model.weights, **painted})


def _arranged(rows: NDArray[np.float32], old: Sequence[str], names: Sequence[str]) -> NDArray[np.float32]:
    """Reorder the output channels, the first axis; a single one is the logit of one class against background."""
    full = np.concatenate([-rows / 2, rows / 2]) if len(rows) == 1 else rows
    mean = full.mean(axis=0)
    wanted = np.stack([full[0], *(full[1 + old.index(name)] if name in old else mean for name in names)])
    return wanted if len(names) > 1 else wanted[1:] - wanted[:1]
