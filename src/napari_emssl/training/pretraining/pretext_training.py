"""The training that a pretext task asks for, by name: its module is imported when it is asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Protocol

from torch import Tensor

from ...data.patches.loader import BatchLoader
from ...jobs.devices import Device
from ...jobs.events import Finished, Update
from ...jobs.pretrain_settings import PretrainSettings
from ...models.model_file import Card, Model
from ..learner import BatchT, Learner, TrainingSummary
from .data import PretrainingData
from .distributed import ProcessGroup
from .reading import Reader

_PIX2PIX = "napari_emssl.training.pretraining.pix2pix:train"
_JOINT = "napari_emssl.training.pretraining.pretext.joint:train"
TRAININGS = {"restore": _PIX2PIX, "collage": _JOINT, "episodes": _JOINT}
"""Where the training of each pretext task alone stands, as ``module:function``."""

PretrainingEvents = Iterator[Update | Finished[Model]]


@dataclass(frozen=True)
class TrainingParts:
    """What a training is made from."""

    settings: PretrainSettings
    device: Device
    data: PretrainingData
    loader: BatchLoader
    """Reads patches of the training images."""
    validation: Tensor
    """Clean patches ``(n, 1, patch, patch)``, scaled; none where this process does not validate them."""
    share: slice
    """Which of each batch are this process's."""
    card: Callable[[TrainingSummary], Card]
    group: ProcessGroup
    start: Model | None


class RunTraining(Protocol):
    """Runs the loop."""

    def __call__(
        self, learner: Learner[BatchT], batches: Callable[[int], Iterator[BatchT]], reader: Reader
    ) -> PretrainingEvents:
        """Yield the events of a training.

        Parameters
        ----------
        learner
            What is trained.
        batches
            As in `TrainingSchedule`.
        reader
            Knows how reading goes.

        """


Training = Callable[[TrainingParts, RunTraining], PretrainingEvents]
"""Makes the learner and its batches, lets them be run, and puts away what it made."""


def training_of(pretexts: tuple[str, ...]) -> Training:
    """Import the training of some pretext tasks; of several together it is the joint one."""
    training: Training = resolve_name(TRAININGS[pretexts[0]] if len(pretexts) == 1 else _JOINT)
    return training
