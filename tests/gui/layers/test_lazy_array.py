"""Planes that are computed when they are looked at: who waits, what is remembered, what happens when one fails."""

import threading
import time
import weakref

import numpy as np
import pytest
from patience import PATIENCE_SECONDS
from qtpy.QtCore import QCoreApplication

from napari_emssl.gui.layers import lazy_array
from napari_emssl.gui.layers.lazy_array import LazyPlanes

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("qapp")]
SHAPE = (3, 4, 5, 6)


def value(index):
    return 10 * index[0] + index[1] + 1


class Source:
    """Computes planes, waits for permission before each, and counts."""

    def __init__(self):
        self.go, self.done, self.released = threading.Event(), [], []
        self.go.set()

    def __call__(self, index):
        self.go.wait(300)
        self.done.append(index)
        if index == (2, 3):
            raise ValueError("no such plane")
        return np.full(SHAPE[-2:], value(index))


@pytest.fixture
def source():
    return Source()


def lazy(source, **more):
    return LazyPlanes(SHAPE, np.uint8, source, release=lambda: source.released.append(1), **more)


def until(condition):
    end = time.monotonic() + 300
    while not condition() and time.monotonic() < end:
        pause(0.005)
    assert condition()


def pause(seconds):
    """Let the viewer live for a while."""
    time.sleep(seconds)
    QCoreApplication.processEvents()


def in_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(PATIENCE_SECONDS)
    return found[0]


def test_the_main_thread_never_waits_and_is_told(source):
    source.go.clear()
    told = []
    planes = lazy(source, changed=lambda: told.append(threading.current_thread()))
    assert not planes[1, 2].any()
    assert not source.done, "the plane was waited for"
    source.go.set()
    until(lambda: told)
    assert told == [threading.main_thread()]
    assert (planes[1, 2] == value((1, 2))).all()
    assert source.done == [(1, 2)]


def test_another_thread_waits(source):
    planes = lazy(source)
    assert (in_thread(lambda: planes[0, 3]) == value((0, 3))).all()


def test_saving_waits_in_any_thread(source):
    planes = LazyPlanes((2, 2, 5, 6), np.uint8, source)
    whole = np.asarray(planes)
    assert whole.shape == planes.shape
    assert whole[:, :, 0, 0].tolist() == [[1, 2], [11, 12]]


@pytest.mark.parametrize(
    "key", [(0,), (0, 1), (slice(0, 2), 1), (slice(None), 0, slice(None), 3), (..., 2), (0, ..., slice(1, 3)), (-1, 0)]
)
def test_keys_are_those_of_an_array(source, key):
    planes = lazy(source)
    whole = np.zeros(SHAPE, np.uint8)
    for index in np.ndindex(SHAPE[:2]):
        whole[index] = value(index)
    if key == (..., 2):
        key = (slice(0, 2), ..., 2)
    np.testing.assert_array_equal(in_thread(lambda: planes[key]), whole[key])
    assert planes[key].shape == whole[key].shape


def test_what_is_not_looked_at_any_more_is_given_up(source):
    source.go.clear()
    planes = lazy(source)
    for k in range(4):
        planes[0, k]
    source.go.set()
    until(lambda: (0, 3) in source.done)
    pause(0.05)
    assert set(source.done) <= {(0, 0), (0, 3)}


def test_memory_is_bounded_and_a_view_of_too_many_planes_does_not_go_round_in_circles(source):
    planes = lazy(source, room_bytes=3 * 30)
    for _ in range(5):
        planes[:2]
        pause(0.05)
    until(lambda: planes.done == 3)
    assert source.done == [(0, 0), (0, 1), (0, 2)]
    planes[1, 3]
    until(lambda: (1, 3) in source.done)
    assert planes.done == 3


def test_a_plane_that_fails_is_told_once_and_not_tried_again(source):
    told = []
    planes = lazy(source, failed=lambda error: told.append(str(error)))
    for _ in range(3):
        planes[2, 3]
        pause(0.05)
    assert told == ["no such plane"]
    assert source.done == [(2, 3)]
    planes[2, 2]
    until(lambda: planes.done == 1)


def test_what_computes_is_let_go_when_idle_and_when_closed(source, monkeypatch):
    monkeypatch.setattr(lazy_array, "_IDLE_SECONDS", 0.05)
    planes = lazy(source)
    planes[0, 0]
    until(lambda: source.released)
    planes[0, 1]
    until(lambda: planes.done == 2)
    until(lambda: len(source.released) == 2)
    planes.close()
    planes[0, 2]
    pause(0.1)
    assert source.done == [(0, 0), (0, 1)]
    assert len(source.released) == 3


def test_planes_can_be_put_without_any_computing():
    planes = LazyPlanes(SHAPE, np.uint8)
    planes.put((1, 1), np.full(SHAPE[-2:], 7))
    assert planes[1, 1].min() == 7
    assert np.asarray(planes).sum() == 7 * 30


def test_nothing_is_told_after_it_was_closed_and_the_thread_deletes_nothing_of_qt(source):
    source.go.clear()
    told = []
    planes = lazy(source, changed=lambda: told.append("changed"), failed=told.append)
    planes[0]
    planes.close()
    gone = weakref.ref(planes)
    del planes
    assert gone() is not None, "the thread still computes the first plane"
    source.go.set()
    until(lambda: gone() is None)
    pause(0.05)
    assert told == []
    assert source.done == [(0, 0)]


def test_a_plane_that_was_forgotten_is_computed_again(source):
    planes = lazy(source, room_bytes=30)
    for index in [(0, 0), (0, 1), (0, 0)]:
        planes[index]
        until(lambda index=index: source.done[-1:] == [index] and planes.done == 1)
    assert source.done == [(0, 0), (0, 1), (0, 0)]


def test_what_computes_is_not_let_go_while_another_thread_computes(source, monkeypatch):
    monkeypatch.setattr(lazy_array, "_IDLE_SECONDS", 0.05)
    planes = lazy(source)
    in_thread(lambda: planes[0, 0])
    source.go.clear()
    slow = threading.Thread(target=lambda: planes[0, 1])
    slow.start()
    pause(0.2)
    assert source.released == []
    source.go.set()
    slow.join()
    until(lambda: source.released)
