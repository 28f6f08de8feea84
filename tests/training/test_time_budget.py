"""Validation and previews take their part of the time of a run, by a clock that the test turns."""

import pytest

from napari_emssl.training import time_budget
from napari_emssl.training.time_budget import TimeBudget


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time_budget, "time", made)
    return made


def spend(budget: TimeBudget, clock: Clock, what: str, seconds: float) -> None:
    with budget.spent_on(what):
        clock.now += seconds


def test_what_is_done_beside_steps_and_again_at_the_end_is_within_the_time(clock: Clock) -> None:
    budget = TimeBudget(20.0)
    spend(budget, clock, "validation", 2.0)
    spend(budget, clock, "preview", 3.0)
    assert budget.progress(0.0) == 0.0
    assert budget.progress(4.0) == pytest.approx(9 / 15)
    assert budget.progress(9.9) < 1.0
    assert budget.progress(10.0) == 1.0  # 10 s of steps, 5 s before them, 5 s after them


def test_where_validation_alone_takes_the_time_a_quarter_is_left_for_steps(clock: Clock) -> None:
    budget = TimeBudget(4.0)
    spend(budget, clock, "validation", 5.0)
    assert budget.progress(0.0) == 0.0
    assert budget.progress(0.5) == 0.5
    assert budget.progress(1.0) == 1.0


def test_validation_takes_at_most_a_tenth_of_a_limited_time(clock: Clock) -> None:
    budget = TimeBudget(100.0)
    assert budget.allows_validation(0.0)
    spend(budget, clock, "validation", 1.0)
    budget.validated(3.0)
    assert not budget.allows_validation(11.9)
    assert budget.allows_validation(12.0)


def test_without_a_limit_no_clock_decides(clock: Clock) -> None:
    budget = TimeBudget(None)
    spend(budget, clock, "validation", 1e6)
    budget.validated(0.0)
    assert budget.progress(1e6) == 0.0
    assert budget.allows_validation(0.0)
