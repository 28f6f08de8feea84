"""The one training loop. Pretraining and fine-tuning differ in "improve by one batch" and nothing else.

This room owns steps, time budget, stop, pause, validation interval, best-so-far, autosave, resume and events.
"""

import math
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..jobs.events import Control, Finished, Notice, Preview, Update
from ..jobs.meter import Meter
from ..models.model_file import Model
from .checkpoint import AUTOSAVE_FORMAT, all_finite, read_autosave, require_same_run, write_autosave
from .file_lock import claimed
from .health import HealthMonitor
from .learner import Learner, TrainingSchedule, TrainingSummary


@dataclass(frozen=True)
class Best:
    """The best weights so far and where they were found."""

    score: float
    step: int
    weights: dict[str, Tensor]
    metrics: dict[str, float]


def run_training(
    learner: Learner, plan: TrainingSchedule, control: Control, resume: Path | None = None
) -> Iterator[Update | Finished[Model]]:
    """Train until the steps are done, the time is over or a stop is asked for; the last event is `Finished`.

    The first `Progress` of a resumed run is without losses and tells the step it goes on from: what was recorded of
    later steps is lost work, which is done again. A run whose losses stay not finite ends itself: `training.health`.

    Raises
    ------
    UserError
        When another run writes the autosave, when `resume` is no autosave or that of another run, or when training
        diverged before any validation.

    """
    with claimed(plan.autosave) if plan.autosave else nullcontext():
        run = _Run(learner, plan, control)
        if resume is not None:
            yield from run.restore(resume)
        finished = yield from run.events()
    yield finished  # when nothing is held any more: few callers ask for an event after the last


