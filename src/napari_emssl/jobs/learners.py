"""From a task to its learner."""

from collections.abc import Callable

import torch

from ..models.file import Card, Model, NetworkSpec
from ..models.tasks import network_of, spread_head, transfer
from .annotations import Annotations
from .devices import Device
from .learning import Outcome
from .restorer import NoiseLearner, Restorer
from .segmenter import Segmenter
from .settings import FinetuneSettings


def learner_of(
    base: Model | None,
    spec: NetworkSpec,
    settings: FinetuneSettings,
    device: Device,
    annotations: Annotations,
    card: Callable[[Outcome], Card],
) -> Segmenter | Restorer:
    """Build the network, random weights drawn by the seed, give it those of the start that fit, and its learner."""
    torch.manual_seed(settings.seed)
    network = network_of(spec)
    if settings.task == "segment":
        fresh = transfer(base.weights, network) if base else list(network.state_dict())
        return Segmenter(network, settings, device, annotations, card, fresh)
    fresh = transfer(spread_head(base.weights, network), network) if base else list(network.state_dict())
    if annotations.supervision:
        return NoiseLearner(network, settings, device, annotations, card, fresh)
    return Restorer(network, settings, device, annotations, card, fresh)
