"""The one training loop. Pretraining, fine-tuning and comparisons differ in `Learner.train_step` and `validate` alone.

This room owns steps, time budget, stop, pause, validation interval, best-so-far, autosave, resume and events.
"""

import math
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from torch import Tensor

from ..cpu_threads import ThreadTuner
from ..data.read_watch import HangingReadError
from ..errors import UserError
from ..jobs.events import Control, Finished, Notice, Preview, Update
from ..jobs.meter import Meter
from ..models.model_file import Model
from .checkpoint import (
    AUTOSAVE_FORMAT,
    all_finite,
    check_basis,
    check_weights,
    read_autosave,
    require_same_run,
    write_autosave,
)  # fmt: skip
from .file_lock import claimed
from .health import HealthMonitor
from .learner import BatchT, Learner, State, TrainingSchedule, TrainingSummary
from .steps import Steps
from .time_budget import TimeBudget


def run_training(
    learner: Learner[BatchT], schedule: TrainingSchedule[BatchT], control: Control, resume: Path | None = None
) -> Iterator[Update | Finished[Model]]:
    """Train until the steps are done, the time is over or a stop is asked for; the last event is `Finished`.

    The first `Progress` of a resumed run has no losses and names the step it resumes from: whatever was recorded of
    later steps is lost work, which is done again. A run whose losses stay not finite ends itself: `training.health`.

    Parameters
    ----------
    learner
        What is trained.
    schedule
        How long, and how often to validate, preview and save.
    control
        Asked after every step whether to stop or to wait.
    resume
        Autosave to resume from; the learner has to be built as it was for that run.

    Yields
    ------
    Update
        `Progress` at most ten times a second and at every validation, `Preview`, `Notice`.
    Finished
        With the model of the best weights by the learner's monitor, or of the last ones.

    Raises
    ------
    UserError
        When another run writes the autosave, when `resume` is no autosave or that of another run, or when training
        diverged before any validation.

    """
    with claimed(schedule.autosave) if schedule.autosave else nullcontext():
        run = _TrainingRun(learner, schedule, control)
        if resume is not None:
            yield from run.restore(resume)
        finished = yield from run.events()
    yield finished  # when nothing is held any more: few callers ask for an event after the last


@dataclass(frozen=True)
class Best:
    """The best weights so far and where they were found."""

    score: float
    """What the learner monitors, the sign turned where the least is the best."""
    step: int
    weights: dict[str, Tensor]
    metrics: dict[str, float]


