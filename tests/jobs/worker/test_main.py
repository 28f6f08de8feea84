"""The child's side where it can be looked at without a child."""

import pickle
import threading

import numpy as np
import pytest

from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Notice, Preview, Progress
from napari_emssl.jobs.worker.main import _FULL, _THIN, EventQueue, RemoteArray


def empty(outbox, number):
    messages = []
    for _ in range(number):
        outbox.ask()
        messages.append(outbox.take()[1])
    return messages


def test_few_messages_are_all_kept():
    outbox = EventQueue()
    sent = [Progress(step, None) if step % 2 else Preview({}, step) for step in range(_THIN)]
    for event in sent:
        outbox.put("event", event)
    assert empty(outbox, _THIN) == sent


def test_many_are_thinned_out_but_nothing_that_counts():
    outbox = EventQueue()
    for step in range(100):
        outbox.put("event", Progress(step, None, {}, {"l1": 1.0} if step % 40 == 0 else {}))
        outbox.put("event", Preview({}, step))
    outbox.put("event", Notice("Read me."))
    waiting = list(outbox._waiting)
    events = empty(outbox, len(waiting))
    assert len(events) < _THIN + 5
    assert [event.step for event in events if isinstance(event, Progress) and event.metrics] == [0, 40, 80]
    assert [event.step for event in events if isinstance(event, Progress)][-1] == 99
    assert [event.step for event in events if isinstance(event, Preview)][-1] == 99
    assert events[-1] == Notice("Read me.")


@pytest.mark.parametrize("release", ["take", "abandon"])
def test_the_job_waits_when_too_many_must_be_kept(release):
    outbox = EventQueue()
    for number in range(_FULL):
        outbox.put("event", Notice(str(number)))
    thread = threading.Thread(target=outbox.put, args=("event", Notice("last")), daemon=True)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    if release == "take":
        empty(outbox, 1)
    else:
        outbox.abandon()
    thread.join(5)
    assert not thread.is_alive()


def test_a_served_array_looks_like_an_array_but_stays_here():
    array = np.arange(24).reshape(2, 3, 4)
    served = RemoteArray(lambda key: array[key], array.shape, array.dtype)
    assert (len(served), served.ndim, served.shape, served.dtype) == (2, 3, (2, 3, 4), array.dtype)
    np.testing.assert_array_equal(np.asarray(served), array)
    np.testing.assert_array_equal(np.stack(list(served)), array)
    assert np.asarray(served, dtype=np.float32).dtype == np.float32
    with pytest.raises(UserError, match="Set workers to 0"):
        pickle.dumps(served)
