"""What a model returns for an image: type, shape, pixel size and axes of the result."""

from dataclasses import dataclass

import numpy as np

from ..data.formats.axes import PlaneAxis
from ..data.formats.units import PixelNm
from ..data.images.image import Image
from .model_file import Card
from .tasks import task_of


@dataclass(frozen=True)
class ResultLayout:
    """What the result for one image looks like."""

    shape: tuple[int, ...]
    """``(..., h, w)``; the axes before the last two are those of the image."""
    dtype: np.dtype[np.generic]
    pixel: PixelNm | None = None
    """Height and width of a pixel; None where the image is not calibrated."""
    axes: tuple[PlaneAxis, ...] = ()
    """What the axes before the last two count; empty where nothing is known of them."""

    @property
    def planes(self) -> int:
        """How many planes it has."""
        return int(np.prod(self.shape[:-2], dtype=int))


def result_layout(card: Card, image: Image) -> ResultLayout:
    """Return what the result of a card's model for an image looks like."""
    shape = result_shape((*image.leading, *image.plane_shape), card)
    finer = None if image.pixel is None else PixelNm(*(edge / card.upscale for edge in image.pixel))
    return ResultLayout(shape, result_dtype(card), finer, image.axes)


def result_dtype(card: Card) -> np.dtype[np.generic]:
    """Return the type of a result: the smallest unsigned integers that hold all labels, else float32."""
    return task_of(card.task).result_dtype(len(card.classes))


def result_shape(shape: tuple[int, ...], card: Card) -> tuple[int, ...]:
    """Return the shape of a result for an image of shape ``(..., h, w)``."""
    return (*shape[:-2], *(edge * card.upscale for edge in shape[-2:]))
