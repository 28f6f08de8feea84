"""The last layer of a segmentation model, brought to other classes than those it was trained for."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .model_file import Model
from .tasks import task_of


def new_classes(model: Model, names: Sequence[str]) -> list[str]:
    """Return the classes of a wanted row that a segmentation model does not know; all of them where it knows none."""
    known = {info.name for info in model.card.classes[1:]} if task_of(model.card.task).gives_labels else set()
    return [name for name in names if name not in known]


def with_classes(model: Model, names: Sequence[str]) -> Model:
    """Return a model whose last layer has these foreground classes, in this order; some of them may be new.

    Classes known by name keep their weights. A new one begins as the mean of all that were there, which is never the
    largest logit: until it is learnt, every pixel gets the class it had. A model that knows none of the names, or
    segments nothing, is returned as it is.
    """
    old = [info.name for info in model.card.classes[1:]]
    if old == list(names) or len(new_classes(model, names)) == len(names):
        return model
    weights = {
        name: _arranged(np.asarray(array, np.float32), old, names) if "head" in name.split(".") else array
        for name, array in model.weights.items()
    }
    return replace(model, weights=weights)


def _arranged(rows: NDArray[np.float32], old: Sequence[str], names: Sequence[str]) -> NDArray[np.float32]:
    """Reorder the output channels, the first axis; a single one is the logit of one class against background."""
    full = np.concatenate([-rows / 2, rows / 2]) if len(rows) == 1 else rows
    mean = full.mean(axis=0)
    wanted = np.stack([full[0], *(full[1 + old.index(name)] if name in old else mean for name in names)])
    return wanted if len(names) > 1 else wanted[1:] - wanted[:1]
