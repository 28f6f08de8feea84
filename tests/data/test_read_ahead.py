"""Things are made in a thread, in order, a few ahead; errors come where they belong, and the thread ends."""

import threading
import time
from contextlib import closing
from itertools import count

import pytest

from napari_emssl.data.read_ahead import made_ahead

NAME = "reading ahead"


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_things_come_in_order_and_no_more_are_made_than_asked_for() -> None:
    made = []

    def make(key: int) -> int:
        made.append(key)
        return 10 * key

    with closing(made_ahead(make, count(), ahead=2)) as things:
        assert [next(things) for _ in range(3)] == [0, 10, 20]
        time.sleep(0.3)
        assert made == list(range(6))  # two are ready, and one waits for room
    assert not readers()


def test_it_ends_with_its_keys() -> None:
    assert list(made_ahead(str, range(5), 1)) == ["0", "1", "2", "3", "4"]
    assert list(made_ahead(str, [], 1)) == []
    assert not readers()


def test_what_making_raises_comes_after_the_things_before_it() -> None:
    things = made_ahead(lambda key: 1 // (2 - key), range(5), 1)
    assert [next(things), next(things)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(things)
    assert not readers()
