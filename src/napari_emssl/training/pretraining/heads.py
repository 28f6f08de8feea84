"""Output channels of a generator: a vector for episodes, then the restored image, then the logit of objects."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ...errors import UserError
from ...jobs.pretrain_settings import PretrainSettings
from ...models.model_file import Model, NetworkSpec
from ...models.weights import generator_of, transfer

_HEADS = {"restore": "restore", "collage": "objects"}
"""Heads of one channel, by the pretext task that they belong to."""


def network_spec(settings: PretrainSettings) -> NetworkSpec:
    """Return the network that a pretraining trains, with a head for each of its pretext tasks."""
    heads = tuple(head for task, head in _HEADS.items() if task in settings.pretexts)
    vectors = settings.vector_channels if "episodes" in settings.pretexts else 0
    return NetworkSpec(
        name=settings.generator,
        width=settings.width,
        out_channels=vectors + len(heads),
        refine=settings.refine,
        vector_channels=vectors,
        mask_decoder=settings.mask_decoder if vectors and settings.mask_decoder not in ("auto", "none") else "",
        heads=heads,
        norm="batch" if settings.norm == "auto" else settings.norm,
    )


def started_generator(settings: PretrainSettings, start: Model | None) -> nn.Module:
    """Build the generator, with the weights of a start or with random ones.

    Raises
    ------
    UserError
        When the start lacks a weight.

    """
    spec = network_spec(settings)
    network = generator_of(spec)
    if start is None:
        return network
    if start.card.partial:
        raise UserError(
            f"'{start.name}' is a start from elsewhere that lacks some weights. Fine-tune it; to pretrain, choose a "
            "complete generator."
        )
    left = transfer(_with_heads(start, spec, network), network)
    if left:
        raise UserError(f"Start '{start.name}' lacks the tensor '{left[0]}': its file is damaged. Fetch it again.")
    return network


def keep_norms(generator: nn.Module) -> None:
    """Let the norms of a generator in training keep their statistics."""
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _with_heads(start: Model, spec: NetworkSpec, network: nn.Module) -> Mapping[str, NDArray[np.generic]]:
    """Return a start's weights for a network with other heads: those that both have are kept, others stay as drawn.

    Parameters
    ----------
    start
        A generator.
    spec
        The heads wanted.
    network
        The network that `spec` describes, with the weights drawn for it.

    """
    old = start.card.network
    if (old.out_channels, old.vector_channels, old.heads) == (spec.out_channels, spec.vector_channels, spec.heads):
        return start.weights
    pairs = [(old.channel_of(head), spec.channel_of(head)) for head in spec.heads]
    if old.vector_channels == spec.vector_channels:
        pairs += [(channel, channel) for channel in range(spec.vector_channels)]
    weights = dict(start.weights)
    for name, drawn in network.state_dict().items():
        if "head" in name.split(".") and name in weights:
            rows, brought = drawn.detach().cpu().numpy().copy(), np.asarray(weights[name])
            for source, goal in pairs:
                if source is not None and goal is not None:
                    rows[goal] = brought[source]
            weights[name] = rows
    return weights
