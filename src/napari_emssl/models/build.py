"""Networks from models: a generator, and around it what answers in context where the card says so."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode

from ..errors import UserError
from ..networks.filter_classifier import FilterClassifier
from ..networks.generators import PAPER_UNET_WIDTH
from ..networks.in_context import MASK_DECODER, InContextNetwork
from ..networks.mask_decoder import MaskDecoder
from .model_file import Model, NetworkSpec
from .weights import generator_of, transfer


def build_network(model: Model) -> nn.Module:
    """Build a model's network with its weights, in evaluation mode, on the CPU.

    Raises
    ------
    UserError
        When the weights do not fit the network the card names.

    """
    if model.card.partial:
        raise UserError(
            f"'{model.name}' is a start from elsewhere that lacks some weights, for instance those of the last layer. "
            "Fine-tune it first."
        )
    try:
        with without_memory():  # a card may ask for a network that has no place in any
            wanted = network_of(model.card.network).state_dict()
    except UserError as error:
        raise UserError(f"The card of model '{model.name}' names a network that cannot be made. {error}") from error
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


@contextmanager
def without_memory() -> Iterator[None]:
    """Make networks in a block that have shapes but no values."""
    with torch.device("meta"), _WithoutRandomNumbers():
        yield


class _WithoutRandomNumbers(TorchFunctionMode):
    """Draws no random weights: for tensors without memory torch would load its compiler to do so, 110 MB of modules."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (torch.Tensor.normal_, nn.init.normal_):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def network_of(spec: NetworkSpec) -> nn.Module:
    """Build the network of a card with random weights."""
    generator = generator_of(spec)
    if not spec.painted:
        return generator
    filters = FilterClassifier(len(spec.painted), spec.filter_share) if spec.filter_share else None
    return InContextNetwork(
        generator, spec.vector_channels, spec.painted, mask_decoder_of(spec), spec.scale, spec.threshold, filters
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
