"""The pretrain dock in a real viewer: layers, folders and files, previews, and what can go wrong while it runs."""

import dask.array as da
import numpy as np
import psutil
import pytest
import small_jobs
import tifffile
from at_rest import at_rest
from qtpy.QtWidgets import QFileDialog
from workers import worker_pid

from napari_emssl.errors import UserError
from napari_emssl.gui.job.curve_record import kept_curves
from napari_emssl.gui.job.dock import FINETUNE, MODELS, PRETRAIN, open_dock
from napari_emssl.gui.pretrain.request import DEFAULTS, pretrain_request
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.models.model_file import read_card
from napari_emssl.models.zoo import own_folder
from napari_emssl.worker_jobs import pretrain

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(viewer, substitute):
    substitute(pretrain=small_jobs.long_pretraining)
    return viewer


@pytest.fixture
def stack():
    return np.stack([np.full((200, 160), value, np.uint8) for value in (10, 20, 30)])


@pytest.fixture
def widget(viewer, stack):
    viewer.add_image(stack, name="film")
    return opened(viewer)


def opened(viewer):
    return viewer.window.add_plugin_dock_widget("napari-emssl", PRETRAIN)[1]


def wait_for_picture(qtbot, widget):
    qtbot.waitUntil(lambda: bool(widget.pictures.pictures))


def stop(qtbot, widget):
    widget.panel.stop_button.click()
    wait_for_end(qtbot, widget)


def wait_for_end(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.panel.runner.running)


def pid_of(widget):
    return worker_pid(widget.panel.runner)


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_image_at_hand_is_ticked_and_the_recommended_start_picked(widget, viewer):
    assert widget.sources.picked_layers == [viewer.layers["film"]]
    assert widget.start.picked() == "unet-4-200"
    assert widget.name.text().startswith("film generator ")
    assert {widget.start.itemData(row) for row in range(widget.start.count())} >= {"scratch", "unet-2-44"}


def test_nothing_to_learn_from_is_said(viewer):
    widget = opened(viewer)
    widget.panel.start_button.click()
    assert "nothing to learn from" in widget.panel.message.text
    assert not widget.panel.runner.running
    viewer.add_image(np.zeros((9, 9)), name="late")
    widget.sources.layers.pick([viewer.layers["late"]])
    assert "nothing to learn from" not in widget.panel.message.text
    widget.name.setText("")
    widget.sources.choose("files", [own_folder() / "gone.tif"])
    widget.begin()
    assert "no longer exists" in widget.panel.message.text


def test_stop_puts_the_generator_into_the_zoo_and_into_every_list(qtbot, widget, viewer):
    models = open_dock(viewer, MODELS)
    widget.licence.setText("CC0")
    widget.name.setText("my microscope")
    widget.name.setModified(True)
    widget.panel.start_button.click()
    wait_for_picture(qtbot, widget)
    assert list(widget.pictures.pictures) == ["corrupted", "restored", "clean"]
    assert "from unet-4-200, 1 sources, last planes [30], parts" in widget.panel.message.text
    qtbot.waitUntil(lambda: "loss validation l1" in widget.panel.plot.curves)
    assert {"loss discriminator", "loss adversarial", "loss l1"} <= set(widget.panel.plot.curves)
    stop(qtbot, widget)
    assert "more time" not in widget.panel.message.text
    assert "in the zoo as 'my microscope'" in widget.panel.message.text
    card = read_card(own_folder() / "my microscope.safetensors")
    assert (card.task, card.licence) == ("reconstruct", "CC0")
    assert "my microscope" in [widget.start.itemData(row) for row in range(widget.start.count())]
    qtbot.waitUntil(lambda: "my microscope" in [row.name for row in models.table.shown])
    qtbot.waitUntil(lambda: bool(kept_curves("my microscope")))
    widget.finetune_button.click()
    assert open_dock(viewer, FINETUNE).start.picked() == "my microscope"


