"""Planes with their targets, and what patches of them have in common: how they are cut, and the form of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..splits.copies import turn_plane

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class LabelledPlane:
    """A plane with its target: `image` ``(h, w)`` float32 scaled, `target` ``(h, w)`` of the same grid."""

    image: NDArray[np.float32]
    target: NDArray[Any]
    """Core labels uint8 (0 unpainted, 1 background, 2.. classes), or intensities float32, whose grid may be finer."""
    source: str = ""
    """The image it is a plane of; planes of one image stay together when images are held out."""
    assumed: NDArray[np.bool_] | None = None
    """Background of the target that nobody has painted, ``(h, w)``: rings around painted objects."""
    origin: str = ""
    """What it was cut from, see `data.splits.origins`; planes of one origin stay together, too."""

    @property
    def by_hand(self) -> NDArray[Any]:
        """The target without the background that nobody has painted."""
        return self.target if self.assumed is None else np.where(self.assumed, 0, self.target).astype(self.target.dtype)

    def turned(self, code: int) -> "LabelledPlane":
        """Return one of its 8 flips and quarter turns, see `corruption.turn`."""
        image, target = (turn_plane(plane, code) for plane in (self.image, self.target))
        assumed = None if self.assumed is None else turn_plane(self.assumed, code)
        return replace(self, image=image, target=target, assumed=assumed)


LabelledBatch = tuple[Tensor, Tensor]
"""Images ``(b, 1, patch, patch)`` float32 with the targets of their pixels."""


class LabelledPatches(Protocol):
    """Batches of patches, each wholly decided by the seed and the step."""

    def batch(self, step: int, size: int) -> LabelledBatch:
        """Return a batch of `size` patches for a step."""


def cut(plane: NDArray[T], corner: Sequence[int], edge: int, fill: Literal["reflect", "zero"]) -> NDArray[T]:
    """Cut a square that may reach over the border.

    Parameters
    ----------
    plane
        ``(h, w)``.
    corner
        Row and column of the upper left pixel, negative beyond the border.
    edge
        Of the square, pixels.
    fill
        What lies beyond the border: ``reflect`` mirrors the plane, ``zero`` puts zeros.

    Returns
    -------
    numpy.ndarray
        ``(edge, edge)``, contiguous.

    """
    indices, inside = [], []
    for start, length in zip(corner, plane.shape, strict=True):
        index = np.arange(start, start + edge)
        inside.append((index >= 0) & (index < length))
        index = index % (2 * length)
        indices.append(np.minimum(index, 2 * length - 1 - index))
    square = plane[np.ix_(*indices)]
    if fill == "zero":
        square = np.where(np.outer(*inside), square, square.dtype.type(0))
    return np.ascontiguousarray(square)


def resize_image(image: Tensor, size: int) -> Tensor:
    """Resize ``(1, h, w)`` to a square, bilinearly and antialiased."""
    if image.shape[-1] == size:
        return image
    return functional.interpolate(image[None], (size, size), mode="bilinear", antialias=True)[0]


def resize_labels(labels: Tensor, size: int) -> Tensor:
    """Resize labels ``(h, w)`` int64 to a square; every pixel gets the nearest one."""
    if labels.shape[-1] == size:
        return labels
    nearest = functional.interpolate(labels[None, None].to(torch.float32), (size, size), mode="nearest-exact")
    return nearest[0, 0].to(torch.int64)
