"""Networks from models, and models' weights from networks."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import UserError
from ..networks.generators import PAPER_UNET_WIDTH, build_generator
from ..networks.in_context import MASK_DECODER, InContextNetwork
from ..networks.mask_decoder import MaskDecoder
from .model_file import Model, NetworkSpec


def build_network(model: Model) -> nn.Module:
    """Build a model's network with its weights, in evaluation mode, on the CPU.

    Raises
    ------
    UserError
        When the weights do not fit the network the card names.

    """
    if model.card.partial:
        raise UserError(
            f"'{model.name}' is a start from elsewhere of which a part is missing, its last layer for instance. "
            "Fine-tune it first."
        )
    with torch.device("meta"):  # without memory: a card may ask for a network that has no place in any
        wanted = network_of(model.card.network).state_dict()
    for name, tensor in wanted.items():
        if name not in model.weights:
            raise UserError(f"Model '{model.name}' lacks the tensor '{name}': its file is damaged. Fetch it again.")
        shape = tuple(model.weights[name].shape)
        if shape != tuple(tensor.shape):
            raise UserError(
                f"Tensor '{name}' of model '{model.name}' has shape {shape} instead of {tuple(tensor.shape)}: "
                "its file is damaged. Fetch it again."
            )
    network = network_of(model.card.network)
    transfer(model.weights, network)
    return network.eval()


def network_of(spec: NetworkSpec) -> nn.Module:
    """Build the network of a card with random weights."""
    generator = build_generator(spec.name, spec.width, spec.out_channels, spec.refine, spec.norm)
    generator.smoothing_px, generator.image_share = spec.smoothing_px, spec.image_share
    if not spec.painted:
        return generator
    return InContextNetwork(
        generator, spec.vector_channels, spec.painted, mask_decoder_of(spec), spec.scale, spec.threshold
    )


def mask_decoder_of(spec: NetworkSpec) -> MaskDecoder | None:
    """Build the mask decoder of a card with random weights, or None where it has none."""
    if not spec.mask_decoder:
        return None
    return MaskDecoder(spec.mask_decoder, spec.width or PAPER_UNET_WIDTH, spec.vector_channels)


def mask_decoder_weights(weights: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Return a generator's weights of its mask decoder, by their names in the decoder."""
    prefix = f"{MASK_DECODER}."
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}


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
