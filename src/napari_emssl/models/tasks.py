"""What each task is: what it asks of a network's output, of targets and of results. Imports no torch.

The rest of the program asks the task, never its name. How outputs become losses and results stands in `objectives`, how
a task is trained in `training.finetuning.task_training`, how it is scored in `evaluation.scorers`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..data.images.intensity_scaling import Levels

TaskName = Literal["reconstruct", "segment", "denoise", "remove-background", "super-resolve"]


@dataclass(frozen=True)
class Task(ABC):
    """What differs between tasks."""

    name: TaskName
    is_pretext: bool = False
    """Learnt without labels: its models are generators, which are starts and no finished models."""
    keeps_background: bool = True
    """Whether 0 means the same in image and result; otherwise targets hold the signal alone, and 0 is no signal."""
    target_factors: tuple[int, ...] = (1,)
    """How many times finer than the image's grid the grid of a target may be."""
    learns_without_targets: bool = False
    """Whether it can be learnt from noisy images only."""
    gives_labels: ClassVar[bool]
    """Whether results are labels of classes; otherwise they are intensities."""

    @abstractmethod
    def out_channels(self, classes: int = 1, upscale: int = 1) -> int:
        """Return the channels of the network's output.

        Parameters
        ----------
        classes
            Number of classes, background included; where results are intensities it does not count.
        upscale
            How many times finer the grid of the result is; where results are labels it does not count.

        """

    @abstractmethod
    def result_dtype(self, classes: int) -> np.dtype[np.generic]:
        """Return the type of results of a model that knows this many `classes`, background included."""

    def output_levels(self, levels: Levels) -> Levels:
        """Return what 0 and 1 of a network's output mean, for an image scaled by `levels`.

        Where the background is taken away, 0 is no signal instead of the image's black; a unit is always the same.
        """
        return levels if self.keeps_background else Levels(0.0, levels.white - levels.black)

    def target_levels(self, image: Levels, target: Levels) -> Levels:
        """Return the levels by which a target is scaled, so that the network can learn it in the units of its image.

        Where the background is taken away, the darkest part of the target becomes 0: once an image is scaled, its
        background cannot be distinguished from the brightness of a crystal between its columns, so it cannot be learnt.

        Parameters
        ----------
        image, target
            Levels fitted to the image and to its target.

        """
        return image if self.keeps_background else Levels(target.black, target.black + image.white - image.black)


class SegmentationTask(Task):
    """A class for every pixel."""

    gives_labels = True

    def out_channels(self, classes: int = 1, upscale: int = 1) -> int:
        """One for background and one class, so that a generator's head of one channel is kept; else one per class."""
        return 1 if classes <= 2 else classes

    def result_dtype(self, classes: int) -> np.dtype[np.generic]:
        """Return the smallest unsigned type that holds every label."""
        return np.min_scalar_type(max(classes - 1, 1))


class RestorationTask(Task):
    """An intensity for every pixel."""

    gives_labels = False

    def out_channels(self, classes: int = 1, upscale: int = 1) -> int:
        """One for each pixel of the result within a pixel of the image."""
        return upscale**2

    def result_dtype(self, classes: int) -> np.dtype[np.generic]:
        """Return float32."""
        return np.dtype(np.float32)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        RestorationTask("reconstruct", is_pretext=True),
        SegmentationTask("segment"),
        RestorationTask("denoise", learns_without_targets=True),
        RestorationTask("remove-background", keeps_background=False),
        RestorationTask("super-resolve", keeps_background=False, target_factors=(1, 2)),
    )
}
"""All tasks by name."""


def task_of(name: TaskName) -> Task:
    """Return the task that a card or settings name."""
    return TASKS[name]
