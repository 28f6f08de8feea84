"""The one loop, with a learner that only counts: steps, time, stop, pause, best-so-far, autosave, resume, events."""

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Control, Event, Finished, Preview, Progress, Warning
from napari_emssl.jobs.training import Outcome, Plan, read_autosave, run_training, write_autosave


class Counter:
    """Adds up its batches; its validation is best at step `peak`."""

    kind = "count"
    better = ("score", "max")

    def __init__(self, peak: int = 10**9, seconds: float = 0.0, validates: bool = True) -> None:
        self.sum, self.peak, self.seconds, self.validates = torch.zeros(()), peak, seconds, validates
        self.steps = 0
        self.done: list[float] = []
        self.views: list[Any] = []

    def improve(self, batch: float, done: float) -> dict[str, float]:
        time.sleep(self.seconds)
        self.sum += batch
        self.steps += 1
        self.done.append(done)
        return {"loss": float(batch)}

    def validate(self) -> dict[str, float]:
        return {"score": -abs(self.steps - self.peak)} if self.validates else {}

    def preview(self, view: Any) -> Mapping[str, Any]:
        self.views.append(view)
        return {"sum": self.sum.numpy()[None, None].copy()}

    def weights(self) -> dict[str, Any]:
        return {"sum": self.sum.clone()}

    def model(self, weights: Mapping[str, Any], outcome: Outcome) -> Any:
        return float(weights["sum"]), outcome

    def state(self) -> dict[str, Any]:
        return {"sum": self.sum, "steps": self.steps}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.sum, self.steps = state["sum"].clone(), state["steps"]


def batches(first: int) -> Iterator[float]:
    step = first
    while True:
        yield float(step + 1)
        step += 1


def plan(total: int | None = 10, **changes: Any) -> Plan:
    settings = {"batches": batches, "batch_size": 1, "total": total, "max_seconds": None, "validation_interval": 2}
    return Plan(**{**settings, **changes})


def run(learner: Counter, chosen: Plan, resume: Path | None = None) -> list[Event]:
    return list(run_training(learner, chosen, Control(), resume))


def result(events: list[Event]) -> tuple[float, Outcome]:
    assert isinstance(events[-1], Finished)
    return events[-1].result


def test_steps_are_counted_validated_and_ended_by_finished() -> None:
    events = run(Counter(), plan())
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.step for event in progress if event.metrics] == [0, 2, 4, 6, 8, 10]
    assert progress[-1].fraction == 1
    assert sum(isinstance(event, Finished) for event in events) == 1
    assert result(events) == (55.0, result(events)[1])
    assert result(events)[1].steps == 10


def test_validation_comes_before_the_first_step() -> None:
    first = run(Counter(), plan())[0]
    assert isinstance(first, Progress)
    assert (first.step, first.metrics) == (0, {"score": -(10**9)})


def test_the_best_weights_are_handed_over() -> None:
    total, outcome = result(run(Counter(peak=4), plan()))
    assert (total, outcome.best_step, outcome.steps) == (1 + 2 + 3 + 4, 4, 10)
    assert outcome.metrics == {"score": 0}


def test_without_validation_the_last_weights_are_handed_over_and_no_metric_is_made_up() -> None:
    events = run(Counter(validates=False), plan())
    total, outcome = result(events)
    assert (total, outcome.metrics) == (55.0, {})
    assert not any(event.metrics for event in events if isinstance(event, Progress))


def test_a_time_budget_ends_the_run_and_tells_the_share_done() -> None:
    learner = Counter(seconds=0.02)
    events = run(learner, plan(total=None, max_seconds=0.3))
    assert 5 <= learner.steps <= 16
    assert learner.done == sorted(learner.done)
    assert 0.7 < learner.done[-1] < 1
    assert not events[-1].stopped


def test_a_stop_after_three_events_still_hands_over_a_model() -> None:
    control, seen = Control(), []
    for event in run_training(Counter(seconds=0.01), plan(total=10_000), control):
        seen.append(event)
        if len(seen) == 3:
            control.stop()
    total, outcome = result(seen)
    assert seen[-1].stopped
    assert outcome.stopped
    assert total > 0
    assert outcome.steps < 100


def test_events_come_at_most_ten_times_a_second() -> None:
    start = time.monotonic()
    events = run(Counter(seconds=0.002), plan(total=300, validation_interval=1000))
    told = [event for event in events if isinstance(event, Progress)]
    assert 2 <= len(told) <= 10 * (time.monotonic() - start) + 4


def test_pause_holds_the_run_and_does_not_count_as_work() -> None:
    control = Control()
    events = run_training(Counter(seconds=0.005), plan(total=60), control)
    next(events)
    control.pause()
    threading.Timer(0.5, control.resume).start()
    seen = list(events)
    assert seen[-1].result[1].steps == 60
    assert seen[-1].result[1].seconds < 60 * 0.005 + 0.4


def test_the_plane_asked_for_is_shown() -> None:
    control, learner = Control(), Counter()
    control.show("plane")  # type: ignore[arg-type]
    events = list(run_training(learner, plan(), control))
    assert any(isinstance(event, Preview) for event in events)
    assert set(learner.views) == {"plane"}


def test_a_loss_that_is_not_finite_is_said_once() -> None:
    broken = plan(batches=lambda first: iter([1.0, float("nan"), float("inf"), 1.0]), total=4, validation_interval=1)
    warnings = [event for event in run(Counter(), broken) if isinstance(event, Warning)]
    assert len(warnings) == 1
    assert "lower learning rate" in warnings[0].text


@pytest.mark.parametrize("stop_after", [1, 5, 9])
def test_a_resumed_run_equals_the_uninterrupted_one(stop_after: int, tmp_path: Path) -> None:
    autosave = tmp_path / "run.autosave"
    whole = result(run(Counter(peak=6), plan()))
    control = Control()
    first = Counter(peak=6)
    for event in run_training(first, plan(autosave=autosave, validation_interval=1), control):
        if isinstance(event, Progress) and event.step == stop_after:
            control.stop()
    assert first.steps == stop_after
    resumed = result(run(Counter(peak=6), plan(autosave=autosave), resume=autosave))
    assert resumed[0] == whole[0]
    assert (resumed[1].steps, resumed[1].best_step) == (whole[1].steps, whole[1].best_step)
    assert not autosave.exists()  # a finished run needs none


def test_autosaves_come_by_time(tmp_path: Path) -> None:
    autosave, control = tmp_path / "run.autosave", Control()
    running = run_training(Counter(seconds=0.01), plan(total=10_000, autosave=autosave, autosave_seconds=0.1), control)
    for event in running:
        if isinstance(event, Progress) and event.step > 30:
            break
    assert read_autosave(autosave, "count")["step"] > 5
    assert list(tmp_path.iterdir()) == [autosave]


def test_what_is_no_autosave_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no autosave"):
        read_autosave(tmp_path / "none", "count")
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(UserError, match="damaged"):
        read_autosave(tmp_path / "junk", "count")
    write_autosave(tmp_path / "other", {"kind": "pretrain", "format": 1})
    with pytest.raises(UserError, match="another kind of job"):
        read_autosave(tmp_path / "other", "count")


def test_an_autosave_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"kind": "count", "format": 1, "bomb": Path("x")}, tmp_path / "bomb")
    with pytest.raises(UserError, match="damaged"):
        read_autosave(tmp_path / "bomb", "count")
