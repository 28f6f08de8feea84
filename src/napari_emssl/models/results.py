"""Type and shape of what a model returns."""

import numpy as np

from .model_file import Card
from .tasks import task_of


def result_dtype(card: Card) -> np.dtype[np.generic]:
    """Return the type of a result: the smallest for labels, else float32."""
    return task_of(card.task).result_dtype(len(card.classes))


def result_shape(shape: tuple[int, ...], card: Card) -> tuple[int, ...]:
    """Return the shape of a result for an image of shape ``(..., h, w)``."""
    return (*shape[:-2], *(edge * card.upscale for edge in shape[-2:]))
