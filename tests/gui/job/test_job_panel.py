import numpy as np
import pytest
import small_jobs
from at_rest import at_rest
from napari.components import ViewerModel

from napari_emssl.errors import UserError
from napari_emssl.gui.job.job_panel import JobPanel
from napari_emssl.jobs.events import Finished, Job, Progress

pytestmark = pytest.mark.gui


@pytest.fixture
def panel(qtbot, monkeypatch):
    monkeypatch.setattr("napari_emssl.gui.job.job_panel.show_error", lambda text: None)
    panel = JobPanel(ViewerModel(), pausable=True, plot=True)
    qtbot.addWidget(panel)
    yield panel
    panel.runner.close()
    qtbot.waitUntil(lambda: not panel.runner.running)


@pytest.fixture
def shown():
    return []


def start(panel, shown, make_job, finish=lambda result: result):
    panel.run(make_job, finish, lambda *result: shown.append(result), training=True)


def wait_for_end(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.runner.running)


def test_a_job_runs_to_its_end(qtbot, panel, shown):
    start(panel, shown, lambda: small_jobs.steps(5), lambda model: model.name)
    assert (panel.start_button.isEnabled(), panel.stop_button.isEnabled()) == (False, True)
    wait_for_end(qtbot, panel)
    assert shown == [("small", False)]
    assert (panel.start_button.isEnabled(), panel.stop_button.isEnabled()) == (True, False)
    assert panel.bar.value() == panel.bar.maximum()
    assert panel.message.text == "Learning 1 class."
    assert panel.warning.text == "No validation: fewer than 5 objects are painted."
    assert panel.notes.text == "Runs on CPU (1 thread), fp32. There is no GPU."
    assert panel.plot.curves["loss loss"].values == [1 / n for n in range(1, 6)]


def test_stop_hands_over_the_result_and_fills_the_bar(qtbot, panel, shown):
    start(panel, shown, lambda: small_jobs.steps(3000))
    qtbot.waitUntil(lambda: "loss loss" in panel.plot.curves)
    assert "left" in panel.bar.format()
    panel.stop_button.click()
    assert not panel.stop_button.isEnabled()
    wait_for_end(qtbot, panel)
    assert [stopped for _, stopped in shown] == [True]
    assert (panel.bar.value(), panel.bar.text()) == (panel.bar.maximum(), "stopped")


@pytest.mark.parametrize("seen", [True, False])
def test_the_end_is_announced_where_the_panel_is_not_seen(qtbot, panel, shown, seen, monkeypatch):
    said = []
    monkeypatch.setattr("napari_emssl.gui.job.job_panel.show_info", said.append)
    panel.setVisible(seen)
    if seen:
        qtbot.waitExposed(panel)
    start(panel, shown, lambda: small_jobs.steps(2))
    wait_for_end(qtbot, panel)
    assert said == ([] if seen else ["Learning 1 class."])


def test_stop_before_the_job_exists(qtbot, panel, shown):
    import threading

    gate = threading.Event()

    def slow():
        gate.wait(300)
        return small_jobs.steps(3000)

    start(panel, shown, slow)
    panel.stop()
    gate.set()
    wait_for_end(qtbot, panel)
    assert [stopped for _, stopped in shown] == [True]


def test_pause_and_resume(qtbot, panel, shown):
    start(panel, shown, lambda: small_jobs.steps(3000))
    qtbot.waitUntil(lambda: "loss loss" in panel.plot.curves)
    panel.pause_button.click()
    done = at_rest(qtbot, lambda: len(panel.plot.curves["loss loss"].values))
    assert panel.pause_button.text() == "Resume"
    panel.pause_button.click()
    qtbot.waitUntil(lambda: len(panel.plot.curves["loss loss"].values) > done)
    panel.stop()
    wait_for_end(qtbot, panel)


def test_plane_asked_for_before_the_job_exists_is_shown(qtbot, panel, shown):
    pictures = []
    panel.preview.connect(pictures.append)
    start(panel, shown, lambda: small_jobs.steps(5))
    panel.runner.control.show(np.full((4, 4), 9.0))
    wait_for_end(qtbot, panel)
    assert pictures[-1]["prediction"].max() == 9


@pytest.mark.parametrize("where", ["making", "running", "finishing"])
def test_errors_are_said_and_start_works_again(qtbot, panel, shown, where):
    def fail(*_):
        raise UserError("The disk is full. Make room.")

    def broken(control):
        yield Progress(1, 2)
        fail()

    jobs = {"making": fail, "running": lambda: Job(broken), "finishing": lambda: small_jobs.steps(1)}
    start(panel, shown, jobs[where], fail if where == "finishing" else lambda result: result)
    wait_for_end(qtbot, panel)
    assert panel.message.text == "The disk is full. Make room."
    assert panel.start_button.isEnabled()
    start(panel, shown, lambda: small_jobs.steps(1))
    wait_for_end(qtbot, panel)
    assert len(shown) == 1


def test_unexpected_errors_name_themselves(qtbot, panel, shown):
    start(panel, shown, lambda: 1 / 0)
    wait_for_end(qtbot, panel)
    assert panel.message.text == "Something went wrong: ZeroDivisionError: division by zero"


def test_a_job_without_numbers_still_ends_at_full(qtbot, panel, shown):
    start(panel, shown, lambda: Job(lambda control: iter([Finished(1)])))
    wait_for_end(qtbot, panel)
    assert panel.bar.value() == panel.bar.maximum() > 0


def test_a_panel_that_is_garbage_before_it_is_destroyed_does_no_harm(qtbot):
    import gc

    for _ in range(3):
        panel = JobPanel(ViewerModel(), pausable=True, plot=True)
        panel.show()
        panel.itself = lambda panel=panel: panel.record
        panel.close()
        panel.deleteLater()
        del panel
        gc.collect()
        qtbot.wait(20)