def test_several_layers_of_every_kind_at_once(qtbot, viewer, stack):
    read = []
    lazy = da.from_delayed(_delayed(stack, read), stack.shape, stack.dtype).rechunk((1, 200, 160))
    viewer.add_image(lazy, name="lazy", contrast_limits=(0, 255))
    viewer.add_image(np.stack([stack] * 3, -1), rgb=True, name="colour")
    viewer.add_image([stack, stack[:, ::2, ::2]], multiscale=True, name="pyramid")
    viewer.add_image(np.stack([stack, stack]), name="four axes")
    viewer.add_labels(stack, name="labels")
    widget = opened(viewer)
    widget.sources.layers.pick(list(viewer.layers))
    widget.begin()
    qtbot.waitUntil(lambda: "4 sources" in widget.panel.message.text)
    assert "last planes [30, 30, 30, 30]" in widget.panel.message.text
    stop(qtbot, widget)


def _delayed(stack, read):
    import dask

    @dask.delayed
    def load():
        read.append(1)
        return stack

    return load()


def test_folder_and_files(qtbot, widget, tmp_path, monkeypatch):
    for number in range(3):
        tifffile.imwrite(tmp_path / f"image {number}.tif", np.zeros((64, 64), np.uint8))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    widget.sources.box.setCurrentIndex(1)
    assert widget.sources.picked_layers == []
    widget.sources.button.click()
    assert widget.settings().hold_out == "images"
    assert widget.name.text().startswith(tmp_path.name[:4].replace("_", "-"))
    widget.begin()
    qtbot.waitUntil(lambda: "1 sources" in widget.panel.message.text)
    assert "images." in widget.panel.message.text
    stop(qtbot, widget)
    files = [str(path) for path in sorted(tmp_path.glob("*.tif"))]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (files, ""))
    widget.sources.box.setCurrentIndex(2)
    widget.sources.button.click()
    assert widget.sources.line.text() == "3 files"
    widget.begin()
    qtbot.waitUntil(lambda: "3 sources" in widget.panel.message.text)
    assert "parts." in widget.panel.message.text
    stop(qtbot, widget)


def test_the_network_is_free_from_random_weights_only(widget):
    assert not widget.advanced.rows["generator"].widget.isEnabled()
    assert "already has a network" in widget.advanced.rows["width"].widget.toolTip()
    widget.start.pick("scratch")
    assert widget.advanced.rows["generator"].widget.isEnabled()
    widget.advanced.rows["generator"].set("hrnet-w18-small")
    widget.advanced.rows["width"].set(8)
    request, _ = widget._request()
    assert (request.start_from, request.settings.generator, request.settings.width) == ("scratch", "hrnet-w18-small", 8)
    widget.start.pick("unet-2-84")
    request, _ = widget._request()
    assert (request.start_from, request.settings.generator, request.settings.width) == ("unet-2-84", "unet-2-44", None)


def test_settings_on_screen_are_the_settings_of_the_job(widget):
    assert widget.settings() == DEFAULTS
    widget.device.setCurrentText("cpu")
    widget.basic.rows["max_seconds"].set(12.5)
    widget.advanced.rows["noise_max"].set(0.3)
    widget.advanced.rows["steps"].set(7)
    settings = widget.settings()
    assert (settings.device, settings.max_seconds, settings.noise_max, settings.steps) == ("cpu", 12.5, 0.3, 7)
    widget.advanced.rows["noise_min"].set(0.5)
    widget.begin()
    assert "noise_min is greater than noise_max" in widget.panel.message.text


def test_pause_and_resume(qtbot, widget):
    widget.begin()
    wait_for_picture(qtbot, widget)
    widget.panel.pause_button.click()
    done = at_rest(qtbot, lambda: widget.panel.record.rows[-1].step)
    widget.panel.pause_button.click()
    qtbot.waitUntil(lambda: widget.panel.record.rows[-1].step > done)
    stop(qtbot, widget)


