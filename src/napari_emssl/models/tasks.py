"""What each task means for the network: its head, its loss, its output; and networks from models and back."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError
from ..networks.generators import build_generator
from .file import Card, Model, NetworkSpec


class Task(Protocol):
    """What training and use need to know of a task."""

    def out_channels(self, classes: int) -> int:
        """Channels of the network's output; `classes` counts the background and is ignored by restoration."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the scalar loss of an output ``(b, c, h, w)``."""

    def decode(self, output: Tensor) -> Tensor:
        """Turn an output ``(b, c, h, w)`` into probabilities or scaled intensities, float32."""


class Segment:
    """Classes of pixels. Two classes share one logit, so that a generator's head of one channel is kept."""

    def out_channels(self, classes: int) -> int:
        """One for background and one class, else one per class."""
        return 1 if classes <= 2 else classes

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Class-balanced cross-entropy over painted pixels; binary cross-entropy for one class.

        `target` is ``(b, h, w)`` int64: 0 unpainted (ignored), 1 background, 2.. classes. Every class that occurs in
        the batch has the same total weight.
        """
        logs = log_probabilities(output)
        painted = target > 0
        if not painted.any():
            return output.sum() * 0.0
        labels = (target - 1).clamp(min=0)
        counts = torch.bincount(labels[painted], minlength=logs.shape[1]).to(logs.dtype)
        present = (counts > 0).sum()
        weights = counts.sum() / (counts.clamp(min=1) * present)
        losses = functional.nll_loss(logs, labels, weights, reduction="none")
        return losses[painted].mean()

    def decode(self, output: Tensor) -> Tensor:
        """Return probabilities ``(b, classes, h, w)``, background first."""
        return log_probabilities(output).exp()


class Restore:
    """An intensity for every pixel: the pretext task, denoising, background removal, super-resolution."""

    def out_channels(self, classes: int) -> int:
        """One."""
        return 1

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """L1 + L2 against `target` ``(b, 1, h, w)``, as the paper does."""
        output = output.float()
        return functional.l1_loss(output, target) + functional.mse_loss(output, target)

    def decode(self, output: Tensor) -> Tensor:
        """Return scaled intensities ``(b, 1, h, w)``."""
        return output.float()


def log_probabilities(output: Tensor) -> Tensor:
    """Log-probabilities ``(b, max(c, 2), h, w)`` of logits ``(b, c, h, w)``; one channel is the logit of class 1."""
    output = output.float()
    if output.shape[1] == 1:
        return torch.cat([functional.logsigmoid(-output), functional.logsigmoid(output)], dim=1)
    return functional.log_softmax(output, dim=1)


def task_of(card: Card | str) -> Task:
    """Return the task of a card, or of that name."""
    name = card if isinstance(card, str) else card.task
    return Segment() if name == "segment" else Restore()


def build_network(model: Model) -> nn.Module:
    """Build a model's network with its weights, in evaluation mode, on the CPU.

    Raises
    ------
    UserError
        When the weights do not fit the network the card names.

    """
    network = network_of(model.card.network)
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in model.weights:
            raise UserError(f"Model '{model.name}' lacks the tensor '{name}': its file is damaged. Fetch it again.")
        shape = tuple(model.weights[name].shape)
        if shape != tuple(tensor.shape):
            raise UserError(
                f"Tensor '{name}' of model '{model.name}' has shape {shape} instead of {tuple(tensor.shape)}: "
                "its file is damaged. Fetch it again."
            )
    transfer(model.weights, network)
    return network.eval()


def network_of(spec: NetworkSpec) -> nn.Module:
    """Build the network of a card with random weights."""
    return build_generator(spec.name, spec.width, spec.out_channels, spec.refine)


def transfer(weights: Mapping[str, NDArray[Any]], network: nn.Module) -> list[str]:
    """Copy every weight whose name and shape match into `network`; return the names of those left as they were."""
    state = network.state_dict()
    left = [name for name in state if name not in weights or weights[name].shape != tuple(state[name].shape)]
    copied = {
        name: torch.from_numpy(np.array(weights[name])).to(state[name].dtype) for name in state if name not in left
    }
    network.load_state_dict(state | copied)
    return left


def to_numpy(weights: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return weights as numpy arrays, for a `Model`."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in weights.items()}
