"""The one training loop. Pretraining and fine-tuning differ in "improve by one batch" and nothing else.

This room owns steps, time budget, stop, pause, validation interval, best-so-far, autosave, resume and events.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import UserError
from ..models.file import Model
from .events import Control, Event, Finished, Preview, Progress, Warning

AUTOSAVE_FORMAT = 1
_EVENT_SECONDS = 0.1


@dataclass(frozen=True)
class Best:
    """The best weights so far and where they were found."""

    score: float
    step: int
    weights: dict[str, Tensor]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Outcome:
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
    better: tuple[str, Literal["min", "max"]]
    """Which validation result decides the best weights, and which way."""

    def improve(self, batch: Any, done: float) -> Mapping[str, Tensor | float]:
        """Take one step; `done` is the share of the run that is over, in [0, 1)."""

    def validate(self) -> dict[str, float]:
        """Measure on held-out data; empty when there is none."""

    def preview(self, view: NDArray[Any] | None) -> Mapping[str, NDArray[Any]]:
        """Return pictures ``(h, w)`` by name, of the plane `view` where that is asked for."""

    def weights(self) -> dict[str, Tensor]:
        """Return a copy, in main memory, of the weights that would be handed over now."""

    def model(self, weights: Mapping[str, Tensor], outcome: Outcome) -> Model:
        """Return the model with these weights."""

    def state(self) -> dict[str, Any]:
        """Return tensors and plain values from which `load_state` restores the learner exactly."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""


@dataclass(frozen=True)
class Plan:
    """How long to train and how often to look."""

    batches: Callable[[int], Iterator[Any]]
    """Called with the first step; yields the batches from that step on."""
    batch_size: int
    total: int | None
    max_seconds: float | None
    validation_interval: int
    preview_seconds: float = 2.0
    autosave: Path | None = None
    autosave_seconds: float = 60.0


def run_training(learner: Learner, plan: Plan, control: Control, resume: Path | None = None) -> Iterator[Event]:
    """Train until the steps are done, the time is over or a stop is asked for; the last event is `Finished`."""
    run = _Run(learner, plan, control)
    if resume is not None:
        run.restore(read_autosave(resume, learner.kind))
    yield from run.events()


