"""What the training loop asks of a learner (`Learner`), and what it is told (`TrainingSchedule`)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray
from torch import Tensor

from ..jobs.settings import Settings
from ..models.model_file import Model


@dataclass(frozen=True)
class TrainingSummary:
    """What the loop knows when it hands over the model."""

    steps: int
    seconds: float
    metrics: dict[str, float]
    """Validation results of the weights handed over, by name; empty when there was no validation."""
    best_step: int
    stopped: bool


class Learner(Protocol):
    """Something that improves by one batch."""

    kind: str

    @property
    def settings(self) -> Settings:
        """What it was told; a resumed run has to be told the same."""

    better: tuple[str, Literal["min", "max"]]
    """Which validation result decides the best weights, and which way."""

    def train_step(self, batch: Any, done: float) -> Mapping[str, Tensor | float]:
        """Take one step; `done` is the share of the run that is over, in [0, 1)."""

    def validate(self) -> dict[str, float]:
        """Measure on held-out data; empty when there is none."""

    def preview(self, view: NDArray[Any] | None) -> Mapping[str, NDArray[Any]]:
        """Return pictures ``(h, w)`` by name, of the plane `view` where that is asked for."""

    def weights(self) -> dict[str, Tensor]:
        """Return a copy, in main memory, of the weights that would be handed over now."""

    def model(self, weights: Mapping[str, Tensor], outcome: TrainingSummary) -> Model:
        """Return the model with these weights."""

    def state(self) -> dict[str, Any]:
        """Return tensors and plain values from which `load_state` restores the learner exactly."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""


@dataclass(frozen=True)
class TrainingSchedule:
    """How long to train and how often to look."""

    batches: Callable[[int], Iterator[Any]]
    """Called with the first step; yields the batches from that step on."""
    batch_size: int
    total: int | None
    max_seconds: float | None
    validation_interval: int
    patience: int | None = None
    """Validations in a row without better weights after which training ends; None never ends it for that."""
    preview_seconds: float = 2.0
    autosave: Path | None = None
    """Written now and then and at the end; whoever has put the model in its place deletes it."""
    autosave_seconds: float = 60.0
    epoch_steps: float | None = None
    """Steps in one pass over the training images, where passes are counted."""
    data: str = ""
    """What is learnt from, as a sentence: a resumed run is warned where it is another one."""
    caption: str = ""
    """What the previews show, for people."""
