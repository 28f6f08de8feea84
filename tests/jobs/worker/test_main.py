"""The worker's side where it can be looked at without a second process."""

import multiprocessing
import threading

import numpy as np
import pytest
from patience import PATIENCE_SECONDS, eventually

from napari_emssl.jobs.events import Finished, Job, Notice, Preview, Progress
from napari_emssl.jobs.worker import channel
from napari_emssl.jobs.worker.channel import Channel
from napari_emssl.jobs.worker.main import MOST_EVENTS_UNDER_WAY, Worker


@pytest.fixture
def ends(tmp_path, monkeypatch):
    """A worker that listens, and the parent's end of its channel."""
    monkeypatch.setattr(Worker, "_end", lambda self: self._gone.set())  # it would end this process
    ours, theirs = multiprocessing.Pipe()
    worker, parent = Worker(theirs, tmp_path), Channel(ours, tmp_path, "parent")
    thread = threading.Thread(target=worker.listen, daemon=True)
    thread.start()
    yield worker, parent
    parent.close()
    thread.join(PATIENCE_SECONDS)


def running(worker, events):
    """Run a job of these events; return its thread, and the list of those that the job has made so far."""
    made = []

    def make(control):
        for event in events:
            made.append(event)
            yield event

    thread = threading.Thread(target=worker.run, args=(Job(make),), daemon=True)
    thread.start()
    return thread, made


def received(parent, number):
    """Receive messages, without saying that they were taken."""
    messages = []
    while len(messages) < number and parent.poll(PATIENCE_SECONDS):
        messages.append(parent.receive())
    return [parent.open(message) for message in messages]


NOTICES = [Notice(str(number)) for number in range(10)]


def test_a_few_events_are_sent_at_once(ends):
    worker, parent = ends
    sent = [Progress(1, None), Preview({}, 1), Notice("Read me."), Finished(3)][:MOST_EVENTS_UNDER_WAY]
    thread, _ = running(worker, sent)
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert received(parent, len(sent)) == sent


def test_the_job_waits_until_an_event_is_taken(ends):
    worker, parent = ends
    thread, made = running(worker, NOTICES)
    assert received(parent, MOST_EVENTS_UNDER_WAY) == NOTICES[:MOST_EVENTS_UNDER_WAY]
    assert eventually(lambda: len(made) > MOST_EVENTS_UNDER_WAY)
    assert not parent.poll(0.5)
    assert len(made) == MOST_EVENTS_UNDER_WAY + 1
    parent.send("taken")
    assert received(parent, 1) == [NOTICES[MOST_EVENTS_UNDER_WAY]]
    for _ in NOTICES:
        parent.send("taken")
    thread.join(PATIENCE_SECONDS)
    assert made == NOTICES


def test_a_job_whose_parent_goes_runs_to_its_end(ends):
    worker, parent = ends
    thread, made = running(worker, NOTICES)
    thread.join(0.3)
    assert thread.is_alive()
    parent.send("close")
    thread.join(PATIENCE_SECONDS)
    assert made == NOTICES


def test_commands_that_come_before_the_job_are_kept_for_it(ends):
    worker, parent = ends
    for command, content in (("show", np.ones((3, 4))), ("ask", "why"), ("pause", None), ("stop", None)):
        parent.send(command, content)

    def make(control):
        control.wait_while_paused()
        yield Finished((control.view.sum(), control.stopped))

    while not worker._control.stopped:
        pass
    thread = threading.Thread(target=worker.run, args=(Job(make),), daemon=True)
    thread.start()
    assert received(parent, 1) == [Finished((12.0, True))]


def test_a_large_event_does_not_delay_a_command(ends, monkeypatch):
    worker, parent = ends
    packing, packed = threading.Event(), threading.Event()
    encode = channel.encode

    def slow_encode(kind, *args):
        if kind == "event":
            packing.set()
            assert packed.wait(PATIENCE_SECONDS)
        return encode(kind, *args)

    monkeypatch.setattr(channel, "encode", slow_encode)
    thread, _ = running(worker, [Finished(np.zeros((1000, 1000)))])
    assert packing.wait(PATIENCE_SECONDS)
    parent.send("stop")
    while not worker._control.stopped:
        assert thread.is_alive()
    packed.set()
    assert received(parent, 1)[0].result.shape == (1000, 1000)
