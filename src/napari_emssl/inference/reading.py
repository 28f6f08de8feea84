"""Reading of images, ahead of the network that works on them.

An image may be damaged, and one among many may be skipped, so whatever goes wrong is one kind of error.
"""

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import Image, ImageSource
from ..data.images.intensity_scaling import IntensityScaling, Levels
from ..data.images.opening import as_image
from ..data.read_ahead import made_ahead
from ..errors import UserError
from .tiles import TilePlan, padded

_MOST_PX_AHEAD = 2**25
"""Larger planes are not read ahead: two more of them would be in memory."""
_MOST_PX_IN_BLOCK = 2**24
"""Of planes that are read together for several threads, unless that is less than one for each."""


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


@dataclass(frozen=True)
class PlaneBlock:
    """Planes that share passes through a network."""

    first: int
    """Number of the first of them."""
    planes: list[NDArray[np.generic]]
    """``(h, w)``, as they were read."""
    levels: list[Levels]
    units: NDArray[np.float32]
    """In scaled units, padded, ``(b, 1, h, w)``."""


def planes_in_block(planes: int, plan: TilePlan, at_once: int) -> int:
    """Return how many planes are read together, because they share a pass, or because passes run at the same time.

    Parameters
    ----------
    planes
        Of the image.
    plan
        How each is cut.
    at_once
        Passes at the same time.

    """
    if len(plan.regions) > 1:
        return 1
    if at_once == 1 or planes == 1:
        return plan.batch
    return plan.batch * min(4 * at_once, max(at_once, _MOST_PX_IN_BLOCK // (plan.height * plan.width)))


def scaled_planes(
    image: Image, scaling: IntensityScaling, firsts: range, stride: int, shared: Levels | None
) -> Generator[PlaneBlock, None, None]:
    """Read and scale planes in blocks; a thread does so with the next ones while the caller works on one block.

    Parameters
    ----------
    image
        Whose planes are read, each once.
    scaling
        Of the model.
    firsts
        The first plane of each block; its step is the number of planes in one.
    stride
        Planes are padded to multiples of it, pixels.
    shared
        Levels of the stack; None where each plane has its own.

    Yields
    ------
    PlaneBlock
        At most two more are in memory than the caller holds, and none of planes of more than 33 megapixels.

    Raises
    ------
    UnreadableError
        When a plane cannot be read, in its turn.

    """
    height, width = image.plane_shape
    prepare = partial(_scaled_block, image, scaling, firsts, stride, shared)
    alone = len(firsts) < 2 or firsts.step * height * width > _MOST_PX_AHEAD
    yield from map(prepare, firsts) if alone else made_ahead(prepare, firsts, 1)


def _scaled_block(
    image: Image, scaling: IntensityScaling, firsts: range, stride: int, shared: Levels | None, first: int
) -> PlaneBlock:
    planes = [read_plane(image, i) for i in range(first, min(first + firsts.step, firsts.stop))]
    clean = [scaling.repaired(plane) for plane in planes]
    levels = [shared or scaling.fit(plane) for plane in clean]
    units = [padded(level.to_unit(plane), stride) for level, plane in zip(levels, clean, strict=True)]
    stack = units[0][None] if len(units) == 1 else np.stack(units)
    return PlaneBlock(first, planes, levels, stack[:, None])
