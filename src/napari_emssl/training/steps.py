"""The body of the training loop: one step after the other, in the process that leads a run and in those that follow."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic

import torch
from torch import Tensor

from ..data.read_watch import waiting
from ..errors import UserError
from .checkpoint import read_autosave
from .learner import BatchT, Learner, Losses, State


class Steps(Generic[BatchT]):
    """The steps of a run in one process: reads a batch, lets the learner learn from it, and counts.

    Parameters
    ----------
    learner
        What is trained.
    batches
        As in `TrainingSchedule`.

    """

    def __init__(self, learner: Learner[BatchT], batches: Callable[[int], Iterator[BatchT]]) -> None:
        self._learner, self._batches = learner, batches
        self.count, self.seconds = 0, 0.0
        """Steps taken, and working time: reading and learning, earlier runs included."""
        self.losses: Losses = {}
        self._random: Tensor | None = None

    def restore(self, saved: State) -> None:
        """Resume from the content of an autosave; raises `UserError` where it does not fit what is trained."""
        try:
            self._learner.load_state(saved["learner"])
        except (UserError, torch.OutOfMemoryError):
            raise
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                f"The autosave does not fit what is trained ({type(error).__name__}): it is of another network, or "
                "damaged. Leave out --resume to start from the beginning."
            ) from error
        self.count, self.seconds, self._random = saved["step"], saved["seconds"], saved["random"]

    def begin(self) -> None:
        """Start reading, from the next step on."""
        self._stream = self._batches(self.count)

    def take(self, progress: float) -> None:
        """Take one step at this share of the run."""
        mark = time.monotonic()
        with waiting():
            batch = next(self._stream)
        if self._random is not None:
            # only after the first batch: to start reading draws a number, which the uninterrupted run did not draw here
            torch.set_rng_state(self._random)
            self._random = None
        self.losses = self._learner.train_step(batch, progress)
        self.count += 1
        self.seconds += time.monotonic() - mark

    def random_state(self) -> Tensor:
        """Return the state of torch's random numbers that the next step begins with."""
        return torch.get_rng_state() if self._random is None else self._random


def follow_training(
    learner: Learner[BatchT],
    batches: Callable[[int], Iterator[BatchT]],
    announced: Iterable[float],
    resume: Path | None = None,
) -> None:
    """Take the steps that another process leads: validation, time, files and events are the leader's.

    Parameters
    ----------
    learner
        This process's copy of what is trained.
    batches
        Called with the first step; yields this process's share of the batches from that step on.
    announced
        For each step that the leader takes, the share of the run that is over; ends with the run.
    resume
        The autosave that the leader resumes from.

    """
    steps = Steps(learner, batches)
    if resume is not None:
        steps.restore(read_autosave(resume, learner.kind))
    steps.begin()
    for progress in announced:
        steps.take(progress)
