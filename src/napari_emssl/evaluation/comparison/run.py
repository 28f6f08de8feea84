"""One run of a comparison: fine-tuning, scored on test images at set steps. Nothing is chosen by those scores."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.patches.labelled import LabelledBatch, LabelledPatches, LabelledPlane
from ...inference.tiles import TileRegion, default_halo, padded, split
from ...jobs.events import Control, Progress
from ...jobs.settings import FinetuneSettings
from ...metrics import confusion, mean_of, overlap_scores, sum_of
from ...models.model_file import Model
from ...training.finetuning.learners import Segmenter
from ...training.learner import State, TrainingSchedule, TrainingSummary
from ...training.loop import run_training

_PASS_PX = 2**20
"""Pixels in one pass: small planes go together, a large one in tiles of this size."""
_LOSS = "loss"


@dataclass(frozen=True)
class Evaluation:
    """The state of a run after `step` steps."""

    step: int
    seconds: float
    """Spent on training, scoring left out."""
    loss: float = float("nan")
    """Mean training loss since the last scoring; NaN where there was no step since."""
    scores: dict[str, float] = field(default_factory=dict)
    """Empty where this step is not scored."""


def score_steps(total: int, most: int) -> list[int]:
    """Return at which steps a run of `total` is scored: 0, the last, and at most ``most - 2`` of 1, 2, 5, 10, ..."""
    row = [digit * 10**power for power in range(len(str(total))) for digit in (1, 2, 5)]
    between = [step for step in row if step < total]
    return [0, *between[max(0, len(between) - (most - 2)) :], total]


def train_and_score(
    learner: "ScoredLearner", patches: LabelledPatches, steps: Collection[int], control: Control
) -> Iterator[Evaluation]:
    """Fine-tune by the one training loop, and score at given steps.

    Parameters
    ----------
    learner
        What is trained; its validation is the scoring.
    patches
        What it learns from.
    steps
        Those that are scored; the last one ends the run.
    control
        Stops and pauses the run.

    Yields
    ------
    Evaluation
        At every step scored, and in between as often as the loop reports progress.

    """
    size = learner.settings.batch_size

    def batches(first: int) -> Iterator[LabelledBatch]:
        return (patches.batch(step, size) for step in count(first))

    last = max(steps)
    schedule = TrainingSchedule(batches, size, last, None, validation_interval=last, validation_steps=steps)
    for event in run_training(learner, schedule, control):
        if isinstance(event, Progress):
            scores = dict(event.metrics)
            yield Evaluation(event.step, event.seconds, scores.pop(_LOSS, float("nan")), scores)


class ScoredLearner:
    """A segmenter whose validation scores test images; the last weights are returned, whatever the scores.

    Parameters
    ----------
    segmenter
        What learns.
    test_set
        What is scored.

    """

    kind = "compare"
    monitor = None

    def __init__(self, segmenter: Segmenter, test_set: "TestSet") -> None:
        self._segmenter, self._test_set = segmenter, test_set
        self._losses: list[Tensor] = []

    @property
    def settings(self) -> FinetuneSettings:
        """Those of the fine-tuning."""
        return self._segmenter.settings

    def train_step(self, batch: LabelledBatch, progress: float) -> dict[str, Tensor]:
        """Take one step; its loss is kept for the next scoring.

        The loop is given no loss: it would end a run that diverges, which here is a result like any other.
        """
        self._losses.append(self._segmenter.train_step(batch, progress)["loss"])
        return {}

    def validate(self) -> dict[str, float]:
        """Score the test images; "loss" is the mean training loss since the last time."""
        loss = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        self._losses.clear()
        return {_LOSS: loss} | self._test_set.score(self._segmenter)

    def preview(self, view: NDArray[np.generic] | None) -> dict[str, NDArray[np.generic]]:
        """Return nothing, since no preview is shown."""
        return {}

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights."""
        return self._segmenter.weights()

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the model that was scored last."""
        return self._segmenter.model(weights, summary)

    def state(self) -> State:
        """Return the state of the segmenter."""
        return self._segmenter.state()

    def load_state(self, state: State) -> None:
        """Restore what `state` returned."""
        self._segmenter.load_state(state)


class TestSet:
    """Test planes, extended and grouped once, so that scoring costs little more than the passes.

    Parameters
    ----------
    test
        Scaled planes with core targets.
    names
        Of the foreground classes.

    """

    def __init__(self, test: Sequence[LabelledPlane], names: Sequence[str]) -> None:
        self._test = sorted(test, key=lambda item: item.image.shape)
        self._names = list(names)

    def score(self, segmenter: Segmenter) -> dict[str, float]:
        """Return Dice and IoU over all pixels together, the Dice averaged over images, and that of each class."""
        counts: list[NDArray[np.int64]] = []
        for _, group in groupby(self._test, key=lambda item: item.image.shape):
            counts += self._counts(segmenter, list(group))
        each = mean_of([overlap_scores(count, self._names) for count in counts])
        pooled = overlap_scores(sum_of(counts), self._names)
        return {name.replace(" ", "_"): value for name, value in pooled.items()} | {"dice_per_image": each["dice"]}

    def _counts(self, segmenter: Segmenter, items: list[LabelledPlane]) -> list[NDArray[np.int64]]:
        """Confusion of planes of one size, several in one pass."""
        height, width = items[0].image.shape
        together = max(1, _PASS_PX // (height * width))
        found = []
        for first in range(0, len(items), together):
            some = items[first : first + together]
            stack = np.stack([padded(item.image, segmenter.stride) for item in some])
            labels = _labels(segmenter, torch.from_numpy(stack)[:, None])[:, :height, :width]
            found += [confusion(one, item.target, len(self._names) + 1) for one, item in zip(labels, some, strict=True)]
        return found


def _labels(segmenter: Segmenter, images: Tensor) -> NDArray[np.uint8]:
    """Labels ``(b, h, w)`` of images ``(b, 1, h, w)``; large ones in tiles, cut as in applying."""
    _, _, height, width = images.shape
    edge = int(_PASS_PX**0.5)
    halo = default_halo(int(segmenter.network.receptive_field), segmenter.stride)  # type: ignore[arg-type]
    labels = np.zeros((len(images), height, width), np.uint8)
    for region in split(TileRegion(0, height, 0, width), edge):
        outer = region.grown(halo, height, width)
        found = segmenter.labels(images[(..., *outer.slices)])
        labels[(..., *region.slices)] = found[(..., *region.within(outer).slices)]
    return labels
