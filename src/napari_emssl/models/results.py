"""Type and shape of what a model returns."""

import numpy as np

from .model_file import Card


def result_dtype(card: Card) -> np.dtype[np.generic]:
    """Return the type of a result: the smallest for labels, else float32."""
    labels = card.task == "segment"
    return np.min_scalar_type(max(len(card.classes) - 1, 1)) if labels else np.dtype(np.float32)


def result_shape(shape: tuple[int, ...], card: Card) -> tuple[int, ...]:
    """Return the shape of a result for an image of shape ``(..., h, w)``."""
    return (*shape[:-2], *(edge * card.upscale for edge in shape[-2:]))
