"""Jobs obey the commands of their control, whenever these were given."""

import threading

import numpy as np
import pytest
from patience import PATIENCE_SECONDS

from napari_emssl.jobs.events import Control, Finished, Job, Notice


def forwarded(control):
    """Collect what a control passes on."""
    heard = []
    control.forward(lambda command, content: heard.append((command, content)))
    return heard


def test_a_job_obeys_a_control_that_was_made_before_it():
    control = Control()
    control.show(np.ones((2, 3)))
    control.stop()
    job = Job(lambda control: iter([Finished((control.stopped, control.view.shape))]))
    job.control = control
    assert job.result() == (True, (2, 3))


def test_a_job_without_an_end_says_so():
    with pytest.raises(RuntimeError, match="without a result"):
        Job(lambda control: iter([Notice("Only this.")])).result()


def test_a_pause_ends_with_resume_and_with_stop():
    for command in ("resume", "stop", "close"):
        control = Control()
        control.pause()
        assert control.paused
        thread = threading.Thread(target=control.wait_while_paused, daemon=True)
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
        getattr(control, command)()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
        assert not control.paused
        assert control.stopped == (command != "resume")
        assert control.closed == (command == "close")


def test_a_job_that_was_asked_to_stop_is_not_paused():
    control = Control()
    heard = forwarded(control)
    control.stop()
    control.pause()
    assert not control.paused
    assert heard == [("stop", None)]


def test_the_newest_question_is_answered_and_only_of_the_right_kind():
    control = Control()
    control.ask("first")
    control.ask("second")
    questions = control.questions(str)
    assert next(questions) == "second"
    control.ask(3)
    with pytest.raises(TypeError, match="answers a str, not a int"):
        next(questions)
    control.stop()
    assert list(control.questions(str)) == []


def test_what_was_asked_before_is_passed_on_and_what_comes_later_too():
    control = Control()
    control.show("plane")
    control.ask("question")
    control.pause()
    heard = forwarded(control)
    assert heard == [("pause", None), ("show", "plane"), ("ask", "question")]
    control.resume()
    control.show("other plane")
    control.stop()
    assert heard[3:] == [("resume", None), ("show", "other plane"), ("stop", None)]
    control.forward(None)
    control.show("ignored")
    control.stop()
    assert len(heard) == 6
    assert control.view == "ignored"


@pytest.mark.parametrize("commands", [["close"], ["stop", "close"], ["pause", "close"]])
def test_a_control_that_was_closed_passes_that_on_and_no_planes(commands):
    control = Control()
    control.show("plane")
    for command in commands:
        getattr(control, command)()
    assert forwarded(control) == [("close", None)]


def test_stop_does_not_wait_for_a_plane_on_its_way_and_planes_keep_their_order():
    control, under_way, way_free, heard = Control(), threading.Event(), threading.Event(), []

    def slow(command, content):
        if command == "show":
            under_way.set()
            assert way_free.wait(PATIENCE_SECONDS)
        heard.append((command, content))

    control.show("old")
    threads = [threading.Thread(target=control.forward, args=(slow,), daemon=True)]
    threads[0].start()
    assert under_way.wait(PATIENCE_SECONDS)
    threads.append(threading.Thread(target=control.show, args=("new",), daemon=True))
    threads[1].start()
    control.stop()  # way_free is not set yet: nobody is waited for
    assert heard == [("stop", None)]
    way_free.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert heard == [("stop", None), ("show", "old"), ("show", "new")]