class _TrainingRun(Generic[BatchT]):
    """State of one run of the loop."""

    def __init__(self, learner: Learner[BatchT], schedule: TrainingSchedule[BatchT], control: Control) -> None:
        self.learner, self.schedule, self.control = learner, schedule, control
        self.steps = Steps(learner, schedule.batches)
        self.health = HealthMonitor()
        self.best: Best | None = None
        self.sound: Best | None = None
        """The last weights known to be good, where no validation says which are the best."""
        self.sound_seconds = 0.0
        self.validations_without_improvement = 0
        self.validated_at, self.validation_seconds = -1, 0.0
        self.next_preview = time.monotonic() + schedule.preview_seconds
        self.saved_at = time.monotonic()
        self.meter = Meter(max_seconds=schedule.max_seconds)
        self.budget = TimeBudget(schedule.max_seconds)

    def events(self) -> Generator[Update, None, Finished[Model]]:
        self.meter.leave_out(self.steps.count, self.steps.seconds)
        self.steps.begin()
        if self.steps.count == 0:
            yield from self._validate()
        yield from self._preview()
        # where the clock alone ends the run, it decides on the result anyway, and so may the number of threads
        tuner = ThreadTuner.where(self.schedule.tunes_threads and self.schedule.total is None)
        with tuner.at_work():
            yield from self._take_steps(tuner)
            return (yield from self._end())

    def _take_steps(self, tuner: ThreadTuner) -> Iterator[Update]:
        while not self._is_over():
            try:
                with tuner.timed():
                    self.steps.take(self._progress())
            except HangingReadError:  # only where a stop was asked for: no step was begun
                break
            self.health.record(self.steps.count, self.steps.losses)
            yield from self._after_step()
            self.control.wait_while_paused()

    def restore(self, path: Path) -> Iterator[Update]:
        saved = read_autosave(path, self.learner.kind)
        require_same_run(path, saved["settings"], self.learner.settings)
        yield from map(Notice, check_basis(path, saved, self.schedule))
        self.steps.restore(saved)
        self.budget.beside_steps = saved.get("beside_steps", 0.0)  # autosaves of earlier versions lack it
        self.validated_at = saved["validated_at"]
        self.best = Best(**saved["best"]) if saved["best"] else None
        if self.best:
            check_weights(path, self.best.weights, self.learner.weights())
        self.validations_without_improvement = saved.get("in_vain", 0)  # autosaves of earlier versions lack it
        yield from self._report({})

    def _is_over(self) -> bool:
        total = self.schedule.total
        enough = total is not None and self.steps.count >= total
        late = self.budget.progress(self.steps.seconds) >= 1.0
        return enough or late or self.control.stopped or bool(self.health.failure) or self._out_of_patience

    @property
    def _out_of_patience(self) -> bool:
        patience = self.schedule.patience
        return patience is not None and self.validations_without_improvement >= patience

    def _progress(self) -> float:
        """Return the share of the run that is over, of its steps or of its time, whichever is nearer to its end."""
        of_steps = self.steps.count / self.schedule.total if self.schedule.total else 0.0
        return min(max(of_steps, self.budget.progress(self.steps.seconds)), 1.0)

    def _after_step(self) -> Iterator[Update]:
        """Validate, report, preview and save where it is time."""
        due = self.schedule.validates_after(self.steps.count)
        validate = due and self.budget.allows_validation(self.steps.seconds)
        report = self.meter.due
        save = time.monotonic() - self.saved_at >= self.schedule.autosave_seconds
        if validate or report or save or self.health.full:
            yield from map(Notice, self.health.check())
            self._keep_sound()
        if validate:
            yield from self._validate()
        elif report:
            yield from self._report({})
        wanted = validate and self.health.wants_preview(self.steps.count, self._progress())
        if wanted or time.monotonic() >= self.next_preview:
            yield from self._preview()
        if save:
            yield from self._autosave()

    def _report(self, metrics: Mapping[str, float]) -> Iterator[Update]:
        step, epoch_steps = self.steps.count, self.schedule.epoch_steps
        yield self.meter.progress(
            step,
            self.schedule.total,
            self.schedule.batch_size,
            seconds=self.steps.seconds,
            losses={name: float(value) for name, value in self.steps.losses.items()},
            metrics=dict(metrics),
            epoch=step / epoch_steps if epoch_steps else None,
        )

    def _validate(self) -> Iterator[Update]:
        if self.validated_at == self.steps.count:
            return
        mark = time.monotonic()
        try:
            with self.budget.spent_on("validation"):
                metrics = self.learner.validate()
        except HangingReadError:
            return
        self.budget.validated(self.steps.seconds)
        self.validated_at = self.steps.count
        self.validation_seconds = time.monotonic() - mark
        self._keep_best(metrics)
        yield from self._report(metrics)

    def _keep_best(self, metrics: dict[str, float]) -> None:
        monitor = self.learner.monitor
        if monitor is None or not math.isfinite(metrics.get(monitor.name, math.nan)):
            return
        score = metrics[monitor.name] if monitor.mode == "max" else -metrics[monitor.name]
        self.validations_without_improvement += 1
        if self.best is not None and score <= self.best.score:
            return
        weights = self.learner.weights()
        if self.health.sound and all_finite(weights):  # Dice can be computed from anything
            self.best = Best(score, self.steps.count, weights, metrics)
            self.validations_without_improvement = 0

    def _keep_sound(self) -> None:
        """Copy weights that are good, as often as costs a hundredth of the time."""
        if self.best is not None or not self.health.sound or self.steps.seconds < self.sound_seconds:
            return
        mark = time.monotonic()
        weights = self.learner.weights()
        if all_finite(weights):
            self.sound = Best(0.0, self.steps.count, weights, {})
            self.sound_seconds = self.steps.seconds + 100 * (time.monotonic() - mark)

    def _preview(self) -> Iterator[Update]:
        mark = time.monotonic()
        try:
            with self.budget.spent_on("preview"):
                pictures = self.learner.preview(self.control.view)
        except HangingReadError:
            return
        now = time.monotonic()
        self.next_preview = now + 8 * (now - mark) + self.schedule.preview_seconds  # at most a ninth of the time
        if pictures:
            yield from map(Notice, self.health.check_preview(pictures, self.steps.count, self._progress()))
            yield Preview(pictures, self.steps.count, self.schedule.caption)

    def _end(self) -> Generator[Update, None, Finished[Model]]:
        yield from map(Notice, self.health.check())
        if self.health.failure:
            return (yield from self._fail())
        stopped = self.control.stopped
        yield from self._autosave()  # before the last validation, which the uninterrupted run would not have made here
        if stopped and self.validation_seconds > 1.0:
            yield from self._report({})
        else:
            yield from self._validate()
        yield from self._preview()
        if self._out_of_patience and self.best:
            yield Notice(
                f"Ended early: {self.validations_without_improvement} validations in a row found nothing better than "
                f"step {self.best.step}, whose weights are kept."
            )
        last = Best(0.0, self.steps.count, self.learner.weights(), {})
        if not self.health.sound or not all_finite(last.weights):
            return (yield from self._end_unsound(stopped))
        return Finished(self._model(self.best or last, stopped), stopped)

    def _end_unsound(self, stopped: bool) -> Generator[Update, None, Finished[Model]]:
        """Return the last good weights of a run that came to its end, but diverged shortly before."""
        failure = "Training has diverged in its last steps: its losses or weights are not finite or far too large."
        return (yield from self._give_earlier(failure, stopped))

    def _fail(self) -> Generator[Update, None, Finished[Model]]:
        """Return the best weights from before the losses went wrong."""
        return (yield from self._give_earlier(self.health.failure, stopped=True))

    def _give_earlier(self, failure: str, stopped: bool) -> Generator[Update, None, Finished[Model]]:
        best = self.best or self.sound
        if best is None or best.step == 0:
            raise UserError(
                f"{failure} There are no earlier weights to keep. Start again with a lower learning rate, or in fp32 "
                "if it was in bf16."
            )
        which = "best" if self.best else "last good"
        text = f"{failure} The {which} weights before that are kept, those of step {best.step}."
        yield Notice(text)
        return Finished(self._model(best, stopped), stopped, failure=text)

    def _model(self, best: Best, stopped: bool) -> Model:
        summary = TrainingSummary(self.steps.count, self.steps.seconds, best.metrics, best.step, stopped)
        return self.learner.model(best.weights, summary)

    def _autosave(self) -> Iterator[Update]:
        """Write the autosave; a full disk costs a warning, not the training."""
        self.saved_at = time.monotonic()
        path = self.schedule.autosave
        if path is None:
            return
        content = self._state()
        if not self.health.sound or not all_finite(content["learner"]):
            return  # the autosave of better times is worth more; the health check will warn
        try:
            write_autosave(path, content)
        except UserError as error:
            yield Notice(f"No autosave: {error} Training continues.")
        except RuntimeError:
            yield Notice(f"No autosave: '{path}' cannot be written; is the disk full? Training continues.")

    def _state(self) -> State:
        return {
            "format": AUTOSAVE_FORMAT,
            "kind": self.learner.kind,
            "settings": self.learner.settings.model_dump(mode="json"),
            "data": self.schedule.data,
            "data_digest": self.schedule.data_digest,
            "start_digest": self.schedule.start_digest,
            "step": self.steps.count,
            "seconds": self.steps.seconds,
            "beside_steps": self.budget.beside_steps,
            "validated_at": self.validated_at,
            "best": vars(self.best) if self.best else None,
            "in_vain": self.validations_without_improvement,
            "random": self.steps.random_state(),
            "learner": self.learner.state(),
        }
