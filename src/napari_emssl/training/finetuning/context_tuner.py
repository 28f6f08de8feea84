"""Gentle training of an answer in context, which is kept only if held-out painting is segmented better."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.patches.labelled import LabelledBatch, LabelledPatches
from ...models.model_file import Model
from ...models.weights import to_numpy
from ...networks.filter_classifier import FILTERS
from ...networks.in_context import InContextNetwork
from ..learner import State, TrainingSummary
from .base_learner import FinetuneContext
from .class_odds import ADJUSTED
from .context_start import ContextStart, Fold
from .learners import ALL_CLASSES, Segmenter
from .scoring import scores_by_step

TOO_LITTLE = (
    "Too little is painted to tell whether training helps, so the model stays as it was before training. Paint at "
    "least two objects, with background next to each."
)
"""Said instead of training where nothing can judge it."""
_CONSISTENCY = 20.0
"""Weight of the unpainted pixels: there the divergence is small on most (docs/evidence-few-labels.md)."""


class MaskTuner(Segmenter):
    """Learns to draw: of a network in context the mask decoder alone, or the trunk where it has none.

    What is remembered stays, and so do the statistics of all norms. Where nothing is painted the masks stay near the
    answer in context: painting shows far more objects than there are in an image, and what learns from it alone comes
    to see them everywhere.

    Parameters
    ----------
    context
        As for other learners; its start is the answer in context.

    """

    def __init__(self, context: FinetuneContext) -> None:
        super().__init__(context)
        self._answering = copy.deepcopy(self.average)
        """The network as it was before training."""

    def loss(self, output: Tensor, images: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of what is painted, and of how far the rest has moved from the answer in context.

        Parameters
        ----------
        output
            Logits of the network ``(b, c, h, w)``.
        images
            ``(b, 1, h, w)``, scaled.
        targets
            ``(b, h, w)`` int64: 0 unpainted, 1 background, 2.. classes.

        """
        unpainted = targets == 0
        painted = super().loss(output, images, targets)
        if not unpainted.any():
            return painted
        with torch.no_grad(), self.device.autocast():
            answer = self._answering(images.contiguous(memory_format=torch.channels_last))
        return painted + _CONSISTENCY * divergence(answer, output)[unpainted].mean()

    def _to_train_mode(self) -> None:
        network = cast(InContextNetwork, self.network)
        self.network.eval().requires_grad_(False)
        (network.mask_decoder or network.trunk).requires_grad_(True)

    def learnt(self, network: nn.Module) -> dict[str, Tensor]:
        """Return the tensors of a network that training changes, by name."""
        trained = {name for name, weights in self.network.named_parameters() if weights.requires_grad}
        return {name: tensor for name, tensor in network.state_dict().items() if name in trained}

    def state(self) -> State:
        """Return what training changes."""
        changed = {"network": self.learnt(self.network), "average": self.learnt(self.average)}
        return super().state() | changed

    def load_state(self, state: State) -> None:
        """Restore what `state` returned."""
        whole = {
            name: network.state_dict() | state[name]
            for name, network in (("network", self.network), ("average", self.average))
        }
        super().load_state(state | whole)


