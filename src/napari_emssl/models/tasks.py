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
from .model_file import Card, Model, NetworkSpec


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
    """An intensity for every pixel: the pretext task, denoising, background removal, super-resolution.

    Parameters
    ----------
    upscale
        How many times finer the grid of the result is. The network's output has ``upscale ** 2`` channels then, which
        are the pixels of the finer grid within one of the image's (sub-pixel convolution, Shi et al. 2016,
        arXiv 1609.05158).

    """

    def __init__(self, upscale: int = 1) -> None:
        self.upscale = upscale

    def out_channels(self, classes: int) -> int:
        """One for each pixel of the result within a pixel of the image."""
        return self.upscale**2

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """L1 + L2 against `target` ``(b, 1, upscale * h, upscale * w)``, as the paper does."""
        output = self.decode(output)
        return functional.l1_loss(output, target) + functional.mse_loss(output, target)

    def decode(self, output: Tensor) -> Tensor:
        """Return scaled intensities ``(b, 1, upscale * h, upscale * w)``."""
        return functional.pixel_shuffle(output.float(), self.upscale)


class RestoreFromNoise(Restore):
    """The clean intensity of every pixel, learnt from noisy ones.

    The loss is squared alone: what has the least squared distance from noisy values is their mean, which is the clean
    one; the least absolute distance is that from their median, which is darker where noise is skewed as counts are.
    """

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """L2 against `target` ``(b, 1, h, w)``, NaN where nothing is asked."""
        asked = torch.isfinite(target)
        if not asked.any():
            return output.sum() * 0.0
        return functional.mse_loss(self.decode(output)[asked], target[asked])


def log_probabilities(output: Tensor) -> Tensor:
    """Log-probabilities ``(b, max(c, 2), h, w)`` of logits ``(b, c, h, w)``; one channel is the logit of class 1."""
    output = output.float()
    if output.shape[1] == 1:
        return torch.cat([functional.logsigmoid(-output), functional.logsigmoid(output)], dim=1)
    return functional.log_softmax(output, dim=1)


def task_of(card: Card | str, upscale: int = 1) -> Task:
    """Return the task of a card, or that of a name with results on a grid `upscale` times as fine."""
    if isinstance(card, Card):
        return task_of(card.task, card.upscale)
    return Segment() if card == "segment" else Restore(upscale)


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


def spread_head(weights: Mapping[str, NDArray[Any]], network: nn.Module) -> dict[str, NDArray[Any]]:
    """Repeat what makes one output channel for all channels of `network`: a finer grid begins as the coarse one."""
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return {
        name: np.repeat(array, wanted[name][0], axis=0) if _makes_one_channel(array, wanted.get(name, ())) else array
        for name, array in weights.items()
    }


def _makes_one_channel(array: NDArray[Any], wanted: tuple[int, ...]) -> bool:
    return array.ndim > 0 and array.shape[0] == 1 and len(wanted) == array.ndim and array.shape[1:] == wanted[1:]


def to_numpy(weights: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return weights as numpy arrays, for a `Model`."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in weights.items()}
