"""The way *Segment* in a real viewer: every kind of layer, several images, classes, regions."""

import json

import dask.array as da
import numpy as np
import pytest
import small_jobs

from napari_emssl.data.images.opening import read_image
from napari_emssl.gui.finetune.painting.classes import PaintedClass, given_classes, painted_labels
from napari_emssl.jobs.worker import client

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer, no_warm_up, monkeypatch):
    """The dock, whose trainings are over at once and tell what they were given."""
    monkeypatch.setattr(client, "run", lambda verb, *args, **more: small_jobs.tells_its_input(*args, **more))

    def open_dock():
        _, widget = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Fine-tune")
        return widget

    return open_dock


def train(qtbot, widget):
    """Press Start and return what the job was given."""
    trained = widget.trained
    widget.panel.start_button.click()
    qtbot.waitUntil(lambda: not widget.panel.runner.running)
    assert widget.trained is not trained, widget.panel.message.text
    return json.loads(widget.trained.card.description)


def painted(shape, at, value=1, size=6):
    labels = np.zeros(shape, np.uint8)
    labels[(*at, slice(8, 8 + size), slice(8, 8 + size))] = value
    return labels


PLANE = np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)
STACK = np.stack([PLANE, PLANE // 2, PLANE // 4])
LAYERS = {
    "2-D": (PLANE, {}, ()),
    "3-D": (STACK, {}, (2,)),
    "4-D": (np.stack([STACK, STACK // 2]), {}, (1, 2)),
    "RGB": (np.stack([STACK] * 3, axis=-1), {"rgb": True}, (2,)),
    "RGB float": (np.stack([PLANE / 255.0] * 3, axis=-1), {"rgb": True}, ()),
    "multiscale": ([STACK, STACK[:, ::2, ::2]], {"multiscale": True}, (2,)),
    "dask": (da.from_array(STACK, chunks=(1, 48, 64)), {}, (2,)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer_is_painted_on_and_learnt_from(qtbot, viewer, dock, kind):
    data, options, at = LAYERS[kind]
    image = viewer.add_image(data, name="film", **options)
    widget = dock()
    widget.page.new_painting_button.click()
    painting = widget.page.painting.value
    painting.data[(*at, slice(8, 14), slice(8, 14))] = 1
    told = train(qtbot, widget)
    whole = image.data[0] if image.multiscale else image.data
    mean = float(np.mean(np.asarray(whole[at])))
    ((name, height, width, found),) = told["images"]
    assert (name, height, width) == ("film", 48, 64)
    assert found == pytest.approx(mean, rel=0.02)
    assert told["targets"][0][2] == 36
    assert told["names"] == ["label 1"]


def test_names_and_roles_of_the_table_reach_the_job(qtbot, viewer, dock):
    viewer.add_image(STACK, name="film")
    labels = painted(STACK.shape, (1,), 2) + painted(STACK.shape, (0,), 5, 10) + painted(STACK.shape, (2,), 7, 3)
    painting = viewer.add_labels(labels, name="film | painting")
    widget = dock()
    table = widget.page.classes
    qtbot.waitUntil(lambda: table.rowCount() == 3)
    table.item(0, 1).setText("gold")
    table.cellWidget(1, 2).setCurrentText("background")
    table.cellWidget(2, 2).setCurrentText("ignore")
    widget.page.unpainted.setCurrentText("background everywhere")
    told = train(qtbot, widget)
    assert told["names"] == ["gold"]
    (plane_0, plane_1, plane_2) = told["targets"]
    assert plane_0[:3] == [0, 48 * 64, 0], "label 5 is background"
    assert plane_1[:3] == [0, 48 * 64 - 36, 36]
    assert plane_2[:3] == [9, 48 * 64 - 9, 0], "label 7 is ignored"
    assert given_classes(painting)[2] == PaintedClass(2, "gold")


def test_several_images_are_learnt_from_together_and_all_paintings_kept(qtbot, viewer, dock, home):
    viewer.add_image(STACK, name="film")
    viewer.add_image(PLANE, name="other")
    viewer.add_image(PLANE, name="never painted")
    viewer.add_labels(painted(STACK.shape, (1,)), name="film | painting")
    second = viewer.add_labels(painted(PLANE.shape, (), 3), name="other | painting")
    widget = dock()
    page = widget.page
    page.image.value = viewer.layers["film"]
    assert page.painting.value.name == "film | painting"
    page.add_image_button.click()
    assert page.pairs()[1] == (viewer.layers["other"], second)
    qtbot.waitUntil(lambda: page.classes.rowCount() == 2)
    page.classes.item(1, 1).setText("void")
    assert given_classes(second)[3].name == given_classes(viewer.layers["film | painting"])[3].name == "void"
    told = train(qtbot, widget)
    assert [name for name, *_ in told["images"]] == ["film", "other"]
    assert [target[2:4] for target in told["targets"]] == [[36, 0], [0, 36]]
    assert told["names"] == ["label 1", "void"]
    kept = sorted((home / "paintings").glob("*.tif"))
    assert [np.count_nonzero(np.asarray(read_image(path).planes)) for path in kept] == [36, 36]
    page.more_images.rows[0].remove_button.click()
    assert len(page.pairs()) == 1
    assert len(train(qtbot, widget)["images"]) == 1


def test_an_image_that_is_deleted_leaves_the_list(qtbot, viewer, dock):
    viewer.add_image(STACK, name="film")
    viewer.add_image(PLANE, name="other")
    for name, data in (("film", painted(STACK.shape, (1,))), ("other", painted(PLANE.shape, ()))):
        viewer.add_labels(data, name=f"{name} | painting")
    widget = dock()
    widget.page.image.value = viewer.layers["film"]
    widget.page.add_image_button.click()
    viewer.layers["other"].name = "renamed"
    assert widget.page.pairs()[1][0].name == "renamed"
    viewer.layers.remove("renamed")
    assert widget.page.pairs() == [(viewer.layers["film"], viewer.layers["film | painting"])]
    widget.page.add_image_button.click()
    assert "no other image" in widget.panel.message.text
    assert len(train(qtbot, widget)["images"]) == 1


def test_rectangles_mark_what_is_fully_annotated(qtbot, viewer, dock):
    viewer.add_image(STACK, name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    widget = dock()
    page = widget.page
    page.new_painting_button.click()
    page.painting.value.data[1, 8:14, 8:14] = 1
    page.unpainted.setCurrentText("ignored")
    widget.panel.start_button.click()
    qtbot.waitUntil(lambda: not widget.panel.runner.running)
    assert "nothing says what is background" in widget.panel.message.text
    page.new_regions_button.click()
    shapes = page.regions.value
    assert (shapes.mode, shapes.name) == ("add_rectangle", "film | all painted")
    shapes.add_rectangles(np.array([[1, 3.5, 3.5], [1, 3.5, 23.5], [1, 23.5, 23.5], [1, 23.5, 3.5]]))
    told = train(qtbot, widget)
    assert told["targets"][0][:3] == [48 * 64 - 400, 400 - 36, 36]
    page.regions.value = None
    viewer.layers.remove(shapes)
    assert page.regions.value is None


def test_regions_belong_to_one_image_though_images_lie_on_each_other(qtbot, viewer, dock):
    for name, value in (("film", 1), ("other", 2)):
        viewer.add_image(PLANE, name=name)
        viewer.add_labels(painted(PLANE.shape, (), value), name=f"{name} | painting")
    widget = dock()
    page = widget.page
    page.unpainted.setCurrentText("ignored")
    square = np.array([[3.5, 3.5], [3.5, 23.5], [23.5, 23.5], [23.5, 3.5]])
    page.image.value = viewer.layers["film"]
    page.new_regions_button.click()
    page.regions.value.add_rectangles(square)
    page.add_image_button.click()
    assert [target[1] for target in train(qtbot, widget)["targets"]] == [400 - 36, 0]
    page.more_images.remove(page.more_images.rows[0])
    page.image.value = viewer.layers["other"]
    assert page.regions.value is None
    page.new_regions_button.click()
    page.regions.value.add_rectangles(square + 1)
    page.image.value = viewer.layers["film"]
    assert page.regions.value.name == "film | all painted"
    page.add_image_button.click()
    assert [target[1] for target in train(qtbot, widget)["targets"]] == [400 - 36, 400 - 36]


def test_a_painting_on_another_grid_is_refused_and_one_on_it_is_found(qtbot, viewer, dock):
    viewer.add_labels(np.ones((5, 5), int), name="elsewhere")
    viewer.add_image(STACK, name="film")
    widget = dock()
    widget.begin()
    assert "not on the same grid" in widget.panel.message.text
    own = viewer.add_labels(painted(STACK.shape, (0,)), name="masks")
    widget.page.on_image()
    assert widget.page.painting.value == own
    assert train(qtbot, widget)["targets"][0][2] == 36


def test_layers_that_do_not_cover_each_other_are_mentioned(qtbot, viewer, dock):
    viewer.add_image(STACK, name="film", scale=(1, 0.5, 0.5))
    viewer.add_labels(painted(STACK.shape, (0,)), name="film | painting")
    widget = dock()
    train(qtbot, widget)
    assert "'film | painting' does not cover 'film' in the viewer" in widget.panel.notes.text


def test_a_closed_dock_does_not_listen_to_the_brush(qtbot, viewer, dock):
    viewer.add_image(PLANE, name="film")
    painting = viewer.add_labels(painted(PLANE.shape, ()), name="film | painting")
    widget = dock()
    table = widget.page.classes
    qtbot.waitUntil(lambda: table.rowCount() == 1)
    listened = len(painting.events.paint.callbacks)
    viewer.window.remove_dock_widget(widget)
    assert len(painting.events.paint.callbacks) < listened
    painting.paint((30, 30), 5)
    qtbot.wait(400)
    assert table.rowCount() <= 1


def test_predictions_wear_the_painted_labels():
    predicted = np.array([[0, 1], [2, 1]], np.uint8)
    np.testing.assert_array_equal(painted_labels(predicted, (3, 300)), [[0, 3], [300, 3]])
    assert painted_labels(predicted, (1, 2)) is predicted
