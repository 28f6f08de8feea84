"""What a network's output is turned into, and what it is trained to: decoding and loss of labels and of intensities."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UserError
from .model_file import Card
from .tasks import task_of


class Objective(Protocol):
    """What training and use do with an output ``(b, c, h, w)``."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the scalar loss of an output against its target."""

    def decode(self, output: Tensor) -> Tensor:
        """Turn an output into probabilities or scaled intensities, float32."""

    def result(self, output: Tensor) -> Tensor:
        """Turn an output into labels or scaled intensities ``(b, upscale h, upscale w)``."""

    def result_of(self, decoded: Tensor) -> Tensor:
        """Turn what `decode` returned, or a mean of such, into the same."""


_SURE = 3 * 2.0**-25
"""Up to this logit the probabilities of two classes are one number in float32, and the label is background."""


class SegmentationObjective:
    """Classes of pixels. Two classes share one logit, so that a generator's head of one channel is kept.

    Parameters
    ----------
    balanced
        Whether every class that occurs in a batch has the same total weight; otherwise every pixel has.

    """

    def __init__(self, balanced: bool = True) -> None:
        self.balanced = balanced

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy over painted pixels; binary cross-entropy for one class.

        `target` is ``(b, h, w)`` int64: 0 unpainted (ignored), 1 background, 2.. classes.
        """
        logs = log_probabilities(output)
        painted = target > 0
        if not painted.any():
            # a loss that still hangs on the weights: backward runs as usual, and every gradient is 0
            return output.sum() * 0.0
        labels = (target - 1).clamp(min=0)
        if not self.balanced:
            return functional.nll_loss(logs, labels, reduction="none")[painted].mean()
        counts = torch.bincount(labels[painted], minlength=logs.shape[1]).to(logs.dtype)
        present = (counts > 0).sum()
        weights = counts.sum() / (counts.clamp(min=1) * present)
        losses = functional.nll_loss(logs, labels, weights, reduction="none")
        return losses[painted].mean()

    def decode(self, output: Tensor) -> Tensor:
        """Return probabilities ``(b, classes, h, w)``, background first."""
        return log_probabilities(output).exp()

    def result(self, output: Tensor) -> Tensor:
        """Return the most probable class ``(b, h, w)`` without computing a probability.

        Of two classes these are the labels of `result_of` to the bit. So they are of more, but where two classes are
        so close that their probabilities are one number in float32.
        """
        if output.shape[1] == 1:
            return (output[:, 0] > _SURE).view(torch.uint8)
        return _greatest(output)

    def result_of(self, decoded: Tensor) -> Tensor:
        """Return the most probable class ``(b, h, w)``."""
        return _greatest(decoded)


class RestorationObjective:
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

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """L1 + L2 against `target` ``(b, 1, upscale * h, upscale * w)``, as the paper does."""
        output = self.decode(output)
        return functional.l1_loss(output, target) + functional.mse_loss(output, target)

    def decode(self, output: Tensor) -> Tensor:
        """Return scaled intensities ``(b, 1, upscale * h, upscale * w)``."""
        values = output.float()
        return functional.pixel_shuffle(values, self.upscale) if self.upscale > 1 else values

    def result(self, output: Tensor) -> Tensor:
        """Return scaled intensities ``(b, upscale * h, upscale * w)``."""
        return self.result_of(self.decode(output))

    def result_of(self, decoded: Tensor) -> Tensor:
        """Return the one channel of ``(b, 1, h, w)``."""
        return decoded[:, 0]


class PretextObjective(RestorationObjective):
    """The restored image of a generator that has other heads, too.

    Parameters
    ----------
    channel
        The output channel of the restored image.

    """

    def __init__(self, channel: int) -> None:
        super().__init__()
        self.channel = channel

    def decode(self, output: Tensor) -> Tensor:
        """Return scaled intensities ``(b, 1, h, w)``."""
        return output[:, self.channel : self.channel + 1].float()


class NoisyTargetObjective(RestorationObjective):
    """The clean intensity of every pixel, learnt from noisy ones.

    The loss is squared alone: what has the least squared distance from noisy values is their mean, which is the clean
    one; the least absolute distance is that from their median, which is darker where noise is skewed as counts are
    (Lehtinen et al. 2018, arXiv 1803.04189).
    """

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """L2 against `target` ``(b, 1, h, w)``, NaN where nothing is asked."""
        asked = torch.isfinite(target)
        if not asked.any():
            return output.sum() * 0.0
        return functional.mse_loss(self.decode(output)[asked], target[asked])


def _greatest(values: Tensor) -> Tensor:
    """Return the class with the greatest of the values ``(b, classes, h, w)``, the first of several."""
    label = _label_type(values.shape[1])
    if values.shape[1] == 2:
        return (values[:, 1] > values[:, 0]).to(label)
    # over the last axis: across planes of classes argmax is ten times as slow on a CPU
    return values.permute(0, 2, 3, 1).contiguous().argmax(-1).to(label)


def _label_type(classes: int) -> torch.dtype:
    return torch.uint8 if classes <= 256 else torch.int32


def log_probabilities(output: Tensor) -> Tensor:
    """Log-probabilities ``(b, max(c, 2), h, w)`` of logits ``(b, c, h, w)``; one channel is the logit of class 1."""
    output = output.float()  # bf16 has 8 bits of mantissa: sums over pixels and small probabilities need float32
    if output.shape[1] == 1:
        return torch.cat([functional.logsigmoid(-output), functional.logsigmoid(output)], dim=1)
    return functional.log_softmax(output, dim=1)


def objective_of(card: Card) -> Objective:
    """Return the objective of a model.

    Raises
    ------
    UserError
        When it is a generator that gives no images.

    """
    task = task_of(card.task)
    if task.is_pretext:
        return _pretext_objective(card)
    return SegmentationObjective() if task.gives_labels else RestorationObjective(card.upscale)


def _pretext_objective(card: Card) -> Objective:
    channel = card.network.channel_of("restore")
    if channel is None:
        raise UserError(
            f"'{card.name}' gives no images: it was not pretrained to restore. Segment with it in context, or "
            "fine-tune it."
        )
    return PretextObjective(channel)
