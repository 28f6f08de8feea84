import os
import signal

import dask.array as da
import numpy as np
import psutil
import pytest
import small_jobs
import zarr
from napari.layers import Labels
from workers import worker_pid

from napari_emssl.data.images.opening import read_image
from napari_emssl.gui.apply import on_demand, profiles
from napari_emssl.gui.models.picker import zoo_news
from napari_emssl.inference.zarr_progress import read_progress
from napari_emssl.models import zoo
from napari_emssl.models.model_file import save_model
from napari_emssl.models.zoo import add_model, free_name

pytestmark = pytest.mark.gui


@pytest.fixture
def widget(viewer, substitute, monkeypatch, tmp_path):
    substitute(apply_images=small_jobs.threshold, on_demand=small_jobs.looking, profile=small_jobs.measured)
    monkeypatch.setattr(profiles, "_KNOWN", {})
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "nothing ships")
    add_model(small_jobs.model("bright"))
    return viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Apply model")[1]


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 255, (2, 3, 24, 32), np.uint8)


def run(qtbot, widget):
    widget.panel.start_button.click()
    qtbot.waitUntil(lambda: not widget.panel.runner.running)


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
    widget.scope.setCurrentIndex(widget.scope.findData("plane"))
    run(qtbot, widget)
    found = viewer.layers["film | bright"].data
    np.testing.assert_array_equal(found[1, 2], stack[1, 2] > stack[1, 2].mean())
    assert found.sum() == found[1, 2].sum()


def ticked(widget, *layers):
    """Apply to several layers."""
    widget.scope.setCurrentIndex(widget.scope.findData("several"))
    widget.layers.pick(layers)


def bright(stack):
    return stack > stack.mean((-2, -1), keepdims=True)


def said(widget):
    widget.update_estimate()
    return widget.plan.text


def test_several_layers_in_one_run(qtbot, widget, viewer, stack):
    films = [viewer.add_image(stack[0], name="film"), viewer.add_image(stack[1, :2], name="a long name " * 8)]
    viewer.add_image(stack[0, 0], name="left out")
    ticked(widget, *films)
    assert widget.layers.isVisibleTo(widget)
    assert not widget.image.native.isVisibleTo(widget)
    assert said(widget).startswith("2 layers, 5 planes of 24 x 32 px")
    run(qtbot, widget)
    qtbot.waitUntil(lambda: len(viewer.layers) == 5)
    for film in films:
        np.testing.assert_array_equal(viewer.layers[f"{film.name} | bright"].data, bright(film.data))
    qtbot.waitUntil(lambda: "2 results are in layers that are named" in widget.panel.message.text)


def test_none_of_several_is_a_sentence_and_ticks_stay_when_layers_come_and_go(widget, viewer, stack):
    film = viewer.add_image(stack[0], name="film")
    ticked(widget)
    assert "No image is ticked" in said(widget)
    widget.layers.pick([film])
    viewer.add_image(stack[0, 0], name="another")
    film.name = "renamed"
    widget.reset_choices()
    assert widget.layers.picked() == [film]
    assert widget.layers.item(0).text() == "renamed"
    viewer.layers.remove(film)
    assert widget.layers.picked() == []


def test_the_layers_selected_in_the_viewer_are_ticked_first(widget, viewer, stack):
    films = [viewer.add_image(stack[0], name=name) for name in "abc"]
    viewer.layers.selection = {films[0], films[2]}
    widget.scope.setCurrentIndex(widget.scope.findData("several"))
    assert widget.layers.picked() == [films[0], films[2]]


def test_where_no_image_is_selected_the_one_picked_before_is_ticked(widget, viewer, stack):
    for name in "ab":
        viewer.add_image(stack[0], name=name)
    widget.image.value = viewer.layers["a"]
    viewer.layers.selection.clear()
    widget.scope.setCurrentIndex(widget.scope.findData("several"))
    assert widget.layers.picked() == [viewer.layers["a"]]


def test_what_a_run_takes_is_said_before_it(qtbot, widget, viewer, stack):
    viewer.add_image(stack[0], name="film")
    qtbot.waitUntil(lambda: "in one piece: about 1 MB of memory" in said(widget))
    assert widget.plan.text.endswith("The result (1 MB) stays in memory.")
    widget.scope.setCurrentIndex(widget.scope.findData("plane"))
    assert said(widget).startswith("1 plane of 24 x 32 px")
    widget.augment.rows["test_time_augmentation"].set(True)
    widget.advanced.rows["tile"].set(32)
    qtbot.waitUntil(lambda: "in tiles" in widget.plan.text or "in one piece" in widget.plan.text)


