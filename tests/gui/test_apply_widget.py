import dask.array as da
import numpy as np
import pytest
import small_jobs
from napari.layers import Labels

from napari_emssl.gui.finetuning import free_name
from napari_emssl.gui.pickers import zoo_news
from napari_emssl.jobs import child
from napari_emssl.models.file import save_model
from napari_emssl.models.zoo import add_model

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def widget(viewer, monkeypatch):
    for verb, job in (("apply", "threshold"), ("look", "looking"), ("survey", "measured")):
        monkeypatch.setitem(child.VERBS, verb, f"small_jobs:{job}")
    monkeypatch.setattr(child, "warm_up", lambda *modules: None)
    add_model(small_jobs.model("bright"))
    return viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Apply model")[1]


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 255, (2, 3, 24, 32), np.uint8)


def run(qtbot, widget):
    widget.panel.start_button.click()
    qtbot.waitUntil(lambda: not widget.panel.runner.running, timeout=120000)


def test_what_is_missing_is_said(qtbot, widget, viewer):
    run(qtbot, widget)
    assert "no image layer" in widget.panel.message.text


def test_whole_stack_with_the_grid_of_its_source(qtbot, widget, viewer, stack):
    image = viewer.add_image(stack, name="film", scale=(1, 1, 2, 2), units=("s", "pixel", "nm", "nm"))
    run(qtbot, widget)
    result = viewer.layers["film | bright"]
    assert isinstance(result, Labels)
    np.testing.assert_array_equal(result.data, stack > stack.mean((-2, -1), keepdims=True))
    assert (result.units, tuple(result.scale)) == (image.units, (1, 1, 2, 2))
    run(qtbot, widget)
    assert len(viewer.layers) == 2


@pytest.mark.parametrize("kind", ["dask", "multiscale", "rgb"])
def test_every_kind_of_layer(qtbot, widget, viewer, stack, kind):
    stack = stack[0]
    if kind == "dask":
        viewer.add_image(da.from_array(stack, chunks=(1, 24, 32)), name="film", contrast_limits=(0, 255))
    elif kind == "multiscale":
        viewer.add_image([stack, stack[:, ::2, ::2]], multiscale=True, name="film")
    else:
        viewer.add_image(np.stack([stack] * 3, -1), rgb=True, name="film")
    run(qtbot, widget)
    np.testing.assert_array_equal(viewer.layers["film | bright"].data, stack > stack.mean((-2, -1), keepdims=True))


def test_plane_in_view(qtbot, widget, viewer, stack):
    viewer.add_image(stack, name="film")
    viewer.dims.set_current_step((0, 1), (1, 2))
    widget.scope.setCurrentIndex(1)
    run(qtbot, widget)
    found = viewer.layers["film | bright"].data
    np.testing.assert_array_equal(found[1, 2], stack[1, 2] > stack[1, 2].mean())
    assert found.sum() == found[1, 2].sum()


def test_models_of_the_zoo_appear_at_once_and_what_is_picked_stays(widget):
    assert widget.model.picked() == "bright"
    add_model(small_jobs.model("newer"))
    zoo_news.changed.emit()
    assert {widget.model.itemData(row) for row in range(widget.model.count())} == {"bright", "newer"}
    assert widget.model.picked() == "bright"


def test_a_model_file_can_be_opened_and_a_wrong_one_is_refused(qtbot, widget, viewer, stack, tmp_path):
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"no model at all")
    widget.open_model(str(wrong))
    assert "cannot be read as a model file" in widget.panel.message.text
    path = save_model(small_jobs.model("from a friend"), tmp_path / "friend.safetensors")
    widget.open_model(str(path))
    assert widget.model.picked() == str(path)
    viewer.add_image(stack[0, 0], name="film")
    run(qtbot, widget)
    assert "film | from a friend" in viewer.layers


def test_settings_on_screen_are_the_settings_of_the_job(widget):
    widget.augment.rows["test_time_augmentation"].set(True)
    widget.advanced.rows["tile"].set(256)
    widget.device.setCurrentText("cpu")
    settings = widget.settings()
    assert (settings.test_time_augmentation, settings.tile, settings.device) == (True, 256, "cpu")


def test_free_names(home):
    add_model(small_jobs.model("a"))
    assert (free_name("a"), free_name("b")) == ("a-2", "b")
