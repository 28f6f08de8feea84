"""One run of a comparison: fine-tuning, scored on test images at set steps. Nothing is chosen by those scores."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.patches.patches import LabelledPlane
from ...inference.tiles import TileRegion, default_halo, padded, split
from ...metrics import confusion, mean_of, overlap_scores, sum_of
from ...training.finetuning.learners import Segmenter

_PASS_PX = 2**20
"""Pixels in one pass: small planes go together, a large one in pieces of this size."""


@dataclass(frozen=True)
class Evaluation:
    """The state of a run after `step` steps."""

    step: int
    seconds: float
    """Spent on training, scoring left out."""
    loss: float = float("nan")
    """Mean training loss since the last scoring."""
    scores: dict[str, float] = field(default_factory=dict)
    """Empty where this step is not scored."""


def score_steps(total: int, most: int) -> list[int]:
    """Return at which steps a run of `total` is scored: 0, the last, and at most ``most - 2`` of 1, 2, 5, 10, ..."""
    row = [digit * 10**power for power in range(len(str(total))) for digit in (1, 2, 5)]
    between = [step for step in row if step < total]
    return [0, *between[max(0, len(between) - (most - 2)) :], total]


def trial(
    learner: Segmenter,
    batch: Callable[[int], tuple[Tensor, Tensor]],
    total: int,
    looks: Collection[int],
    exam: Callable[[Segmenter], dict[str, float]],
) -> Iterator[Evaluation]:
    """Train for `total` steps, and sit the exam at the steps `looks`; yields after every step."""
    seconds, losses = 0.0, list[Tensor]()
    for step in range(total + 1):
        if step in looks:
            loss = float(torch.stack(losses).mean()) if losses else float("nan")
            losses.clear()
            yield Evaluation(step, seconds, loss, exam(learner))
        else:
            yield Evaluation(step, seconds)
        if step < total:
            mark = time.monotonic()
            losses.append(learner.train_step(batch(step), step / total)["loss"])
            seconds += time.monotonic() - mark


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

    def __call__(self, learner: Segmenter) -> dict[str, float]:
        """Return Dice and IoU over all pixels together, the Dice averaged over images, and that of each class."""
        counts: list[NDArray[np.int64]] = []
        for _, group in groupby(self._test, key=lambda item: item.image.shape):
            counts += self._counts(learner, list(group))
        each = mean_of([overlap_scores(count, self._names) for count in counts])
        pooled = overlap_scores(sum_of(counts), self._names)
        return {name.replace(" ", "_"): value for name, value in pooled.items()} | {"dice_per_image": each["dice"]}

    def _counts(self, learner: Segmenter, items: list[LabelledPlane]) -> list[NDArray[np.int64]]:
        """Confusion of planes of one size, several in one pass."""
        height, width = items[0].image.shape
        together = max(1, _PASS_PX // (height * width))
        found = []
        for first in range(0, len(items), together):
            some = items[first : first + together]
            stack = np.stack([padded(item.image, learner.stride) for item in some])
            labels = _labels(learner, torch.from_numpy(stack)[:, None])[:, :height, :width]
            found += [confusion(one, item.target, len(self._names) + 1) for one, item in zip(labels, some, strict=True)]
        return found


def _labels(learner: Segmenter, images: Tensor) -> NDArray[np.uint8]:
    """Labels ``(b, h, w)`` of images ``(b, 1, h, w)``; large ones in tiles, cut as in applying."""
    _, _, height, width = images.shape
    edge = int(_PASS_PX**0.5)
    halo = default_halo(int(learner.network.receptive_field), learner.stride)  # type: ignore[arg-type]
    labels = np.zeros((len(images), height, width), np.uint8)
    for region in split(TileRegion(0, height, 0, width), edge):
        outer = region.grown(halo, height, width)
        found = learner.labels(images[(..., *outer.slices)])
        labels[(..., *region.slices)] = found[(..., *region.within(outer).slices)]
    return labels