def test_what_cannot_fit_is_said_before_it_and_refused(qtbot, widget, viewer):
    viewer.add_image(
        da.zeros((10**6, 512, 512), chunks=(1, 512, 512), dtype=np.uint8), contrast_limits=(0, 9), name="film"
    )
    assert "more than" in said(widget)
    assert widget.place.results.isVisibleTo(widget)
    widget.place.pick("memory")
    assert "more than half of the free memory" in said(widget)
    assert not widget.place.results.isVisibleTo(widget)
    run(qtbot, widget)
    assert "more than half of the free memory" in widget.panel.message.text
    assert len(viewer.layers) == 1


def test_on_disk(qtbot, widget, viewer, stack, tmp_path):
    film = viewer.add_image(stack[0], name="film", scale=(2, 0.5, 0.5), units=("pixel", "nm", "nm"))
    widget.place.pick("disk")
    widget.place.results.line.setText(str(tmp_path / "results"))
    assert "'film bright.zarr'" in said(widget)
    run(qtbot, widget)
    layer = viewer.layers["film | bright"]
    assert isinstance(layer.data, zarr.Array)
    np.testing.assert_array_equal(layer.data[:], bright(stack[0]))
    assert (layer.units, tuple(layer.scale)) == (film.units, (2, 0.5, 0.5))
    assert str(tmp_path / "results") in widget.panel.message.text
    assert read_image(tmp_path / "results" / "film bright.zarr").pixel_size_nm == pytest.approx(0.5)
    assert "complete already" in said(widget)
    run(qtbot, widget)
    assert "complete already" in widget.panel.message.text
    widget.place.replace.setChecked(True)
    run(qtbot, widget)
    assert "Done" in widget.panel.message.text
    assert len(viewer.layers) == 2


def test_stopped_on_disk_and_gone_on_with(qtbot, widget, viewer, stack, tmp_path):
    film = viewer.add_image(stack.reshape(6, 24, 32), name="slow film")
    widget.place.pick("disk")
    widget.place.results.line.setText(str(tmp_path))
    widget.begin()
    qtbot.waitUntil(lambda: 0 < widget.panel.bar.value() < 900 and widget.panel.bar.maximum() > 1)
    widget.panel.stop()
    assert "Stopping" in widget.panel.message.text
    qtbot.waitUntil(lambda: "slow film | bright" in viewer.layers)
    done = read_progress(tmp_path / "slow-film bright.zarr").done
    assert 0 < done < 6
    assert f"Stopped; {done} plane" in widget.panel.message.text
    assert not viewer.layers["slow film | bright"].data[done:].any()
    assert f"{done} of its 6 planes are already there" in said(widget)
    run(qtbot, widget)
    np.testing.assert_array_equal(viewer.layers["slow film | bright"].data[:], bright(film.data))
    assert len(viewer.layers) == 2


def test_a_killed_process_leaves_what_it_wrote(qtbot, widget, viewer, stack, tmp_path):
    viewer.add_image(stack.reshape(6, 24, 32), name="slow film")
    widget.place.pick("disk")
    widget.place.results.line.setText(str(tmp_path))
    widget.begin()
    qtbot.waitUntil(lambda: widget.panel.bar.maximum() > 1 and widget.panel.bar.value() > 0)
    os.kill(worker_pid(widget.panel.runner), signal.SIGKILL)
    qtbot.waitUntil(lambda: not widget.panel.runner.running)
    assert "killed" in widget.panel.message.text
    assert "planes are already there; the run continues after them" in said(widget)
    run(qtbot, widget)
    assert read_progress(tmp_path / "slow-film bright.zarr").complete


def test_stopped_in_memory_hands_over_what_is_done(qtbot, widget, viewer, stack):
    viewer.add_image(stack.reshape(6, 24, 32), name="slow film")
    widget.begin()
    qtbot.waitUntil(lambda: 0 < widget.panel.bar.value() < 900 and widget.panel.bar.maximum() > 1)
    widget.panel.stop()
    qtbot.waitUntil(lambda: "slow film | bright" in viewer.layers)
    done = viewer.layers["slow film | bright"].data.any(axis=(-2, -1))
    assert done.any()
    assert not done.all()
    assert "The other planes are 0" in widget.panel.message.text


