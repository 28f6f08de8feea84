"""The network of a model in context, made from a generator that gives vectors."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ...jobs.devices import Device, place
from ...models.build import build_network, mask_decoder_weights, network_of
from ...models.model_file import Model
from ...models.weights import transfer
from ...networks.in_context import SHARPNESS, InContextNetwork


def context_network(base: Model, classes: int, device: Device, filter_share: float = 0.0) -> InContextNetwork:
    """Return a generator's network, in evaluation mode and on the device, that remembers nothing yet.

    Parameters
    ----------
    base
        A generator with vectors.
    classes
        Number of classes, background included.
    device
        Where it will run.
    filter_share
        Of filters in what it answers, which have to be fitted first; 0: it answers alone.

    """
    bare = base.card.network.model_copy(update={"painted": (1,) * classes, "filter_share": filter_share})
    network = cast(InContextNetwork, network_of(bare))
    network.trunk.load_state_dict(build_network(base).state_dict())
    if SHARPNESS in base.weights:
        network.sharpness.data = torch.tensor(float(base.weights[SHARPNESS].item()))
    if network.mask_decoder is not None:
        transfer(mask_decoder_weights(base.weights), network.mask_decoder)
    return cast(InContextNetwork, place(network.eval(), device))


def remember(network: InContextNetwork, context: Sequence[Tensor]) -> None:
    """Let the network remember the vectors of painted pixels, for each class ``(c, n)``, background first."""
    where = network.sharpness.device
    network.context = nn.ParameterList(nn.Parameter(part.to(where).clone()) for part in context)
