"""The first look is kept: as a model that answers as it did, as a layer, and as where training begins."""

import numpy as np
import pytest
from grey_vectors import grey_generator
from napari.layers import Labels

from napari_emssl.inference.apply import apply
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.zoo import add_model, list_models, load_card, load_model

RIM = 128
"""Rims of predicted objects have numbers that are higher by this."""
pytestmark = pytest.mark.gui
PREVIEW, KEPT = "film | preview", "film | first look"


@pytest.fixture
def stack():
    """Bright discs on a dark, noisy ground, ``(2, 128, 128)``, and their mask."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    centres = [(24, 24), (24, 100), (100, 28), (100, 100)]
    mask = np.any([(y - cy) ** 2 + (x - cx) ** 2 < 13**2 for cy, cx in centres], axis=0)
    return np.stack([mask * 100 + rng.normal(50, 10, mask.shape) for _ in range(2)]).astype(np.uint8), mask


@pytest.fixture
def dock(qtbot, viewer, stack, no_warm_up):
    """The dock, after one disc was painted and the first look has answered in context."""
    add_model(grey_generator())
    viewer.add_image(stack[0], name="film")
    _, dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
    viewer.dims.set_current_step(0, 0)
    dock.page.add_painting()
    rows, columns = np.nonzero(stack[1][:60, :60])
    dock.page.painting.value.data_setitem((np.zeros_like(rows), rows, columns), 1)
    qtbot.waitUntil(lambda: PREVIEW in viewer.layers and viewer.layers[PREVIEW].data.any())
    yield dock
    dock.page.on_close()


def kept(qtbot, dock, name="my particles"):
    dock.page.keep.name.setText(name)
    dock.page.keep.model_button.click()
    qtbot.waitUntil(lambda: not dock.page.keep.runner.running)
    return dock.trained


def test_a_model_that_is_kept_is_in_the_zoo_and_answers_as_the_first_look(qtbot, viewer, dock, stack, home):
    seen = np.array(viewer.layers[PREVIEW].data) % RIM
    assert dock.page.keep.model_button.isVisibleTo(dock)
    trained = kept(qtbot, dock)
    assert trained.name == "my particles"
    assert "in the zoo as 'my particles'" in dock.panel.message.text
    assert dock.page.live.box.isChecked(), "the first look goes on"
    assert dock.apply_button.isVisibleTo(dock)
    card = load_card("my particles")
    assert [info.name for info in card.classes] == ["background", "label 1"]
    assert len(list((home / "paintings").glob("film-*.tif"))) == 1
    plain = ApplySettings(device="cpu")
    assert (apply(load_model("my particles"), stack[0][0], plain) == seen).mean() > 0.999
    dock.apply()
    qtbot.waitUntil(lambda: not dock.panel.runner.running)
    assert (viewer.layers["film | my particles"].data[0] == seen).mean() > 0.999
    assert kept(qtbot, dock).name != "my particles", "a name is used once"


def test_what_is_missing_is_said_and_nothing_is_kept(qtbot, viewer, dock):
    dock.page.keep.name.setText("a/b")
    dock.page.keep.model_button.click()
    assert "not a valid name" in dock.panel.message.text
    dock.page.keep.name.setText("fine")
    dock.page.painting.value.data[:] = 0
    dock.page.keep.model_button.click()
    assert "No pixel is painted" in dock.panel.message.text
    assert [entry.name for entry in list_models() if entry.origin == "own"] == ["vectors"]


def test_a_layer_that_is_kept_stays_and_takes_one_plane_after_another(qtbot, viewer, dock):
    first = np.array(viewer.layers[PREVIEW].data) % RIM
    dock.page.keep.layer_button.click()
    layer = viewer.layers[KEPT]
    assert isinstance(layer, Labels)
    assert layer.data.shape == (2, 128, 128)
    viewer.dims.set_current_step(0, 1)
    assert not dock.page.keep.layer_button.isEnabled(), "nothing is known of this plane yet"
    with qtbot.waitSignal(dock.page.live.answered):
        pass
    dock.page.keep.layer_button.click()
    assert np.array_equal(layer.data[0], first)
    assert layer.data[1].any()
    dock.page.remove_preview()
    assert KEPT in viewer.layers
    assert dock.page.painting.value.name == "film | painting"


def test_start_begins_where_the_first_look_is_and_its_model_can_still_be_kept(qtbot, viewer, dock):
    seen = np.array(viewer.layers[PREVIEW].data) % RIM
    dock.page.advanced.rows["steps"].set(4)
    dock.page.advanced.rows["patch"].set(64)
    dock.page.advanced.rows["learning_rate"].set(1e-6)
    dock.begin()
    assert not dock.page.keep.layer_button.isEnabled(), "what comes on screen is not the first look"
    qtbot.waitUntil(lambda: PREVIEW in viewer.layers and viewer.layers[PREVIEW].data.any())
    assert (viewer.layers[PREVIEW].data % RIM == seen).mean() > 0.98
    qtbot.waitUntil(lambda: not dock.panel.runner.running)
    assert [stage.job for stage in dock.trained.card.history] == ["in_context", "finetune"]
    assert "from the first look" in dock.panel.notes.text
    assert kept(qtbot, dock, "still there").name == "still there"


def test_another_start_begins_without_context(qtbot, viewer, dock):
    dock.start.pick("unet-2-44")
    assert dock.page.live.generator == "vectors", "the first look needs vectors"
    request = dock.page.request(dock.settings(), dock.start.picked())
    assert (request.generator, request.start_from) == (None, "unet-2-44")