@pytest.mark.parametrize("change", ["deleted", "renamed", "moved"])
def test_layers_that_change_while_it_runs(qtbot, widget, viewer, stack, change):
    film = viewer.add_image(stack.reshape(6, 24, 32), name="slow film")
    viewer.add_image(stack[0, 0], name="other")
    widget.image.value = film
    widget.begin()
    qtbot.waitUntil(lambda: widget.panel.bar.maximum() > 1)
    if change == "deleted":
        viewer.layers.remove(film)
    elif change == "renamed":
        film.name = "another name"
    else:
        viewer.layers.move(0, 2)
    qtbot.waitUntil(lambda: "slow film | bright" in viewer.layers)
    np.testing.assert_array_equal(viewer.layers["slow film | bright"].data, bright(stack.reshape(6, 24, 32)))


def test_a_dock_that_is_closed_ends_its_job(qtbot, widget, viewer, stack):
    viewer.add_image(np.concatenate([stack[0]] * 100), name="slow film")
    widget.begin()
    qtbot.waitUntil(lambda: widget.panel.bar.maximum() > 1)
    pid = worker_pid(widget.panel.runner)
    viewer.window.remove_dock_widget(widget)
    qtbot.waitUntil(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
    assert len(viewer.layers) == 1


def looked_at(viewer, name):
    """What is drawn of a layer."""
    return np.asarray(viewer.layers[name]._slice.image.raw)


@pytest.fixture
def lazy(qtbot, widget, viewer, stack):
    """A layer that is computed when it is looked at."""
    viewer.add_image(da.from_array(stack, chunks=(1, 1, 24, 32)), name="film", contrast_limits=(0, 255))
    viewer.dims.set_current_step((0, 1), (1, 2))
    widget.place.pick("lazy")
    assert "computed plane by plane as you view it" in said(widget)
    widget.begin()
    return viewer.layers["film | bright"]


def test_planes_are_computed_when_they_are_looked_at(qtbot, widget, viewer, stack, lazy):
    assert not lazy.editable
    for at in [(1, 2), (0, 1)]:
        viewer.dims.set_current_step((0, 1), at)
        qtbot.waitUntil(lambda at=at: np.array_equal(looked_at(viewer, lazy.name), bright(stack[at])))
    assert lazy.data.done == 2
    assert "is computed for the plane in view on CPU" in widget.panel.message.text
    np.testing.assert_array_equal(np.asarray(lazy.data), bright(stack))


def test_a_lazy_layer_outlives_its_dock_and_ends_with_itself(qtbot, widget, viewer, stack, lazy):
    qtbot.waitUntil(lambda: looked_at(viewer, lazy.name).any())
    viewer.window.remove_dock_widget(widget)
    viewer.dims.set_current_step((0, 1), (0, 0))
    qtbot.waitUntil(lambda: np.array_equal(looked_at(viewer, lazy.name), bright(stack[0, 0])))
    planes = lazy.data
    viewer.layers.remove(lazy)
    assert planes.closed
    assert not on_demand._ALIVE


def test_a_lazy_layer_is_replaced_by_a_whole_result(qtbot, widget, viewer, stack, lazy):
    planes = lazy.data
    widget.place.pick("memory")
    run(qtbot, widget)
    assert len(viewer.layers) == 2
    assert isinstance(lazy.data, np.ndarray)
    assert lazy.editable
    assert planes.closed


def test_a_plane_that_cannot_be_looked_at_is_named(qtbot, widget, viewer, stack):
    stack[0, 1] = 0
    viewer.add_image(stack[0], name="film")
    viewer.dims.set_current_step(0, 1)
    widget.place.pick("lazy")
    widget.begin()
    qtbot.waitUntil(lambda: "'film', plane [1] could not be computed" in widget.panel.message.text)
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: looked_at(viewer, "film | bright").any())


def test_models_of_the_zoo_appear_at_once_and_what_is_picked_stays(widget):
    assert widget.model.picked() == "bright"
    add_model(small_jobs.model("newer"))
    zoo_news.changed.emit()
    assert {widget.model.itemData(row) for row in range(widget.model.count())} == {"bright", "newer"}
    assert widget.model.picked() == "newer", "nobody has picked one"
    widget.model.pick("bright")
    add_model(small_jobs.model("newest"))
    zoo_news.changed.emit()
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
    add_model(small_jobs.model(free_name("stem-denoise")))
    assert free_name("stem-denoise") == "stem-denoise (own)-2"