class ContextTuner(MaskTuner):
    """Learns from an answer in context, several times side by side where each painted object is left out in turn.

    The folds take turns, a step each. Each is judged on what it has not seen, neither by training nor in context. What
    is returned remembers the whole painting and has the mean of the folds' weights, or is the answer in context itself:
    see `model`.

    Parameters
    ----------
    context
        As for other learners; its start is the model in context.
    begin
        The folds.

    """

    def __init__(self, context: FinetuneContext, begin: ContextStart) -> None:
        super().__init__(context)
        self._begin = begin.model
        self.folds = [MaskTuner(_fold_context(context, fold)) for fold in begin.folds]
        self._first: dict[str, float] = {}
        self.verdict = ""
        """What became of the training, as a sentence, once there is a model; empty where it was kept."""

    @property
    def is_judged(self) -> bool:
        """Whether there is painting that can tell whether training was worth it."""
        return any(fold.data.validation for fold in self.folds)

    def train_step(self, batch: LabelledBatch, progress: float) -> Mapping[str, Tensor]:
        """Take one step of the fold whose turn it is."""
        losses = self.folds[self.step % len(self.folds)].train_step(batch, progress)
        self.step += 1
        return losses

    def validate(self) -> dict[str, float]:
        """Mean of what the folds measure, each on what it has not seen."""
        found = [metrics for fold in self.folds if (metrics := fold.validate())]
        self.objects_dice[self.step] = [score for fold in self.folds for score in fold.objects_dice.get(fold.step, [])]
        mean = {name: float(np.mean([metrics[name] for metrics in found])) for name in (found[0] if found else ())}
        if self.step == 0:
            self._first = mean
        return mean

    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Return what the mean of the folds makes of `view`, with the whole painting remembered."""
        self._merge()
        return super().preview(view)

    def weights(self) -> dict[str, Tensor]:
        """Return the mean of the folds' averaged weights, with the whole painting remembered."""
        self._merge()
        return super().weights()

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the fine-tuned model where it beats the answer in context by the least gain, else that answer."""
        if self.settings.validation and (summary.best_step == 0 or not self.is_beaten(summary)):
            self.verdict = self._why_not(summary)
            weights = {name: torch.from_numpy(np.array(array)) for name, array in self._begin.weights.items()}
            summary = replace(summary, metrics=self._first, best_step=0)
        return super().model(weights, summary)

    def is_beaten(self, summary: TrainingSummary) -> bool:
        """Whether the best weights of a training are better by the least gain than the answer in context was.

        With the background they have to be better, too: else more is taken for particles, and that is all.
        """
        gain, first = _reached(summary) - self._first.get("dice", 0.0), self._first.get(ALL_CLASSES, 0.0)
        return gain >= self.settings.least_gain and summary.metrics.get(ALL_CLASSES, 0.0) >= first

    def state(self) -> State:
        """Return the state of all folds."""
        own = {"first": self._first, "step": self.step, "objects_dice": self.objects_dice}
        return {"folds": [fold.state() for fold in self.folds], **own}

    def load_state(self, state: State) -> None:
        """Restore what `state` returned."""
        for fold, saved in zip(self.folds, state["folds"], strict=True):
            fold.load_state(saved)
        self._first, self.step = state["first"], state["step"]
        self.objects_dice = scores_by_step(state["objects_dice"])

    def _why_not(self, summary: TrainingSummary) -> str:
        if not self.is_judged:
            return TOO_LITTLE
        found = f"{self._first.get('dice', 0.0):.3f} before training, at best {_reached(summary):.3f}"
        return (
            f"Training did not improve the segmentation of painting that it had not seen (mean Dice {found}), so the "
            "model stays as it was before training."
        )

    @torch.no_grad()
    def _merge(self) -> None:
        """Give the averaged network the mean of the folds' averaged weights."""
        mine = self.learnt(self.average)
        parts = [fold.learnt(fold.average) for fold in self.folds]
        for name, tensor in mine.items():
            tensor.copy_(torch.stack([part[name] for part in parts]).mean(0))


class WholeTuner(Segmenter):
    """Learns with all weights of a generator where its answer in context is poor, and gives way where it is not beaten.

    Parameters
    ----------
    context
        As for other learners; its start is the generator.
    answer
        The answer in context, which was validated already.

    """

    def __init__(self, context: FinetuneContext, answer: ContextTuner) -> None:
        super().__init__(context)
        self._answer = answer

    @property
    def verdict(self) -> str:
        """What became of the training, as a sentence, once there is a model; empty where it was kept."""
        return self._answer.verdict

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the fine-tuned model where it beats the answer in context by the least gain, else that answer."""
        if self._answer.is_beaten(summary):
            return super().model(weights, summary)
        return self._answer.model({}, replace(summary, best_step=0))


def _reached(summary: TrainingSummary) -> float:
    """Dice of the model that a training would hand over."""
    return summary.metrics.get(ADJUSTED, summary.metrics.get("dice", 0.0))


def divergence(answer: Tensor, output: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of one segmentation from another, for each pixel ``(b, h, w)``, float32.

    Parameters
    ----------
    answer, output
        Logits ``(b, c, h, w)`` of what should be kept and of what may have moved; one channel is one class.

    """
    kept, moved = (_log_shares(logits.float()) for logits in (answer, output))
    found: Tensor = (kept.exp() * (kept - moved)).sum(1)
    return found


def _log_shares(logits: Tensor) -> Tensor:
    both = logits if logits.shape[1] > 1 else torch.cat([torch.zeros_like(logits), logits], 1)
    return both.log_softmax(1)


class FoldPatches:
    """Batches of the folds in turn.

    Parameters
    ----------
    folds
        Each gives every step a batch.

    """

    def __init__(self, folds: Sequence[LabelledPatches]) -> None:
        self._folds = folds

    def batch(self, step: int, size: int) -> LabelledBatch:
        """Return the batch of the fold whose turn a step is."""
        return self._folds[step % len(self._folds)].batch(step, size)


def _fold_context(context: FinetuneContext, fold: Fold) -> FinetuneContext:
    """Return what a fold's learner is built from: its part of the painting, learnt and remembered."""
    start = cast(Model, context.start)
    share = fold.filters.share if fold.filters is not None else 0.0
    kept = {"painted": tuple(part.shape[1] for part in fold.context), "filter_share": share}
    network = context.network.model_copy(update=kept)
    remembered = {f"context.{row}": vectors for row, vectors in enumerate(fold.context)}
    if fold.filters is not None:
        remembered |= {f"{FILTERS}.{name}": array for name, array in fold.filters.state_dict().items()}
    model = Model(start.card.model_copy(update={"network": network}), {**start.weights, **to_numpy(remembered)})
    data = replace(context.data, training=fold.training, validation=fold.validation)
    return replace(context, data=data, network=network, start=model)
