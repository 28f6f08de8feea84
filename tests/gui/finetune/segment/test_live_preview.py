"""Paint, and the prediction is there: in a real viewer, with a real job, whatever happens to layers and process."""

import numpy as np
import psutil
import pytest
import small_jobs
from grey_vectors import grey_generator
from napari.layers import Image, Labels
from workers import worker_pid

from napari_emssl.gui.layers.layers import snapshot_of
from napari_emssl.gui.layers.previews import UncertaintyLayer
from napari_emssl.models.zoo import add_model

RIM = 128
"""Rims of predicted objects have numbers that are higher by this."""
pytestmark = pytest.mark.gui
PREVIEW, UNSURE = "film | preview", "film | where to paint next"


@pytest.fixture
def stack():
    """Bright discs on a dark, noisy ground, ``(3, 128, 128)``, and their mask."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    centres = [(24, 24), (24, 100), (100, 28), (100, 100)]
    mask = np.any([(y - cy) ** 2 + (x - cx) ** 2 < 13**2 for cy, cx in centres], axis=0)
    return np.stack([mask * 100 + rng.normal(50, 10, mask.shape) + 5 * n for n in range(3)]).astype(np.uint8), mask


@pytest.fixture
def generator(home):
    """A generator whose vectors are grey values is in the zoo: the first look is in context."""
    add_model(grey_generator())


@pytest.fixture
def page(viewer, stack, substitute):
    """The page Segment with an image and an empty painting on it, at plane 0."""
    substitute(finetune=small_jobs.long_training)
    viewer.add_image(stack[0], name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    _, dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
    viewer.dims.set_current_step(0, 0)
    dock.page.add_painting()
    dock.page.dock = dock
    yield dock.page
    dock.page.live.close_job()


def stroke(page, mask, plane=0, label=1):
    """Paint the first disc, as a stroke of the brush does."""
    rows, columns = np.nonzero(mask[:60, :60])
    page.painting.value.data_setitem((np.full_like(rows, plane), rows, columns), label)


def shown(viewer, name=PREVIEW):
    return np.asarray(viewer.layers[name].data) % RIM if name in viewer.layers else None


def right(viewer, mask):
    found = shown(viewer)
    return found is not None and (found.astype(bool) & mask).sum() > 0.9 * mask.sum() and found[64, 64] == 0


def pid(page):
    return worker_pid(page.live.runner)


def test_a_stroke_is_answered_below_the_painting_and_the_brush_stays_in_the_hand(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    process = pid(page)
    preview, painting = viewer.layers[PREVIEW], page.painting.value
    assert isinstance(preview, Labels)
    assert viewer.layers.index(preview) < viewer.layers.index(painting)
    assert (viewer.layers.selection.active, painting.mode) == (painting, "paint")
    np.testing.assert_array_equal(preview.scale, (0.5, 0.5))
    seen = preview.data
    page.painting.value.data_setitem((np.array([0] * 9), np.arange(60, 69), np.full(9, 64)), 2)
    qtbot.waitUntil(lambda: viewer.layers[PREVIEW].data is not seen and (shown(viewer) == 2).any())
    assert pid(page) == process, "nothing starts anew"
    painting.data_setitem(np.nonzero(painting.data), 0)
    qtbot.waitUntil(lambda: not shown(viewer).any())


def test_the_slider_is_followed_and_paint_on_other_planes_counts(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    viewer.dims.set_current_step(0, 2)
    assert not shown(viewer).any(), "the answer for another plane is not shown on this one"
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    assert not page.painting.value.data[2].any()


def test_where_to_paint_next_comes_when_it_is_wanted_and_goes_with_the_preview(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    assert UNSURE not in viewer.layers
    page.live.unsure.setChecked(True)
    unsure = viewer.layers[UNSURE]
    assert isinstance(unsure, Image)
    assert (unsure.blending, unsure.contrast_limits) == ("additive", [0, 1])
    assert 0 < unsure.data.max() <= 1
    assert viewer.layers.selection.active == page.painting.value
    page.remove_preview()
    assert UNSURE not in viewer.layers
    assert PREVIEW not in viewer.layers


def test_too_little_paint_is_said_beside_the_box(qtbot, viewer, page, stack):
    page.unpainted.setCurrentIndex(1)
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: "what is background" in page.live.message.text())
    page.unpainted.setCurrentIndex(0)
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    assert page.live.message.isHidden()
    page.unpainted.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "what is background" in page.live.message.text())
    assert not shown(viewer).any(), "an answer to something else"


def test_what_paint_means_and_other_pixels_are_answered_without_a_stroke(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    page.painting.value.data_setitem((np.array([0] * 9), np.arange(60, 69), np.full(9, 64)), 2)
    qtbot.waitUntil(lambda: page.classes.rowCount() == 2 and shown(viewer) is not None and (shown(viewer) == 2).any())
    page.classes.cellWidget(1, 2).setCurrentText("background")
    qtbot.waitUntil(lambda: shown(viewer).any() and not (shown(viewer) == 2).any())
    page.add_regions()
    with qtbot.waitSignal(page.live.answered):
        page.regions.value.add_rectangles(np.array([[0, 50, 50], [0, 50, 80], [0, 80, 80], [0, 80, 50]]))
    with qtbot.waitSignal(page.live.answered):
        page.regions.value = None
    with qtbot.waitSignal(page.live.answered):
        page.image.value.data = 255 - page.image.value.data


def test_the_preview_lies_where_the_image_lies_and_a_painting_left_behind_is_told(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    image, painting = page.image.value, page.painting.value
    image.scale = (1, 2, 2)
    np.testing.assert_array_equal(viewer.layers[PREVIEW].scale, (2, 2))
    painting.data_setitem((np.array([0]), np.array([64]), np.array([100])), 1)
    qtbot.waitUntil(lambda: "does not cover 'film'" in page.live.message.text())
    painting.scale = image.scale
    painting.data_setitem((np.array([0]), np.array([65]), np.array([100])), 1)
    qtbot.waitUntil(lambda: "does not cover" not in page.live.message.text())


def test_a_painting_on_another_grid_is_told_before_anything_is_pressed(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    page.painting.value = viewer.add_labels(np.ones((8, 8), int), name="other")
    qtbot.waitUntil(lambda: "not on the same grid" in page.live.message.text())
    assert not shown(viewer).any()
    viewer.layers.clear()
    qtbot.waitUntil(lambda: page.live.message.text() == "")


def test_a_dock_that_is_opened_again_takes_the_preview_of_the_closed_one_away(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    viewer.window.remove_dock_widget(page.dock)
    assert PREVIEW in viewer.layers
    viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
    assert PREVIEW not in viewer.layers


def test_a_preview_that_was_deleted_stays_away_until_the_box_is_ticked_anew(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    viewer.layers.remove(PREVIEW)
    with qtbot.waitSignal(page.live.answered):
        page.painting.value.data_setitem((np.array([0]), np.array([64]), np.array([100])), 1)
    assert PREVIEW not in viewer.layers
    page.live.box.setChecked(False)
    page.live.box.setChecked(True)
    qtbot.waitUntil(lambda: PREVIEW in viewer.layers)


def test_image_and_painting_deleted_while_the_job_answers(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: page.live.runner.running)
    viewer.layers.clear()
    qtbot.wait(500)
    assert page.painting.value is None
    image = viewer.add_image(stack[0][0], name="film")
    page.add_painting()
    rows, columns = np.nonzero(stack[1][:60, :60])
    page.painting.value.data_setitem((rows, columns), 1)
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    assert image in viewer.layers


def test_a_killed_job_is_said_and_a_tick_starts_another(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    psutil.Process(pid(page)).kill()
    qtbot.waitUntil(lambda: "stopped unexpectedly" in page.live.message.text())
    assert not page.live.box.isChecked()
    page.remove_preview()
    page.live.box.setChecked(True)
    qtbot.waitUntil(lambda: right(viewer, stack[1]))


def test_a_training_ends_the_first_look_and_shows_its_own_uncertainty(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    process = psutil.Process(pid(page))
    preview = viewer.layers[PREVIEW]
    assert not preview.editable, "paint on it would be gone with the next answer"
    page.dock.begin()
    assert right(viewer, stack[1]), "the first look stays until the training shows something newer"
    assert viewer.layers[PREVIEW] == preview
    assert not page.live.box.isChecked()
    assert not page.live.box.isEnabled()
    qtbot.waitUntil(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    page.dock.panel.stop()
    qtbot.waitUntil(lambda: not page.dock.panel.runner.running)
    assert page.live.box.isEnabled()


def test_closing_the_dock_ends_the_job(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    process = psutil.Process(pid(page))
    viewer.window.remove_dock_widget(page.dock)
    qtbot.waitUntil(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


def test_the_uncertainty_layer_is_updated_in_place_and_not_forced_upon_anybody(qtbot, viewer):
    source = snapshot_of(viewer.add_image(np.zeros((8, 8)), name="film"))
    layer = UncertaintyLayer(viewer)
    layer.begin(source)
    layer.want(True)
    layer.show(np.ones((8, 8), np.float32))
    first = viewer.layers[UNSURE]
    layer.show(np.zeros((8, 8), np.float32))
    assert viewer.layers[UNSURE] == first
    layer.show(np.zeros((4, 4), np.float32))
    assert first.data.shape == (8, 8)
    viewer.layers.remove(UNSURE)
    layer.show(np.ones((8, 8), np.float32))
    assert UNSURE not in viewer.layers
    layer.want(False)
    layer.want(True)
    qtbot.waitUntil(lambda: UNSURE in viewer.layers)


@pytest.mark.usefixtures("generator")
def test_in_context_one_stroke_is_enough_and_the_job_is_ready_before_it(qtbot, viewer, page, stack):
    assert page.live.generator == page.dock.start.picked() == "vectors"
    qtbot.waitUntil(lambda: page.live.runner.running)
    qtbot.wait(300)
    assert PREVIEW not in viewer.layers, "nothing is painted yet"
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    viewer.dims.set_current_step(0, 0)
    page.painting.value.data_setitem(np.nonzero(page.painting.value.data), 0)
    qtbot.waitUntil(lambda: not shown(viewer).any())


@pytest.mark.usefixtures("generator")
def test_in_context_paint_of_all_images_counts(qtbot, viewer, page, stack):
    image = viewer.add_image(stack[0][1], name="other")
    painting = viewer.add_labels(np.zeros(stack[0][1].shape, np.uint8), name="other | painting")
    page.add_image()
    assert page.pairs()[1] == (image, painting)
    rows, columns = np.nonzero(stack[1][:60, :60])
    painting.data_setitem((rows, columns), 1)
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    assert not page.painting.value.data.any()


@pytest.mark.usefixtures("generator")
def test_in_context_paint_on_planes_that_were_not_in_view_counts(qtbot, viewer, page, stack):
    page.painting.value.data[2] = stack[1] & (np.indices(stack[1].shape) < 60).all(0)
    page.live.box.setChecked(False)
    page.live.box.setChecked(True)
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    assert viewer.dims.current_step[0] == 0


def test_a_generator_that_comes_into_the_zoo_takes_over(qtbot, viewer, page, stack):
    stroke(page, stack[1])
    qtbot.waitUntil(lambda: right(viewer, stack[1]))
    assert page.live.generator is None
    add_model(grey_generator())
    with qtbot.waitSignal(page.live.answered):
        page.dock.start.refresh()
        assert page.live.generator == "vectors"
        assert page.live.runner.control.closed, "the filters' job ends"
    assert right(viewer, stack[1])
