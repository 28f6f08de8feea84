import gc
import threading

import child_jobs
import numpy as np
import psutil
import pytest
from patience import PATIENCE_SECONDS, eventually

from napari_emssl.gui.job.runner import Runner, drain
from napari_emssl.jobs.events import Control, Finished, Preview, Progress
from napari_emssl.jobs.worker import client

pytestmark = pytest.mark.gui


def same(result):
    return result


def test_commands_given_while_the_job_is_made_reach_it():
    control = Control()

    def make_job():
        control.show(np.ones((5, 6)))
        return client.run(child_jobs.count, 100_000)

    events = drain(control, make_job, same)
    assert isinstance(next(events), Progress)
    preview = next(event for event in events if isinstance(event, Preview))
    assert preview.images["plane"].tolist() == (2 * np.ones((5, 6))).tolist()
    control.stop()
    assert list(events)[-1].stopped


def test_the_result_is_what_finish_makes_of_it():
    events = list(drain(Control(), lambda: child_jobs.count(3), lambda steps: f"{steps} steps"))
    assert events[-1] == Finished("3 steps")


def test_an_error_is_the_last_thing_that_is_yielded():
    def fail(result):
        raise OSError("no room")

    assert isinstance(list(drain(Control(), child_jobs.refuse_at_once, same))[-1], ValueError)
    assert isinstance(list(drain(Control(), lambda: child_jobs.count(1), fail))[-1], OSError)


def test_a_job_nobody_listens_to_is_ended(qtbot):
    runner, jobs = Runner(), []

    def make_job():
        jobs.append(client.run(child_jobs.deaf))
        return jobs[0]

    with qtbot.waitSignal(runner.event):
        runner.run(make_job)
    control = runner.control
    del runner
    gc.collect()
    assert control.closed
    pid = jobs[0].pid
    assert eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_runner_that_is_closed_before_its_job_is_made_runs_none(qtbot):
    runner, made = Runner(), threading.Event()
    events = []
    runner.event.connect(events.append)

    def make_job():
        assert made.wait(PATIENCE_SECONDS)
        return client.run(child_jobs.count, 100_000)

    with qtbot.waitSignal(runner.ended):
        runner.run(make_job)
        runner.close()
        assert runner.control.closed
        made.set()
    assert events == []
    assert not runner.running
    assert not runner.control.closed
