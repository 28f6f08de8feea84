"""What the training loop asks of a learner (`Learner`), and what it is given to go by (`TrainingSchedule`)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..jobs.settings import Settings
from ..models.model_file import Model

BatchT = TypeVar("BatchT")
BatchT_contra = TypeVar("BatchT_contra", contravariant=True)

Losses = Mapping[str, Tensor | float]
"""Losses of one step by name; tensors may still be under way on a GPU."""
State = dict[str, Any]
"""Tensors and plain values, nested in dicts and lists: what `torch.save` writes and the safe unpickler reads."""


@dataclass(frozen=True)
class TrainingSummary:
    """What the loop knows when it returns the model."""

    steps: int
    seconds: float
    metrics: dict[str, float]
    """Validation results of the returned weights, by name; empty when there was no validation."""
    best_step: int
    stopped: bool
    objects_dice: Sequence[float] = ()
    """Dice of each painted object that the returned weights were validated on; empty where there was none."""


class Monitor(NamedTuple):
    """The validation result that decides which weights are the best."""

    name: str
    mode: Literal["min", "max"]
    """Whether the least or the greatest value is the best."""


class Learner(Protocol[BatchT_contra]):
    """Something that learns from one batch after the other."""

    @property
    def kind(self) -> str:
        """The kind of training, as its autosaves name it."""

    @property
    def settings(self) -> Settings:
        """What it was built with; a resumed run has to be built with the same."""

    @property
    def monitor(self) -> Monitor | None:
        """What decides the best weights; None returns the last ones, whatever the validation results."""

    def train_step(self, batch: BatchT_contra, progress: float) -> Losses:
        """Take one step; `progress` is the share of the run that is over, in [0, 1)."""

    def validate(self) -> dict[str, float]:
        """Measure on held-out data; empty when there is none."""

    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Return pictures ``(h, w)`` by name, of the plane `view` where that is asked for."""

    def weights(self) -> dict[str, Tensor]:
        """Return a copy, in main memory, of the weights that would be returned now."""

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the model with these weights."""

    def state(self) -> State:
        """Return what `load_state` restores the learner from, exactly."""

    def load_state(self, state: State) -> None:
        """Restore what `state` returned."""


@dataclass(frozen=True)
class TrainingSchedule(Generic[BatchT]):
    """How long to train, and how often to validate, preview and save."""

    batches: Callable[[int], Iterator[BatchT]]
    """Called with the first step; yields the batches from that step on."""
    batch_size: int
    total: int | None
    """Steps in all; None: `max_seconds` decides."""
    max_seconds: float | None
    validation_interval: int
    validation_steps: Collection[int] | None = None
    """After which steps to validate, where that is not after every `validation_interval`; before the first step always.
    """
    patience: int | None = None
    """Validations in a row without better weights after which training ends; None never ends it for that."""
    preview_seconds: float = 2.0
    autosave: Path | None = None
    """Written from time to time and at the end; whoever has saved the model deletes it."""
    autosave_seconds: float = 60.0
    epoch_steps: float | None = None
    """Steps in one pass over the training images, where passes are counted."""
    tunes_threads: bool = False
    """Whether the number of threads is left to the loop; it varies only where `max_seconds` alone ends the run."""
    data: str = ""
    """What is learnt from, as a sentence: a resumed run is warned where it is another one."""
    data_digest: str = ""
    """Tells the pixels that are learnt from from others; empty where they were not looked at."""
    only_same_data: bool = False
    """Whether a resumed run is refused where the data are others, instead of being warned."""
    start_digest: str = ""
    """Tells the weights that the run begins with from others: a resumed run is refused where they are others."""
    caption: str = ""
    """What the previews show, for people."""

    def validates_after(self, step: int) -> bool:
        """Whether validation is due after a step."""
        if self.validation_steps is not None:
            return step in self.validation_steps
        return step % self.validation_interval == 0