class _Run:
    """State of one run of the loop."""

    def __init__(self, learner: Learner, plan: Plan, control: Control) -> None:
        self.learner, self.plan, self.control = learner, plan, control
        self.step, self.seconds = 0, 0.0
        self.best: Best | None = None
        self.validated_at, self.validation_seconds = -1, 0.0
        self.told = self.shown = self.saved = time.monotonic()
        self.rate_mark = (0.0, 0)
        self.warned = False

    def events(self) -> Iterator[Event]:
        first = self.step
        self.rate_mark = (self.seconds, first)
        batches = self.plan.batches(first)
        yield from self._validate({})
        yield from self._preview()
        while not self._over():
            mark = time.monotonic()
            losses = self.learner.improve(next(batches), self._done())
            self.step += 1
            self.seconds += time.monotonic() - mark
            yield from self._look(losses)
            self.control.wait_while_paused()
        yield from self._end()

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.learner.load_state(saved["learner"])
        self.step, self.seconds = saved["step"], saved["seconds"]
        self.validated_at = saved["validated_at"]
        self.best = Best(**saved["best"]) if saved["best"] else None

    def _over(self) -> bool:
        enough = self.plan.total is not None and self.step >= self.plan.total
        late = self.plan.max_seconds is not None and self.seconds >= self.plan.max_seconds
        return enough or late or self.control.stopped

    def _done(self) -> float:
        if self.plan.total:
            return self.step / self.plan.total
        return min(self.seconds / self.plan.max_seconds, 1.0) if self.plan.max_seconds else 0.0

    def _look(self, losses: Mapping[str, Tensor | float]) -> Iterator[Event]:
        """After a step: validate, tell, show and save where it is time."""
        if self.step % self.plan.validation_interval == 0:
            yield from self._validate(losses)
        elif time.monotonic() - self.told >= _EVENT_SECONDS:
            yield from self._tell(losses, {})
        if time.monotonic() - self.shown >= self.plan.preview_seconds:
            yield from self._preview()
        if time.monotonic() - self.saved >= self.plan.autosave_seconds:
            yield from self._autosave()

    def _tell(self, losses: Mapping[str, Tensor | float], metrics: Mapping[str, float]) -> Iterator[Event]:
        values = {name: float(value) for name, value in losses.items()}
        if not self.warned and any(value != value or abs(value) == float("inf") for value in values.values()):
            self.warned = True
            yield Warning("A loss is not finite: training has diverged. Stop and start with a lower learning rate.")
        self.told = time.monotonic()
        since, at = self.rate_mark
        rate = (self.step - at) / max(self.seconds - since, 1e-9)
        yield Progress(
            self.step, self.plan.total, values, dict(metrics), self._seconds_left(rate), self.seconds,
            rate * self.plan.batch_size,
        )  # fmt: skip

    def _seconds_left(self, rate: float) -> float | None:
        bounds = []
        if self.plan.total is not None and rate > 0:
            bounds.append((self.plan.total - self.step) / rate)
        if self.plan.max_seconds is not None:
            bounds.append(self.plan.max_seconds - self.seconds)
        return max(0.0, min(bounds)) if bounds else None

    def _validate(self, losses: Mapping[str, Tensor | float]) -> Iterator[Event]:
        if self.validated_at == self.step:
            return
        mark = time.monotonic()
        metrics = self.learner.validate()
        self.validated_at = self.step
        self.validation_seconds = time.monotonic() - mark
        self._keep_best(metrics)
        yield from self._tell(losses, metrics)

    def _keep_best(self, metrics: dict[str, float]) -> None:
        name, way = self.learner.better
        if name not in metrics or metrics[name] != metrics[name]:
            return
        score = metrics[name] if way == "max" else -metrics[name]
        if self.best is None or score > self.best.score:
            self.best = Best(score, self.step, self.learner.weights(), metrics)

    def _preview(self) -> Iterator[Event]:
        mark = time.monotonic()
        pictures = self.learner.preview(self.control.view)
        self.shown = time.monotonic() + 8 * (time.monotonic() - mark)  # previews may cost a ninth of the time
        if pictures:
            yield Preview(pictures, self.step)

    def _end(self) -> Iterator[Event]:
        stopped = self.control.stopped
        if not (stopped and self.validation_seconds > 1.0):
            yield from self._validate({})
        yield from self._preview()
        yield from self._close_autosave(stopped)
        best = self.best or Best(0.0, self.step, self.learner.weights(), {})
        outcome = Outcome(self.step, self.seconds, best.metrics, best.step, stopped)
        yield Finished(self.learner.model(best.weights, outcome), stopped)

    def _close_autosave(self, stopped: bool) -> Iterator[Event]:
        """A stopped run can be resumed; a finished one needs no autosave."""
        if stopped:
            yield from self._autosave()
        elif self.plan.autosave is not None:
            self.plan.autosave.unlink(missing_ok=True)

    def _autosave(self) -> Iterator[Event]:
        """Write the autosave; a full disk costs a warning, not the training."""
        self.saved = time.monotonic()
        if self.plan.autosave is None:
            return
        content = {
            "format": AUTOSAVE_FORMAT,
            "kind": self.learner.kind,
            "step": self.step,
            "seconds": self.seconds,
            "validated_at": self.validated_at,
            "best": vars(self.best) if self.best else None,
            "learner": self.learner.state(),
        }
        try:
            write_autosave(self.plan.autosave, content)
        except (OSError, RuntimeError) as error:  # torch tells of a full disk by a RuntimeError
            reason = getattr(error, "strerror", None) or "is the disk full?"
            yield Warning(f"The autosave '{self.plan.autosave}' could not be written ({reason}). Training goes on.")


def write_autosave(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values under a temporary name, then rename."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        torch.save(dict(content), temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_autosave(path: Path, kind: str) -> dict[str, Any]:
    """Read an autosave with ``weights_only=True``; raises `UserError` when it is none or of another kind of job."""
    if not path.is_file():
        raise UserError(f"There is no autosave '{path}' to resume from. Leave out --resume to start anew.")
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = saved["kind"], saved["format"]
    except Exception as error:  # the safe unpickler lets errors of many kinds through when a file is damaged
        raise UserError(f"'{path}' is no autosave or is damaged ({type(error).__name__}). Start anew.") from error
    if found != (kind, AUTOSAVE_FORMAT):
        raise UserError(f"'{path}' is the autosave of another kind of job ({found[0]}, format {found[1]}). Start anew.")
    return saved