class _Run:
    """State of one run of the loop."""

    def __init__(self, learner: Learner, plan: TrainingSchedule, control: Control) -> None:
        self.learner, self.plan, self.control = learner, plan, control
        self.watch = HealthMonitor()
        self.step, self.seconds = 0, 0.0
        self.losses: Mapping[str, Tensor | float] = {}
        self.best: Best | None = None
        self.in_vain = 0
        self.random: Tensor | None = None
        self.validated_at, self.validation_seconds = -1, 0.0
        self.shown = self.saved = time.monotonic()
        self.meter = Meter(max_seconds=plan.max_seconds)

    def events(self) -> Generator[Update, None, Finished[Model]]:
        self.meter.leave_out(self.step, self.seconds)
        batches = self.plan.batches(self.step)
        if self.step == 0:
            yield from self._validate()
        yield from self._preview()
        while not self._over():
            mark = time.monotonic()
            batch = next(batches)
            self._set_random()
            self.losses = self.learner.train_step(batch, self._done())
            self.step += 1
            self.seconds += time.monotonic() - mark
            self.watch.tell(self.step, self.losses)
            yield from self._look()
            self.control.wait_while_paused()
        return (yield from self._end())

    def restore(self, path: Path) -> Iterator[Update]:
        saved = read_autosave(path, self.learner.kind)
        require_same_run(path, saved["settings"], self.learner.settings)
        if saved["data"] != self.plan.data:
            yield Notice(
                f"The data are not those of the run that was saved. Then: {saved['data']} Now: {self.plan.data}"
            )
        self.learner.load_state(saved["learner"])
        self.step, self.seconds = saved["step"], saved["seconds"]
        self.validated_at, self.random = saved["validated_at"], saved["random"]
        self.best = Best(**saved["best"]) if saved["best"] else None
        self.in_vain = saved.get("in_vain", 0)  # autosaves of earlier versions lack it
        yield from self._tell({})

    def _set_random(self) -> None:
        """After the first batch: to start reading draws a number, which the uninterrupted run did not draw here."""
        if self.random is not None:
            torch.set_rng_state(self.random)
            self.random = None

    def _over(self) -> bool:
        enough = self.plan.total is not None and self.step >= self.plan.total
        late = self.plan.max_seconds is not None and self.seconds >= self.plan.max_seconds
        return enough or late or self.control.stopped or bool(self.watch.failure) or self._out_of_patience

    @property
    def _out_of_patience(self) -> bool:
        return self.plan.patience is not None and self.in_vain >= self.plan.patience

    def _done(self) -> float:
        if self.plan.total:
            return self.step / self.plan.total
        return min(self.seconds / self.plan.max_seconds, 1.0) if self.plan.max_seconds else 0.0

    def _look(self) -> Iterator[Update]:
        """After a step: validate, tell, show and save where it is time."""
        validate = self.step % self.plan.validation_interval == 0
        tell = self.meter.due
        save = time.monotonic() - self.saved >= self.plan.autosave_seconds
        if validate or tell or save or self.watch.full:
            yield from map(Notice, self.watch.read())
        if validate:
            yield from self._validate()
        elif tell:
            yield from self._tell({})
        curious = validate and self.watch.wants_pictures(self.step, self._done())
        if curious or time.monotonic() - self.shown >= self.plan.preview_seconds:
            yield from self._preview()
        if save:
            yield from self._autosave()

    def _tell(self, metrics: Mapping[str, float]) -> Iterator[Update]:
        yield self.meter.progress(
            self.step,
            self.plan.total,
            self.plan.batch_size,
            seconds=self.seconds,
            losses={name: float(value) for name, value in self.losses.items()},
            metrics=dict(metrics),
            epoch=self.step / self.plan.epoch_steps if self.plan.epoch_steps else None,
        )

    def _validate(self) -> Iterator[Update]:
        if self.validated_at == self.step:
            return
        mark = time.monotonic()
        metrics = self.learner.validate()
        self.validated_at = self.step
        self.validation_seconds = time.monotonic() - mark
        self._keep_best(metrics)
        yield from self._tell(metrics)

    def _keep_best(self, metrics: dict[str, float]) -> None:
        name, way = self.learner.better
        if not math.isfinite(metrics.get(name, math.nan)):
            return
        score = metrics[name] if way == "max" else -metrics[name]
        self.in_vain += 1
        if self.best is not None and score <= self.best.score:
            return
        weights = self.learner.weights()
        if self.watch.sound and all_finite(weights):  # Dice can be computed from anything
            self.best, self.in_vain = Best(score, self.step, weights, metrics), 0

    def _preview(self) -> Iterator[Update]:
        mark = time.monotonic()
        pictures = self.learner.preview(self.control.view)
        self.shown = time.monotonic() + 8 * (time.monotonic() - mark)  # previews may cost a ninth of the time
        if pictures:
            yield from map(Notice, self.watch.look(pictures, self.step, self._done()))
            yield Preview(pictures, self.step, self.plan.caption)

    def _end(self) -> Generator[Update, None, Finished[Model]]:
        yield from map(Notice, self.watch.read())
        if self.watch.failure:
            return (yield from self._fail())
        stopped = self.control.stopped
        yield from self._autosave()  # before the last validation, which the uninterrupted run would not have made here
        if stopped and self.validation_seconds > 1.0:
            yield from self._tell({})
        else:
            yield from self._validate()
        yield from self._preview()
        if self._out_of_patience and self.best:
            yield Notice(
                f"Ended early: {self.in_vain} validations in a row found nothing better than step {self.best.step}, "
                "whose weights are kept."
            )
        best = self.best or Best(0.0, self.step, self.learner.weights(), {})
        return Finished(self._model(best, stopped), stopped)

    def _fail(self) -> Generator[Update, None, Finished[Model]]:
        """Hand over the best weights from before the losses were lost."""
        best = self.best
        if best is None or best.step == 0:
            raise UserError(
                f"{self.watch.failure} There are no earlier weights to keep. Start anew as the warning says."
            )
        failure = f"{self.watch.failure} The best weights before that are kept, those of step {best.step}."
        yield Notice(failure)
        return Finished(self._model(best, stopped=True), stopped=True, failure=failure)

    def _model(self, best: Best, stopped: bool) -> Model:
        return self.learner.model(
            best.weights, TrainingSummary(self.step, self.seconds, best.metrics, best.step, stopped)
        )

    def _autosave(self) -> Iterator[Update]:
        """Write the autosave; a full disk costs a warning, not the training."""
        self.saved = time.monotonic()
        if self.plan.autosave is None:
            return
        content = self._state()
        if not self.watch.sound or not all_finite(content["learner"]):
            return  # the autosave of better times is worth more; the losses will tell
        try:
            write_autosave(self.plan.autosave, content)
        except UserError as error:
            yield Notice(f"No autosave: {error} Training goes on.")
        except RuntimeError:
            yield Notice(f"No autosave: '{self.plan.autosave}' cannot be written; is the disk full? Training goes on.")

    def _state(self) -> dict[str, Any]:
        return {
            "format": AUTOSAVE_FORMAT,
            "kind": self.learner.kind,
            "settings": self.learner.settings.model_dump(mode="json"),
            "data": self.plan.data,
            "step": self.step,
            "seconds": self.seconds,
            "validated_at": self.validated_at,
            "best": vars(self.best) if self.best else None,
            "in_vain": self.in_vain,
            "random": torch.get_rng_state() if self.random is None else self.random,
            "learner": self.learner.state(),
        }
