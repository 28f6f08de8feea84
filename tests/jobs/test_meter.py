"""The meter: how often it tells, how fast the job is, and what is left."""

import pytest

from napari_emssl.jobs import meter
from napari_emssl.jobs.meter import Meter


class Clock:
    """Time that goes on when the test says so."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(meter, "time", clock)
    return clock


def test_ten_events_a_second_at_most_and_always_the_last(clock):
    counting, told = Meter(), []
    for step in range(1, 1001):
        clock.now += 0.001
        told += counting.tick(step, 1000)
    assert len(told) in (10, 11)
    assert told[0].step == 1
    assert (told[-1].step, told[-1].seconds_left) == (1000, 0.0)
    assert told[-1].fraction == 1.0
    clock.now += 0.001
    (last,) = counting.tick(1000, 1000)
    assert last.step == 1000


def test_speed_and_time_left(clock):
    counting = Meter()
    clock.now += 4
    event = counting.progress(8, 20, images_per_step=3)
    assert (event.seconds, event.seconds_left, event.images_per_second) == (4, 6, 6)


def test_parts_of_a_step(clock):
    counting = Meter(parts=1000)
    clock.now += 1
    event = counting.progress(0.5, 2)
    assert (event.step, event.total, event.seconds_left) == (500, 2000, 3)


def test_what_an_earlier_run_has_done_does_not_count_as_speed(clock):
    counting = Meter()
    counting.leave_out(60, 1000)
    assert counting.progress(60, 100, seconds=1000).seconds_left is None
    event = counting.progress(70, 100, images_per_step=2, seconds=1020)
    assert (event.seconds, event.seconds_left, event.images_per_second) == (1020, 60, 1)


@pytest.mark.parametrize(("total", "most", "left"), [(100, None, 90), (100, 30, 20), (12, 30, 2), (None, 30, 20)])
def test_what_ends_first_is_what_is_left(clock, total, most, left):
    clock.now += 10
    assert Meter(max_seconds=most).progress(10, total, seconds=10).seconds_left == left


@pytest.mark.parametrize(("step", "total"), [(5, None), (5, 4), (0, 4)])
def test_what_cannot_be_told_is_none(clock, step, total):
    counting = Meter()
    clock.now += 1
    assert counting.progress(step, total).seconds_left is None
