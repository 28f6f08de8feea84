"""What a model returns for an image: type, shape, pixel size and axes of the result, and what it is known by."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from ..data.formats.axes import PlaneAxis
from ..data.formats.units import PixelNm
from ..data.images.image import Image
from ..data.images.own_results import MadeBy
from .model_file import Card, Model
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
    made_by: MadeBy | None = None
    """What is written into files about its making."""

    @property
    def planes(self) -> int:
        """How many planes it has."""
        return int(np.prod(self.shape[:-2], dtype=int))


def result_layout(card: Card, image: Image, made_by: MadeBy | None = None) -> ResultLayout:
    """Return what the result of a model for an image looks like.

    Parameters
    ----------
    card
        Of the model.
    image
        It is applied to.
    made_by
        What is written into files about the making of the result.

    """
    shape = result_shape((*image.leading, *image.plane_shape), card)
    finer = None if image.pixel is None else PixelNm(*(edge / card.upscale for edge in image.pixel))
    return ResultLayout(shape, result_dtype(card), finer, image.axes, made_by)


def made_by_model(model: Model, augmented: bool) -> MadeBy:
    """Return what results are known by: the same for a model under any name, other weights and fields tell it apart.

    Parameters
    ----------
    model
        That is applied.
    augmented
        Whether the result is the average over turns and flips.

    """
    found = blake2b(digest_size=16)
    found.update(f"{augmented} {model.card.model_copy(update={'name': ''}).model_dump_json()}".encode())
    for name, array in sorted(model.weights.items()):
        found.update(f" {name} {array.dtype.str} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return MadeBy(model.name, found.hexdigest())


def result_dtype(card: Card) -> np.dtype[np.generic]:
    """Return the type of a result: the smallest unsigned integers that hold all labels, else float32."""
    return task_of(card.task).result_dtype(len(card.classes))


def result_shape(shape: tuple[int, ...], card: Card) -> tuple[int, ...]:
    """Return the shape of a result for an image of shape ``(..., h, w)``."""
    return (*shape[:-2], *(edge * card.upscale for edge in shape[-2:]))
