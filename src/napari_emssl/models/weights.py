"""A generator from its card, and weights from one network to another."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..networks.generators import build_generator
from .model_file import NetworkSpec


def generator_of(spec: NetworkSpec) -> nn.Module:
    """Build the generator of a card with random weights, without what answers in context."""
    generator = build_generator(spec.name, spec.width, spec.out_channels, spec.refine, spec.norm)
    generator.smoothing_px, generator.image_share = spec.smoothing_px, spec.image_share
    return generator


def transfer(weights: Mapping[str, NDArray[np.generic]], network: nn.Module) -> list[str]:
    """Copy every weight whose name and shape match into `network`; return the names of those left as they were."""
    state = network.state_dict()
    left = [name for name in state if name not in weights or weights[name].shape != tuple(state[name].shape)]
    copied = {
        name: torch.from_numpy(np.array(weights[name])).to(state[name].dtype) for name in state if name not in left
    }
    network.load_state_dict(state | copied)
    return left


def spread_head(weights: Mapping[str, NDArray[np.generic]], network: nn.Module) -> dict[str, NDArray[np.generic]]:
    """Repeat what makes one output channel for all channels of `network`: a finer grid begins as the coarse one."""
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return {
        name: np.repeat(array, wanted[name][0], axis=0) if _makes_one_channel(array, wanted.get(name, ())) else array
        for name, array in weights.items()
    }


def _makes_one_channel(array: NDArray[np.generic], wanted: tuple[int, ...]) -> bool:
    return array.ndim > 0 and array.shape[0] == 1 and len(wanted) == array.ndim and array.shape[1:] == wanted[1:]


def to_numpy(weights: Mapping[str, Tensor]) -> dict[str, NDArray[np.generic]]:
    """Return weights as numpy arrays, for a `Model`."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in weights.items()}
