import json
import time

import numpy as np
import psutil
import pytest
import small_jobs
from napari.layers import Labels
from workers import worker_pid

from napari_emssl.gui.layers.layers import METADATA_KEY
from napari_emssl.models.zoo import add_model, list_models

pytestmark = pytest.mark.gui
PLUGIN = "napari-emssl"


@pytest.fixture
def no_torch(substitute):
    """Small jobs in a real child process, which need not import torch."""
    substitute(finetune=small_jobs.long_training, apply_images=small_jobs.threshold)


@pytest.fixture
def stack():
    """Bright discs on a dark, noisy ground, ``(3, 96, 96)``, and their mask."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    centres = [(20, 20), (20, 70), (70, 25), (72, 72)]
    mask = np.any([(y - cy) ** 2 + (x - cx) ** 2 < 11**2 for cy, cx in centres], axis=0)
    stack = np.stack([mask * 100 + rng.normal(50, 10, mask.shape) + 10 * n for n in range(3)])
    return stack.clip(0, 255).astype(np.uint8), mask


@pytest.fixture
def ready(viewer, stack, no_torch):
    """A dock with an image and one painted disc on plane 1."""
    images, mask = stack
    viewer.add_image(images, name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "EM SSL Fine-tune")
    widget.page.add_painting()
    widget.page.painting.value.data[1, :48, :48] = mask[:48, :48]
    return widget


def wait_for_end(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.panel.runner.running)


def wait_for_preview(qtbot, viewer):
    qtbot.waitUntil(lambda: "film | preview" in viewer.layers)


def pid_of(widget):
    return worker_pid(widget.panel.runner)


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_new_painting_is_picked_and_the_brush_is_in_the_hand(viewer, stack, no_torch):
    image = viewer.add_image(stack[0], name="film", scale=(1, 0.5, 0.5), translate=(0, 3, 4), units=("s", "nm", "nm"))
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "EM SSL Fine-tune")
    widget.page.new_painting_button.click()
    painting = viewer.layers["film | painting"]
    assert widget.page.painting.value == painting
    assert viewer.layers.selection.active == painting
    assert (painting.mode, painting.units) == ("paint", image.units)
    np.testing.assert_array_equal(painting.translate, image.translate)


def test_nothing_to_start_with_is_said(viewer, no_torch):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "EM SSL Fine-tune")
    for action in (widget.begin, widget.page.add_painting):
        action()
        assert "no image layer" in widget.panel.message.text
    assert not widget.panel.runner.running


def test_the_dock_says_what_to_do_first_and_takes_back_what_no_longer_holds(qtbot, viewer, stack, no_torch):
    _, dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
    said = dock.panel.message
    assert said.text == f"Drop an image into the viewer. {dock.page.hint}"
    dock.begin()
    assert "no image layer" in said.text
    viewer.add_image(stack[0], name="film")
    qtbot.waitUntil(lambda: said.text == dock.page.hint)
    dock.page.add_painting()
    qtbot.waitUntil(lambda: "Paint" in said.text)
    dock.show_page("Restore")
    assert "Paint" in said.text, "what a page has said is not advice"


def test_curves_are_shown_on_the_page_that_they_are_of(qtbot, ready):
    ready.begin()
    qtbot.waitUntil(lambda: bool(ready.panel.plot and ready.panel.plot.curves))
    ready.panel.stop()
    wait_for_end(qtbot, ready)
    for title, shown in (("Restore", False), ("Segment", True)):
        ready.show_page(title)
        parts = ready.panel.plot, ready.panel.bar, ready.panel.notes
        assert [part.isVisibleTo(ready) for part in parts] == [shown] * 3


def test_wrong_grid_and_empty_painting_are_said(ready, viewer):
    ready.page.painting.value.data[:] = 0
    ready.begin()
    assert "No pixel is painted in 'film | painting'" in ready.panel.message.text
    ready.page.painting.value = viewer.add_labels(np.ones((5, 5), int))
    ready.begin()
    assert "not on the same grid" in ready.panel.message.text
    assert ready.panel.start_button.isEnabled()


def test_stop_puts_the_model_into_the_zoo(qtbot, ready, viewer, home):
    ready.name.setText("my model")
    ready.name.setModified(True)
    ready.begin()
    wait_for_preview(qtbot, viewer)
    ready.panel.stop()
    wait_for_end(qtbot, ready)
    assert "my model" in [entry.name for entry in list_models()]
    assert ready.panel.message.text.startswith("Stopped early, but the model is in the zoo as 'my model'.")
    assert ready.apply_button.isVisibleTo(ready)
    assert len(list((home / "paintings").glob("film-*.tif"))) == 1
    assert "my model" in [ready.start.itemData(row) for row in range(ready.start.count())]


def test_preview_follows_the_slider(qtbot, ready, viewer, stack):
    viewer.dims.set_current_step(0, 0)
    ready.begin()
    for plane in (0, 2):
        viewer.dims.set_current_step(0, plane)
        mean = round(float(stack[0][plane].mean()))
        qtbot.waitUntil(
            lambda mean=mean: "film | preview" in viewer.layers
            and (np.asarray(viewer.layers["film | preview"].data) == mean).all(),
        )  # fmt: skip
    ready.panel.stop()
    wait_for_end(qtbot, ready)
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: "film | preview" not in viewer.layers)


def test_layers_may_be_edited_renamed_reordered_and_deleted_while_it_runs(qtbot, ready, viewer):
    ready.begin()
    wait_for_preview(qtbot, viewer)
    viewer.layers["film | painting"].data[:] = 0
    viewer.layers["film"].name = "renamed"
    viewer.layers.move(0, 2)
    viewer.layers.clear()
    viewer.add_image(np.zeros((4, 30, 30)))
    viewer.dims.set_current_step(0, 3)
    qtbot.wait(400)
    ready.panel.stop()
    wait_for_end(qtbot, ready)
    assert ready.trained is not None
    ready.apply()
    wait_for_end(qtbot, ready)
    assert any("|" in layer.name for layer in viewer.layers)


def test_a_killed_child_leaves_viewer_and_dock_alive(qtbot, ready, viewer):
    ready.begin()
    wait_for_preview(qtbot, viewer)
    psutil.Process(pid_of(ready)).kill()
    wait_for_end(qtbot, ready)
    assert "stopped unexpectedly" in ready.panel.message.text
    assert ready.panel.start_button.isEnabled()
    assert "film | painting" in viewer.layers
    ready.begin()
    qtbot.waitUntil(lambda: "loss loss" in ready.panel.plot.curves)
    ready.panel.stop()
    wait_for_end(qtbot, ready)


def test_a_crash_in_the_job_is_said(qtbot, ready, substitute):
    substitute(finetune=small_jobs.crash)
    ready.begin()
    wait_for_end(qtbot, ready)
    assert "stopped unexpectedly" in ready.panel.message.text
    assert not ready.resume_button.isVisibleTo(ready), "there is no autosave"


def test_a_training_that_died_is_resumed_from_its_autosave(qtbot, ready, viewer, substitute, home):
    substitute(finetune=small_jobs.resumable)
    ready.begin()
    qtbot.waitUntil(lambda: "loss loss" in ready.panel.plot.curves)
    psutil.Process(pid_of(ready)).kill()
    wait_for_end(qtbot, ready)
    assert "The last autosave is at" in ready.panel.message.text
    assert "Press 'Resume training'" in ready.panel.message.text
    assert ready.resume_button.isVisibleTo(ready)
    viewer.layers["film | painting"].data[:] = 0
    ready.resume_button.click()
    assert not ready.resume_button.isVisibleTo(ready)
    wait_for_end(qtbot, ready)
    assert ready.trained.card.description == "resumed"
    assert list((home / "autosaves").iterdir()) == []
    assert not ready.resume_button.isVisibleTo(ready)


def test_train_more_goes_on_from_the_new_model_and_start_again_from_the_start(qtbot, ready, substitute):
    substitute(finetune=small_jobs.tells_its_input)
    assert not ready.more_button.isVisibleTo(ready)
    ready.begin()
    wait_for_end(qtbot, ready)
    first = ready.trained
    told = json.loads(first.card.description)
    assert (told["start"], len(told["targets"])) == ("unet-4-200", 1)
    assert (ready.panel.start_button.text(), ready.more_button.isVisibleTo(ready)) == ("Start again", True)
    ready.page.painting.value.data[2, :20, :20] = 1
    ready.more_button.click()
    assert not ready.more_button.isEnabled()
    wait_for_end(qtbot, ready)
    told = json.loads(ready.trained.card.description)
    assert (told["start"], len(told["targets"])) == (first.name, 2), "old and new painting both count"
    assert ready.trained.name != first.name
    ready.panel.start_button.click()
    wait_for_end(qtbot, ready)
    assert json.loads(ready.trained.card.description)["start"] == "unet-4-200"


def test_closing_the_dock_ends_the_child(qtbot, ready, viewer):
    ready.begin()
    wait_for_preview(qtbot, viewer)
    pid = pid_of(ready)
    viewer.window.remove_dock_widget(ready)
    qtbot.waitUntil(lambda: gone(pid))


def test_closing_the_viewer_ends_the_child(qtbot, ready, viewer):
    ready.begin()
    wait_for_preview(qtbot, viewer)
    pid = pid_of(ready)
    viewer.close()
    qtbot.waitUntil(lambda: gone(pid))


def test_settings_on_screen_are_the_settings_of_the_job(ready):
    ready.device.setCurrentText("cpu")
    ready.basic.rows["max_seconds"].set(12.5)
    ready.page.advanced.rows["learning_rate"].set(2e-4)
    ready.page.advanced.rows["steps"].set(7)
    settings = ready.settings()
    assert (settings.device, settings.max_seconds, settings.learning_rate, settings.steps) == ("cpu", 12.5, 2e-4, 7)


def test_name_is_never_taken_twice(qtbot, ready):
    add_model(small_jobs.model("taken"))
    ready.name.setText("taken")
    ready.name.setModified(True)
    ready.begin()
    assert ready.name.text() == "taken-2"
    ready.panel.stop()
    wait_for_end(qtbot, ready)
    assert ready.trained.name == "taken-2"


def test_events_do_not_hold_the_window_longer_and_longer(qtbot, ready, viewer):
    ready.begin()
    wait_for_preview(qtbot, viewer)
    held, inner = [], ready.panel._on_event

    def timed(event):
        mark = time.thread_time()
        inner(event)
        held.append(time.thread_time() - mark)

    ready.panel.runner.event.disconnect()
    ready.panel.runner.event.connect(timed)
    qtbot.waitUntil(lambda: len(held) > 60)
    ready.panel.stop()
    wait_for_end(qtbot, ready)
    first, last = (sorted(part)[len(part) // 2] for part in (held[:20], held[-20:]))
    assert last < 5 * first, "processor time of this thread for an event, the median of 20"


def test_a_dock_in_a_viewer_fine_tunes_and_applies(qtbot, viewer, stack):
    """The real thing: networks, child processes and all."""
    images, mask = stack
    viewer.add_image(images, name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "EM SSL Fine-tune")
    widget.page.add_painting()
    widget.page.painting.value.data[1, :48, :48] = mask[:48, :48]
    widget.start.pick("scratch")
    for name, value in {"steps": 3, "batch_size": 2, "patch": 32, "generator": "unet-2-44"}.items():
        widget.page.advanced.rows[name].set(value)
    widget.begin()
    wait_for_end(qtbot, widget)
    assert widget.trained is not None, widget.panel.message.text
    assert "Runs on" in widget.panel.notes.text
    widget.apply_button.click()
    wait_for_end(qtbot, widget)
    result = viewer.layers[f"film | {widget.trained.name}"]
    assert isinstance(result, Labels)
    assert (result.data.shape, result.units) == (images.shape, viewer.layers["film"].units)
    assert result.metadata[METADATA_KEY]["model"] == widget.trained.name
