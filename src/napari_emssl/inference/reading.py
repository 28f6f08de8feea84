"""Reading of images that may be damaged: one among many may be skipped, so whatever goes wrong is one kind of error."""

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import Image, ImageSource
from ..data.images.intensity_scaling import IntensityScaling, Levels
from ..data.images.opening import as_image
from ..errors import UserError


class UnreadableError(UserError):
    """An image, or a plane of it, that cannot be read."""


def open_image(source: ImageSource) -> Image:
    """Return `as_image` of `source`; raises `UnreadableError`."""
    try:
        return as_image(source)
    except UserError as error:
        raise UnreadableError(str(error)) from error


def read_plane(image: Image, index: int) -> NDArray[np.generic]:
    """Return a plane ``(h, w)``; raises `UnreadableError`."""
    try:
        return image.plane(index)
    except UserError as error:
        raise UnreadableError(str(error)) from error


def stack_levels(image: Image, scaling: IntensityScaling) -> Levels:
    """Return the levels of a stack as a whole, for which some of its planes are read; raises `UnreadableError`."""
    try:
        return scaling.fit(image.planes)
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadableError(f"{image.path or image.name} cannot be read ({error}).") from error