def test_layers_may_be_deleted_renamed_and_edited_while_it_runs(qtbot, widget, viewer):
    widget.begin()
    wait_for_picture(qtbot, widget)
    viewer.layers["film"].data[:] = 0
    viewer.layers["film"].name = "renamed"
    viewer.layers.clear()
    viewer.add_image(np.zeros((30, 30)), name="other")
    before = widget.panel.record.rows[-1].step
    qtbot.waitUntil(lambda: widget.panel.record.rows[-1].step > before + 3)
    stop(qtbot, widget)
    assert widget.trained is not None


def test_a_killed_child_is_said_and_its_autosave_resumed(qtbot, widget):
    widget.begin()
    wait_for_picture(qtbot, widget)
    psutil.Process(pid_of(widget)).kill()
    wait_for_end(qtbot, widget)
    assert "stopped unexpectedly" in widget.panel.message.text
    assert "Press 'Resume pretraining'" in widget.panel.message.text
    assert widget.resume_button.isVisibleTo(widget)
    name = widget.name.text()
    widget.resume_button.click()
    qtbot.waitUntil(lambda: "resumed" in widget.panel.message.text)
    assert not widget.resume_button.isVisibleTo(widget)
    autosave = widget._latest[1].autosave
    stop(qtbot, widget)
    assert widget.trained.name == name
    assert not autosave.exists()


def test_closing_the_dock_ends_the_child(qtbot, widget, viewer):
    widget.begin()
    wait_for_picture(qtbot, widget)
    pid = pid_of(widget)
    viewer.window.remove_dock_widget(widget)
    qtbot.waitUntil(lambda: gone(pid))


def test_closing_the_viewer_ends_the_child(qtbot, widget, viewer):
    widget.begin()
    wait_for_picture(qtbot, widget)
    pid = pid_of(widget)
    viewer.close()
    qtbot.waitUntil(lambda: gone(pid))


def test_the_models_dock_opens_it_with_a_start(qtbot, viewer):
    models = open_dock(viewer, MODELS)
    qtbot.waitUntil(lambda: bool(models.table.shown))
    row = next(row for row in models.table.shown if row.name == "unet-2-116")
    models.table.choose(*row.key)
    models.buttons["adapt"].click()
    assert open_dock(viewer, PRETRAIN).start.picked() == "unet-2-116"


def test_a_request_is_frozen(viewer, stack):
    layer = viewer.add_image(stack, name="film")
    request = pretrain_request([layer], [], PretrainSettings(), None, "")
    layer.name = "renamed"
    assert (request.layers[0].name, request.start_from, request.licence) == ("film", "scratch", "unknown")
    with pytest.raises(UserError, match="nothing to learn from"):
        pretrain_request([], [], PretrainSettings(), None, "")


def test_a_dock_in_a_viewer_goes_on_from_a_generator(qtbot, viewer, substitute):
    """The real thing: a lazy stack, networks, a child process."""
    substitute(pretrain=pretrain)
    images = np.random.default_rng(0).integers(0, 255, (12, 96, 96), np.uint8)
    viewer.add_image(da.from_array(images, chunks=(1, 96, 96)), name="film", contrast_limits=(0, 255))
    widget = opened(viewer)
    widget.start.pick("unet-2-44")
    for name, value in {"steps": 2, "batch_size": 2, "patch": 64, "discriminator_width": 4}.items():
        widget.advanced.rows[name].set(value)
    widget.begin()
    wait_for_end(qtbot, widget)
    assert widget.trained is not None, widget.panel.message.text
    assert [stage.start for stage in widget.trained.card.history] == [None, "unet-2-44"]
    assert "Runs on" in widget.panel.notes.text
    assert list(widget.pictures.pictures) == ["corrupted", "restored", "clean"]
    assert "11 planes of 1 image" in widget.trained.card.history[-1].data["summary"]
