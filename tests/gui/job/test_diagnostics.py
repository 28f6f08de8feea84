"""The button *Copy diagnostics* in a panel, and the command for all docks."""

from pathlib import Path

import napari
import pytest
import small_jobs
from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication

from napari_emssl import __version__, worker_jobs
from napari_emssl.gui.job import diagnostics
from napari_emssl.gui.job.dock import APPLY, open_dock
from napari_emssl.gui.job.job_panel import JobPanel
from napari_emssl.gui.plugin.diagnostics import copy_diagnostics
from napari_emssl.jobs.events import Job
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.jobs.worker import client

pytestmark = pytest.mark.gui


@pytest.fixture
def panel(qtbot, monkeypatch):
    monkeypatch.setattr("napari_emssl.gui.job.job_panel.show_error", lambda text: None)
    monkeypatch.setattr(diagnostics, "show_info", lambda text: None)
    panel = JobPanel(ViewerModel())
    qtbot.addWidget(panel)
    panel.show()
    QApplication.clipboard().setText("something else")
    yield panel
    panel.runner.close()
    qtbot.waitUntil(lambda: not panel.runner.running)


def run(qtbot, panel, make_job):
    panel.run(make_job, lambda result: result, lambda *result: None)
    qtbot.waitUntil(lambda: not panel.runner.running)


def copied():
    return QApplication.clipboard().text()


def test_the_button_stands_beside_an_error_and_copies_it(qtbot, panel, substitute):
    film = Path.home() / "secret" / "film.tif"

    def broken(control):
        yield from ()
        raise RuntimeError(f"cannot open '{film}'")

    run(qtbot, panel, lambda: small_jobs.steps(1))
    assert not panel.diagnostics_button.isVisible()
    run(qtbot, panel, lambda: Job(broken))
    assert panel.diagnostics_button.isVisible()
    panel.diagnostics_button.click()
    assert copied().startswith(f"napari-emssl {__version__}\n")
    assert "\nQt: 6" in copied() or "\nQt: 5" in copied()
    assert "Error: RuntimeError: cannot open 'film.tif'" in copied()
    assert "secret" not in copied()
    run(qtbot, panel, lambda: small_jobs.steps(1))
    assert not panel.diagnostics_button.isVisible()


def test_the_command_takes_the_newest_job_of_all_docks(qtbot, panel, substitute):
    substitute(apply_images=small_jobs.brighter)
    run(qtbot, panel, lambda: client.run(worker_jobs.apply_images, "model", [], ApplySettings(halo=32)))
    newer = JobPanel(ViewerModel())
    qtbot.addWidget(newer)
    copy_diagnostics()
    assert "Last job: Applying the model, done\n" in copied(), "a panel that ran nothing has nothing to tell"
    assert "halo=32" in copied()
    run(qtbot, newer, lambda: small_jobs.steps(1))
    copy_diagnostics()
    assert "Last job: A job, done\n" in copied()


def test_in_a_viewer_an_error_of_the_dock_is_copied_by_button_and_by_command(viewer, no_warm_up, monkeypatch):
    monkeypatch.setattr(diagnostics, "show_info", lambda text: None)
    dock = open_dock(viewer, APPLY)
    dock.panel.start_button.click()
    assert dock.panel.diagnostics_button.isVisibleTo(dock)
    dock.panel.diagnostics_button.click()
    told = "Error: UserError: There is no image layer."
    assert told in copied()
    QApplication.clipboard().setText("")
    PluginManager.instance().commands.execute("napari-emssl.diagnostics")
    assert told in copied()
    assert f"napari {napari.__version__}" in copied()
