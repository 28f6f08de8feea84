"""One run of a comparison: fine-tuning, scored on test images at set steps. Nothing is chosen by those scores."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.patches.labelled import LabelledPatches
from ...data.patches.labelled_loader import LabelledLoader
from ...jobs.events import Control, Progress
from ...jobs.settings import FinetuneSettings
from ...models.model_file import Model
from ...training.finetuning.base_learner import FineTuner
from ...training.finetuning.labelled_data import TrainingData
from ...training.finetuning.snapshots import TEST, SnapshotLearner
from ...training.learner import State, TrainingSchedule, TrainingSummary
from ...training.loop import run_training
from .results import VALIDATION

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
    learner: "ScoredLearner",
    patches: LabelledPatches,
    steps: Collection[int],
    control: Control,
    autosave: Path | None = None,
    basis: tuple[str, str] = ("", ""),
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
    autosave
        Where to write autosaves, if anywhere; one that is there is resumed, and what it had scored comes first.

    basis
        Digests of data and start: with others the run is not resumed.

    Yields
    ------
    Evaluation
        At every step scored, and in between as often as the loop reports progress.

    """
    settings, last = learner.settings, max(steps)
    resume = autosave if autosave is not None and autosave.exists() else None
    with closing(LabelledLoader(patches, settings.batch_size, settings.workers)) as loader:
        schedule = TrainingSchedule(
            loader.batches, settings.batch_size, last, None, validation_interval=last, validation_steps=steps,
            autosave=autosave, autosave_seconds=settings.autosave_seconds, data_digest=basis[0], only_same_data=True,
            start_digest=basis[1],
        )  # fmt: skip
        for event in run_training(learner, schedule, control, resume):
            if not isinstance(event, Progress):
                continue
            yield from learner.earlier()
            scores = dict(event.metrics)
            found = Evaluation(event.step, event.seconds, scores.pop(_LOSS, float("nan")), scores)
            learner.keep(found)
            yield found


class ScoredLearner:
    """A fine-tuner whose validation scores test images; the last weights are returned, whatever the scores.

    With planes for validation, the scores are those of the best weights so far by these, else of the weights as they
    are.

    Parameters
    ----------
    inner
        What learns; its data hold what is scored.
    shown
        How many of the test planes predictions are kept of.

    """

    kind = "compare"
    monitor = None

    def __init__(self, inner: FineTuner, shown: int = 0) -> None:
        self._fine_tuner, self._inner = inner, SnapshotLearner(inner, shown)
        self._losses: list[Tensor] = []
        self._scored: list[Evaluation] = []
        self._earlier: list[Evaluation] = []

    @property
    def predictions(self) -> list[NDArray[np.generic]]:
        """What the weights that are scored make of the first test planes."""
        return self._inner.predictions

    @property
    def data(self) -> TrainingData:
        """What is learnt from, validated on and scored."""
        return self._fine_tuner.data

    def keep(self, evaluation: Evaluation) -> None:
        """Remember a step that was scored, for whoever resumes the run."""
        if evaluation.scores:
            self._scored.append(evaluation)

    def earlier(self) -> Iterator[Evaluation]:
        """Yield, once, what the run that is resumed had scored."""
        while self._earlier:
            yield self._earlier.pop(0)

    @property
    def settings(self) -> FinetuneSettings:
        """Those of the fine-tuning."""
        return self._inner.settings

    def train_step(self, batch: tuple[Tensor, Tensor], progress: float) -> dict[str, Tensor | float]:
        """Take one step; its loss is kept for the next scoring.

        The loop is given no loss: it would end a run that diverges, which here is a result like any other.
        """
        self._losses.append(torch.as_tensor(self._inner.train_step(batch, progress)[_LOSS]))
        return {}

    def validate(self) -> dict[str, float]:
        """Score the test images; "loss" is the mean training loss since the last time."""
        loss = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        self._losses.clear()
        found = {_score_name(name): value for name, value in self._inner.validate().items()}
        return {_LOSS: loss} | {name: value for name, value in found.items() if name != _LOSS}

    def preview(self, view: NDArray[np.generic] | None) -> dict[str, NDArray[np.generic]]:
        """Return nothing, since no preview is shown."""
        return {}

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are validated."""
        return self._inner.weights()

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the model that was scored last."""
        return self._fine_tuner.unscored_model(weights, summary)

    def state(self) -> State:
        """Return the state of the fine-tuner, and what was scored so far."""
        return self._inner.state() | {"scored": [asdict(one) for one in self._scored], "losses": list(self._losses)}

    def load_state(self, state: State) -> None:
        """Restore what `state` returned."""
        self._inner.load_state(state)
        self._scored = [Evaluation(**one) for one in state["scored"]]
        self._earlier, self._losses = list(self._scored), list(state["losses"])


def _score_name(name: str) -> str:
    """Name of a score in the results: those of the test have none before them."""
    return name.removeprefix(TEST) if name.startswith(TEST) else f"{VALIDATION}{name}"
