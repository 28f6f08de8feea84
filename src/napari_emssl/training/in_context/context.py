"""The vectors of painted pixels, which are all that a model in context remembers of its painting."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.patches.labelled import LabelledPlane
from ...jobs.devices import Device
from ...networks.in_context import InContextNetwork

_MARGIN_PX = 8
"""Kept around the painted pixels beyond the network's reach: their neighbours' vectors are whole, too."""


def painted_vectors(
    network: InContextNetwork, planes: Sequence[LabelledPlane], classes: int, most: int, seed: int, device: Device
) -> list[Tensor]:
    """Return unit vectors of painted pixels, for each class ``(dimensions, n)`` with n from 1 to `most`.

    Parameters
    ----------
    network
        Gives each pixel its vector; on the device.
    planes
        Scaled planes with their core targets (0 unpainted, 1 background, 2.. classes).
    classes
        Number of classes, background included.
    most
        Painted pixels kept of each class, drawn evenly from all planes together.
    seed
        Decides which are kept.
    device
        Where the network runs.

    """
    rng = np.random.default_rng(seed)
    chosen = [_drawn(planes, value, most, rng) for value in range(1, classes + 1)]
    found: list[list[Tensor]] = [[] for _ in range(classes)]
    for number, plane in enumerate(planes):
        pixels = [part[part[:, 0] == number, 1:] for part in chosen]
        if any(map(len, pixels)):
            for row, vectors in enumerate(_vectors_at(network, plane.image, pixels, device)):
                found[row].append(vectors)
    return [torch.cat(parts, dim=1) for parts in found]


def _drawn(planes: Sequence[LabelledPlane], value: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places (plane, row, column) of at most `most` pixels painted with a value, in the order of the planes."""
    places = [np.argwhere(plane.target == value) for plane in planes]
    every = np.concatenate([np.column_stack([np.full(len(part), n), part]) for n, part in enumerate(places)])
    kept = np.sort(rng.permutation(len(every))[:most])
    return np.asarray(every[kept], np.int64)


@torch.inference_mode()
def _vectors_at(
    network: InContextNetwork, image: NDArray[np.float32], pixels: Sequence[NDArray[np.int64]], device: Device
) -> list[Tensor]:
    """Vectors at some pixels of a plane, for each class; only what reaches these pixels goes through the network."""
    every = np.concatenate(pixels)
    reach, stride = network.receptive_field // 2 + _MARGIN_PX, network.stride
    low = np.maximum(every.min(0) - reach, 0) // stride * stride
    high = np.minimum(every.max(0) + 1 + reach, image.shape)
    window = image[low[0] : high[0], low[1] : high[1]]
    extended = np.pad(window, [(0, -edge % stride) for edge in window.shape], mode="reflect")
    with device.autocast():
        vectors = network.vectors(torch.from_numpy(extended)[None, None].to(device.torch_device))[0].flatten(1)
    width = extended.shape[1]
    return [vectors[:, torch.from_numpy((part - low) @ np.array([width, 1]))].cpu() for part in pixels]
