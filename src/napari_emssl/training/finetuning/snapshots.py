"""Scores of the test images during a run: at each validation, those of the best weights so far."""

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.patches.labelled import LabelledBatch
from ...jobs.settings import FinetuneSettings
from ...models.model_file import Model
from ..learner import Losses, Monitor, State, TrainingSummary
from .base_learner import FineTuner

TEST = "test "
"""What the names of test scores begin with."""


class SnapshotLearner:
    """A learner that scores the test images whenever a validation finds better weights. Nothing is chosen by them.

    Parameters
    ----------
    inner
        What learns; it has test planes, and perhaps validation planes. Without these the weights of the moment count.
    shown
        How many of the test planes predictions are kept of.

    """

    kind = "finetune"

    def __init__(self, inner: FineTuner, shown: int = 0) -> None:
        self._inner, self._shown = inner, inner.data.test[:shown]
        self.predictions: list[NDArray[np.generic]] = []
        """What the weights that are scored make of the first test planes: labels, or intensities as they are scaled."""
        self._best, self._scores = -math.inf, dict[str, float]()
        self.rows: list[dict[str, float]] = []
        """The scores of each validation, with its ``step``."""

    @property
    def settings(self) -> FinetuneSettings:
        """Those of the fine-tuning."""
        return self._inner.settings

    @property
    def monitor(self) -> Monitor | None:
        """What decides the best weights."""
        return self._inner.monitor

    def train_step(self, batch: LabelledBatch, progress: float) -> Losses:
        """Take one step."""
        return self._inner.train_step(batch, progress)

    def validate(self) -> dict[str, float]:
        """Measure on held-out data, and score the test images where the weights are better than before."""
        metrics = self._inner.validate()
        if self._is_better(metrics):
            self._scores = {f"{TEST}{name}": value for name, value in self._inner.score(self._inner.data.test).items()}
            self.predictions = [self._inner.predict(plane) for plane in self._shown]
        self.rows.append({"step": float(self._inner.step), **self._scores})
        return metrics | self._scores

    def _is_better(self, metrics: Mapping[str, float]) -> bool:
        monitor = self._inner.monitor
        if monitor is None or not self._inner.data.validation:
            return True
        value = metrics.get(monitor.name, math.nan)
        score = value if monitor.mode == "max" else -value
        if not score > self._best and self._scores:
            return False
        self._best = score
        return True

    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Return the pictures of the learner."""
        return self._inner.preview(view)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that would be returned now."""
        return self._inner.weights()

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the fine-tuned model."""
        return self._inner.model(weights, summary)

    def state(self) -> State:
        """Return the state of the learner with all snapshots."""
        shown = [torch.from_numpy(prediction) for prediction in self.predictions]
        kept = {"best": self._best, "scores": self._scores, "rows": self.rows, "predictions": shown}
        return self._inner.state() | {"snapshots": kept}

    def load_state(self, state: State) -> None:
        """Restore what `state` returned."""
        self._inner.load_state(state)
        kept = state["snapshots"]
        self._best, self._scores = kept["best"], dict(kept["scores"])
        self.rows[:] = cast(list[dict[str, float]], kept["rows"])
        self.predictions = [prediction.numpy() for prediction in kept["predictions"]]
