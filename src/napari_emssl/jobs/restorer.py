"""How a network learns to restore intensities, and how that is judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.patches import Annotated
from ..models.file import Model, output_levels
from ..models.tasks import RestoreFromNoise, Task
from .finetuner import FineTuner
from .learning import Outcome

_PASS_PX = 2**18
"""Pixels in one pass of the validation: small planes of one size go together."""


class Restorer(FineTuner):
    """Learns clean intensities from pairs of patches."""

    better: tuple[str, Literal["min", "max"]] = ("l1", "min")

    def validate(self) -> dict[str, float]:
        """L1 and loss over the held-out pairs, in units of the scaled images."""
        return self._score(self.annotations.validation)

    def model(self, weights: Mapping[str, Tensor], outcome: Outcome) -> Model:
        """Return the fine-tuned model, its test scores on the card where there is a test."""
        self.average.load_state_dict(weights)
        test = {f"test {name}": value for name, value in self._score(self.annotations.test).items()}
        return super().model(weights, replace(outcome, metrics=outcome.metrics | test))

    @torch.inference_mode()
    def preview(self, view: NDArray[Any] | None) -> Mapping[str, NDArray[Any]]:
        """Return `view`, or the first plane, restored, in its own units: float32 ``(upscale h, upscale w)``."""
        plane = self.annotations.sample if view is None else view
        if plane is None:
            return {}
        levels = self.annotations.scaling.fit(plane)
        restored = self.task.decode(self.output(levels.to_unit(plane)))[0, 0].cpu().numpy()
        return {"prediction": output_levels(self.settings.task, levels).from_unit(restored)}

    @torch.inference_mode()
    def _score(self, pairs: Sequence[Annotated]) -> dict[str, float]:
        """Mean over the pairs; empty when there is none."""
        if not pairs:
            return {}
        scores = [score for batch in _batches(pairs) for score in self._scores(batch)]
        l1, loss = np.mean(scores, axis=0).tolist()
        return {"l1": l1, "loss": loss}

    def _scores(self, batch: Sequence[Annotated]) -> list[tuple[float, float]]:
        """L1 and loss of each of some pairs of one size."""
        outputs = self.outputs(np.stack([pair.image for pair in batch]))
        targets = torch.from_numpy(np.stack([pair.target for pair in batch]))[:, None].to(outputs.device)
        decoded: Tensor = self.task.decode(outputs)
        return [
            (float((one - target).abs().mean()), float(self.task.loss(output[None], target[None])))
            for output, one, target in zip(outputs, decoded, targets, strict=True)
        ]


class NoiseLearner(Restorer):
    """Learns from noisy targets: nothing is known of the clean image, so only the loss judges."""

    better: tuple[str, Literal["min", "max"]] = ("loss", "min")

    def make_task(self) -> Task:
        """Return the task whose loss wants the mean."""
        return RestoreFromNoise()

    def _score(self, pairs: Sequence[Annotated]) -> dict[str, float]:
        """Mean loss over what is asked; empty when there is nothing."""
        scores = super()._score(pairs)
        return {"loss": scores["loss"]} if scores else {}


def _batches(pairs: Sequence[Annotated]) -> Iterator[list[Annotated]]:
    """Put neighbours of one size together."""
    batch: list[Annotated] = []
    for pair in pairs:
        full = batch and len(batch) * pair.image.size >= _PASS_PX
        if full or (batch and batch[0].image.shape != pair.image.shape):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch
