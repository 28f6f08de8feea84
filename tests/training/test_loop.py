"""The one loop, with a learner that only counts: steps, time, stop, pause, best-so-far, autosave, resume, events.

Time is that of a clock which the steps turn.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.errors import UserError
from napari_emssl.jobs import meter
from napari_emssl.jobs.events import Control, Event, Finished, Notice, Preview, Progress
from napari_emssl.jobs.settings import TrainingSettings
from napari_emssl.training import loop, steps, time_budget
from napari_emssl.training.checkpoint import read_autosave
from napari_emssl.training.learner import Monitor, TrainingSchedule, TrainingSummary
from napari_emssl.training.loop import run_training
from napari_emssl.training.steps import follow_training


class Clock:
    """Time passes while somebody sleeps, and a little whenever it is asked for."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1e-6
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


CLOCK = Clock()


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    CLOCK.now = 0.0
    for module in (loop, meter, steps, time_budget):
        monkeypatch.setattr(module, "time", CLOCK)


class Counter:
    """Adds up its batches; its validation is best at step `peak`."""

    kind = "count"
    monitor: Monitor | None = Monitor("score", "max")

    def __init__(self, peak: int = 10**9, seconds: float = 0.0, validates: bool = True) -> None:
        self.sum, self.peak, self.seconds, self.validates = torch.zeros(()), peak, seconds, validates
        self.steps, self.settings = 0, TrainingSettings()
        self.progress: list[float] = []
        self.views: list[Any] = []

    def train_step(self, batch: float, progress: float) -> dict[str, float]:
        CLOCK.sleep(self.seconds)
        self.sum += batch
        self.steps += 1
        self.progress.append(progress)
        return {"loss": float(batch)}

    def validate(self) -> dict[str, float]:
        return {"score": -abs(self.steps - self.peak)} if self.validates else {}

    def preview(self, view: Any) -> Mapping[str, Any]:
        self.views.append(view)
        return {"sum": self.sum.numpy()[None, None].copy()}

    def weights(self) -> dict[str, Any]:
        return {"sum": self.sum.clone()}

    def model(self, weights: Mapping[str, Any], summary: TrainingSummary) -> Any:
        return float(weights["sum"]), summary

    def state(self) -> dict[str, Any]:
        return {"sum": self.sum, "steps": self.steps}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.sum, self.steps = state["sum"].clone(), state["steps"]


def batches(first: int) -> Iterator[float]:
    step = first
    while True:
        yield float(step + 1)
        step += 1


def plan(total: int | None = 10, **changes: Any) -> TrainingSchedule:
    chosen = {"batches": batches, "batch_size": 1, "total": total, "max_seconds": None, "validation_interval": 2}
    return TrainingSchedule(**{**chosen, **changes})


def run(learner: Counter, chosen: TrainingSchedule, resume: Path | None = None) -> list[Event]:
    return list(run_training(learner, chosen, Control(), resume))


def result(events: list[Event]) -> tuple[float, TrainingSummary]:
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


def test_validation_comes_after_the_steps_that_are_named() -> None:
    events = run(Counter(), plan(validation_steps={0, 1, 5, 10}))
    assert [event.step for event in events if isinstance(event, Progress) and event.metrics] == [0, 1, 5, 10]


def test_without_a_monitor_the_last_weights_are_handed_over_whatever_validation_says() -> None:
    learner = Counter(peak=4)
    learner.monitor = None
    total, summary = result(run(learner, plan(patience=1)))
    assert (total, summary.metrics, summary.best_step) == (55.0, {}, 10)


def test_who_follows_takes_the_steps_that_are_announced(tmp_path: Path) -> None:
    stopped_at(5, Counter(), plan(autosave=tmp_path / "a"))
    for resume, total in ((None, 1 + 2 + 3), (tmp_path / "a", 15 + 6 + 7 + 8)):
        learner = Counter()
        follow_training(learner, batches, iter([0.5, 0.6, 0.7]), resume)
        assert (float(learner.sum), learner.progress) == (total, [0.5, 0.6, 0.7])


def test_validation_comes_before_the_first_step() -> None:
    first = run(Counter(), plan())[0]
    assert isinstance(first, Progress)
    assert (first.step, first.metrics) == (0, {"score": -(10**9)})


def test_the_best_weights_are_handed_over() -> None:
    total, summary = result(run(Counter(peak=4), plan()))
    assert (total, summary.best_step, summary.steps) == (1 + 2 + 3 + 4, 4, 10)
    assert summary.metrics == {"score": 0}


def test_without_validation_the_last_weights_are_handed_over_and_no_metric_is_made_up() -> None:
    events = run(Counter(validates=False), plan())
    total, summary = result(events)
    assert (total, summary.metrics) == (55.0, {})
    assert not any(event.metrics for event in events if isinstance(event, Progress))


def test_a_time_budget_ends_the_run_and_tells_the_share_done() -> None:
    learner = Counter(seconds=0.02)
    events = run(learner, plan(total=None, max_seconds=0.3))
    assert 14 <= learner.steps <= 15
    assert learner.progress == sorted(learner.progress)
    assert 0.9 < learner.progress[-1] < 1
    assert not events[-1].stopped


def test_a_stop_after_three_events_still_hands_over_a_model() -> None:
    control, seen = Control(), []
    for event in run_training(Counter(seconds=0.01), plan(total=10_000), control):
        seen.append(event)
        if len(seen) == 3:
            control.stop()
    total, summary = result(seen)
    assert seen[-1].stopped
    assert summary.stopped
    assert total > 0
    assert summary.steps < 100


def test_events_come_at_most_ten_times_a_second() -> None:
    events = run(Counter(seconds=0.002), plan(total=300, validation_interval=1000))
    told = [event for event in events if isinstance(event, Progress)]
    assert 6 <= len(told) <= 10 * 0.6 + 4


class Patient(Control):
    """Is told to go on after an hour."""

    def wait_while_paused(self) -> None:
        if self.paused:
            CLOCK.sleep(3600)
            self.resume()


def test_pause_holds_the_run_and_does_not_count_as_work() -> None:
    control = Patient()
    events = run_training(Counter(seconds=0.005), plan(total=60), control)
    next(events)
    control.pause()
    seen = list(events)
    assert CLOCK.now > 3600
    assert seen[-1].result[1].steps == 60
    assert seen[-1].result[1].seconds == pytest.approx(60 * 0.005, rel=0.01)


def test_the_plane_asked_for_is_shown() -> None:
    control, learner = Control(), Counter()
    control.show("plane")  # type: ignore[arg-type]
    events = list(run_training(learner, plan(), control))
    assert any(isinstance(event, Preview) for event in events)
    assert set(learner.views) == {"plane"}


class Dicer(Counter):
    """Learns from torch's own random numbers, which the loop therefore has to restore."""

    def train_step(self, batch: float, progress: float) -> dict[str, float]:
        super().train_step(batch, progress)
        self.sum += torch.rand(())
        return {"loss": float(self.sum)}


def drawing_batches(first: int) -> Iterator[float]:
    """Like a loader of torch: to start reading draws a number."""
    torch.rand(())
    return batches(first)


def told(events: list[Event]) -> list[tuple[int, dict[str, float], dict[str, float]]]:
    return [(e.step, dict(e.losses), dict(e.metrics)) for e in events if isinstance(e, Progress) and e.metrics]


def stopped_at(step: int, learner: Counter, chosen: TrainingSchedule) -> list[Event]:
    """Run until `step`, whether an event tells of it or not."""
    control = Control()
    seen = list(run_training(_Stopping(learner, step, control), chosen, control))
    assert learner.steps == step
    return seen


class _Stopping:
    """A learner that asks for a stop after its step."""

    def __init__(self, learner: Counter, step: int, control: Control) -> None:
        self._learner, self._step, self._control = learner, step, control
        if step == 0:
            control.stop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def train_step(self, batch: float, progress: float) -> dict[str, float]:
        losses = self._learner.train_step(batch, progress)
        if self._learner.steps == self._step:
            self._control.stop()
        return losses


@settings(max_examples=50, deadline=None)
@given(stop=st.integers(0, 13), again=st.integers(0, 13), interval=st.integers(1, 15), peak=st.integers(0, 14))
def test_a_run_resumed_at_any_step_equals_the_uninterrupted_one(
    stop: int, again: int, interval: int, peak: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    autosave = tmp_path_factory.mktemp("run") / "autosave"
    chosen = plan(14, batches=drawing_batches, validation_interval=interval, autosave=autosave)
    torch.manual_seed(0)
    whole = run(Dicer(peak), replace(chosen, autosave=None))
    torch.manual_seed(0)
    parts = [stopped_at(stop, Dicer(peak), chosen)]
    for until in (max(stop, again), 15):
        torch.manual_seed(99)
        learner, control = Dicer(peak), Control()
        stopping = _Stopping(learner, 0 if until == stop else until, control)
        parts.append(list(run_training(stopping, chosen, control, autosave)))
    (total, summary), (sums, expected) = result(parts[-1]), result(whole)
    assert total == sums
    assert replace(summary, seconds=0) == replace(expected, seconds=0)
    events = {step: rest for part in parts for step, *rest in told(part) if step % interval == 0 or step == 14}
    assert events == {step: rest for step, *rest in told(whole)}
    assert autosave.exists()  # until whoever asked has the model in its place


def test_a_resumed_run_first_tells_where_it_goes_on_from(tmp_path: Path) -> None:
    chosen = plan(autosave=tmp_path / "a", epoch_steps=4)
    stopped_at(5, Counter(), chosen)
    first, second, *_ = run(Counter(), chosen, resume=tmp_path / "a")
    assert isinstance(first, Progress)
    assert (first.step, first.losses, first.metrics, first.epoch) == (5, {}, {}, 1.25)
    assert isinstance(second, Preview)


def test_a_resumed_run_goes_on_with_its_clock(tmp_path: Path) -> None:
    chosen = plan(total=None, max_seconds=0.6, autosave=tmp_path / "a")
    first, second = Counter(seconds=0.02), Counter(seconds=0.02)
    used = result(stopped_at(10, first, chosen))[1].seconds
    summary = result(run(second, chosen, resume=tmp_path / "a"))[1]
    assert used >= 0.2
    assert second.progress[0] >= used / 0.6  # validation and previews count, too
    assert summary.seconds > used
    assert 28 <= summary.steps == second.steps <= 30


def test_a_finished_run_can_be_made_longer(tmp_path: Path) -> None:
    chosen = plan(7, autosave=tmp_path / "a", validation_interval=3)
    run(Counter(peak=7), chosen)
    longer = result(run(Counter(peak=7), replace(chosen, total=12), resume=tmp_path / "a"))
    whole = result(run(Counter(peak=7), replace(chosen, total=12, autosave=None)))
    assert longer[0] == whole[0]  # the validation at step 7, the end at first, is none of the longer run
    assert longer[1].best_step == whole[1].best_step == 6


def test_other_settings_are_refused_and_other_data_warned_of(tmp_path: Path) -> None:
    chosen = plan(autosave=tmp_path / "a", data="3 images.")
    stopped_at(5, Counter(), chosen)
    other = Counter()
    other.settings = TrainingSettings(seed=1)
    with pytest.raises(UserError, match=r"--seed 0 \(now 1\)"):
        run(other, chosen, resume=tmp_path / "a")
    events = run(Counter(), replace(chosen, data="4 images."), resume=tmp_path / "a")
    assert [e.text for e in events if isinstance(e, Notice)] == [
        "The data are not those of the run that was saved. Then: 3 images. Now: 4 images."
    ]


def test_another_start_is_refused_and_other_pixels_are_told(tmp_path: Path) -> None:
    chosen = plan(autosave=tmp_path / "a", data="3 images.", data_digest="1", start_digest="1")
    stopped_at(5, Counter(), chosen)
    with pytest.raises(UserError, match="began with other weights"):
        run(Counter(), replace(chosen, start_digest="2"), resume=tmp_path / "a")
    with pytest.raises(UserError, match="other images or targets"):
        run(Counter(), replace(chosen, data_digest="2", only_same_data=True), resume=tmp_path / "a")
    for digest, notices in (("2", ["The pixels of images or targets are not"]), ("1", []), ("", [])):
        events = run(Counter(), replace(chosen, data_digest=digest), resume=tmp_path / "a")
        assert [e.text[:39] for e in events if isinstance(e, Notice)] == notices
        stopped_at(5, Counter(), chosen)


def test_two_runs_never_write_one_autosave(tmp_path: Path) -> None:
    chosen = plan(total=1000, autosave=tmp_path / "a")
    running = run_training(Counter(), chosen, Control())
    next(running)
    with pytest.raises(UserError, match="Another run"):
        next(run_training(Counter(), chosen, Control()))
    assert any(isinstance(event, Finished) for event in running)
    assert isinstance(next(run_training(Counter(), chosen, Control())), Progress)


def test_the_autosave_is_free_when_the_result_is_there(tmp_path: Path) -> None:
    running = run_training(Counter(), plan(autosave=tmp_path / "a"), Control())
    while not isinstance(next(running), Finished):
        pass  # whoever asks for the result stops here and never exhausts the iterator
    run(Counter(), plan(12, autosave=tmp_path / "a"), resume=tmp_path / "a")


def breaking_batches(first: int) -> Iterator[float]:
    yield from [1.0] * 6
    while True:
        yield float("nan")


def test_a_run_without_finite_losses_ends_and_keeps_the_best_weights(tmp_path: Path) -> None:
    chosen = plan(10**6, batches=breaking_batches, autosave=tmp_path / "a", autosave_seconds=1e-9)
    events = run(Counter(), chosen)
    warnings = [event.text for event in events if isinstance(event, Notice)]
    assert len(warnings) == 2
    assert "since step 7" in warnings[0]
    assert warnings[1] == events[-1].failure
    assert "those of step 6" in warnings[1]
    total, summary = result(events)
    assert (total, summary.best_step) == (6.0, 6)
    assert events[-1].stopped
    assert summary.steps < 40
    assert read_autosave(tmp_path / "a", "count")["step"] == 6, "an autosave of lost weights is worth nothing"


def test_a_run_that_diverges_before_any_validation_has_nothing_to_hand_over() -> None:
    with pytest.raises(UserError, match="no earlier weights"):
        run(Counter(), plan(10**6, batches=breaking_batches, validation_interval=10**6))


def test_the_last_event_tells_the_last_losses() -> None:
    events = run(Counter(), plan(7, validation_interval=5))
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert (last.step, last.losses, last.metrics) == (7, {"loss": 7.0}, {"score": 7 - 10**9})


def test_a_full_disk_costs_the_autosave_and_not_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any) -> None:
        raise RuntimeError("file write failed")

    monkeypatch.setattr(torch, "save", full)
    events = run(Counter(), plan(autosave=tmp_path / "a"))
    assert result(events)[0] == 55
    assert ["is the disk full?" in event.text for event in events if isinstance(event, Notice)] == [True]


def test_autosaves_come_by_time(tmp_path: Path) -> None:
    autosave, control = tmp_path / "run.autosave", Control()
    running = run_training(Counter(seconds=0.01), plan(total=10_000, autosave=autosave, autosave_seconds=0.1), control)
    for event in running:
        if isinstance(event, Progress) and event.step > 30:
            break
    assert read_autosave(autosave, "count")["step"] > 5
    running.close()
    assert list(tmp_path.iterdir()) == [autosave]


class ThreadCounter(Counter):
    """Notes with how many threads each step was taken."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds=seconds)
        self.threads: list[int] = []

    def train_step(self, batch: float, progress: float) -> dict[str, float]:
        self.threads.append(torch.get_num_threads())
        return super().train_step(batch, progress)


@pytest.mark.parametrize(("limits", "seen"), [({"total": 20}, {2}), ({"total": None, "max_seconds": 0.5}, {1, 2})])
def test_the_number_of_threads_varies_only_where_the_clock_ends_the_run(limits: dict[str, Any], seen: set[int]) -> None:
    torch.set_num_threads(2)
    learner = ThreadCounter(seconds=0.01)
    run(learner, plan(**limits, tunes_threads=True))
    assert set(learner.threads) == seen
    assert torch.get_num_threads() == 2
