import csv

import dask.array as da
import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt

from napari_emssl.gui.layers.camera import camera_of
from napari_emssl.gui.layers.layers import METADATA_KEY, pixel_at, point_of, snapshot_of
from napari_emssl.gui.particles.table import ParticleModel, cell_text, column_title
from napari_emssl.gui.plugin.pixel_size import set_pixel_size
from napari_emssl.gui.widgets.theme import theme_colours

pytestmark = pytest.mark.gui

NM = {"scale": (0.5, 0.5), "units": ("nm", "nm")}


def discs(shape, *places):
    mask = np.zeros(shape, np.uint8)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for y, x, diameter in places:
        mask[(rows - y) ** 2 + (columns - x) ** 2 <= diameter**2 / 4] = 1
    return mask


@pytest.fixture
def mask():
    return discs((100, 140), (30, 30, 30), (30, 57, 30), (70, 100, 40), (3, 120, 14))


@pytest.fixture
def stack(mask):
    return np.stack([mask, np.zeros_like(mask), mask[::-1]])


@pytest.fixture
def widget(viewer):
    """The dock, measuring everything: by default it leaves out what the border cuts."""
    dock = viewer.window.add_plugin_dock_widget("napari-emssl", "EM SSL Particles")[1]
    dock.form_of_settings.rows["exclude_border"].set(False)
    return dock


def settle(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.measurer.busy and not widget._redraw.isActive())


def measure(qtbot, widget):
    widget.measure_button.click()
    settle(qtbot, widget)


def column(widget, name):
    return widget.table.columns[name].tolist()


def test_without_labels_the_dock_says_what_to_do(qtbot, widget, viewer):
    assert "Press Measure" in widget.message.text
    measure(qtbot, widget)
    assert "no labels layer" in widget.message.text
    assert widget.view.isHidden()


def test_particles_of_a_mask_with_the_grid_of_their_source(qtbot, widget, viewer, mask):
    source = viewer.add_labels(mask, name="mask", translate=(3, 4), **NM)
    viewer.add_image(mask * 7.0, name="image", **NM)
    widget.image.value = viewer.layers["image"]
    measure(qtbot, widget)
    result = viewer.layers["mask | particles"]
    assert isinstance(result, Labels)
    np.testing.assert_array_equal(result.data > 0, mask > 0)
    assert (result.units, tuple(result.scale), tuple(result.translate)) == (source.units, (0.5, 0.5), (3, 4))
    assert len(widget.table) == 4
    assert set(column(widget, "mean_intensity")) == {7}
    assert max(widget.table.outside()["equivalent_diameter_nm"]) == pytest.approx(20, rel=0.01)
    features = result.features
    assert features["index"].tolist() == column(widget, "label") == [1, 2, 3, 4]
    np.testing.assert_allclose(features["area_nm2"], widget.table.outside()["area_nm2"])
    assert "4 particles" in widget.message.text
    assert not widget.view.isHidden()


def test_changes_are_followed_in_place(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    layer = viewer.layers["mask | particles"]
    layer.name = "mine"
    for change, count in (
        (lambda: widget.form_of_settings.split.setValue(0), 3),
        (lambda: widget.form_of_settings.rows["exclude_border"].set(True), 2),
        (lambda: widget.form_of_settings.rows["min_diameter"].set(41), 1),
        (lambda: widget.form_of_settings.rows["max_diameter"].set(42), 0),
    ):
        change()
        settle(qtbot, widget)
        assert (len(widget.table), layer.data.max()) == (count, count)
    assert "No particles.\nLeft out: 1 particle cut by the border" in widget.message.text
    assert len(viewer.layers) == 2


def test_limits_that_do_not_fit_are_said(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    widget.form_of_settings.rows["max_diameter"].set(3)
    widget.form_of_settings.rows["min_diameter"].set(5)
    settle(qtbot, widget)
    assert "greater" in widget.message.text


def test_painting_is_followed_and_another_layer_waits_for_the_button(qtbot, widget, viewer, mask):
    source = viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    source.data[60:80, 10:30] = 1
    source.events.paint(value=[])
    settle(qtbot, widget)
    assert len(widget.table) == 5
    other = viewer.add_labels(mask[:, ::-1], name="other")
    widget.labels.value = other
    settle(qtbot, widget)
    assert "other | particles" not in viewer.layers
    measure(qtbot, widget)
    assert "other | particles" in viewer.layers


def test_a_row_finds_its_particle(qtbot, widget, viewer, stack):
    source = viewer.add_labels(stack, name="film", scale=(1, 0.5, 0.5), units=("pixel", "nm", "nm"))
    widget.scope.setCurrentIndex(1)
    measure(qtbot, widget)
    assert column(widget, "plane") == [0] * 4 + [2] * 4
    assert column(widget, "label") == list(range(1, 9))
    layer = viewer.layers["film | particles"]
    viewer.dims.set_current_step(0, 0)
    widget.view.selectRow(6)
    assert viewer.dims.current_step[0] == 2
    assert layer.selected_label == 7
    y, x = column(widget, "y")[6], column(widget, "x")[6]
    assert camera_of(viewer).center[-2:] == pytest.approx(point_of(source, viewer, (2, y, x))[-2:])
    assert layer.data[2, round(y), round(x)] == 7


def test_rows_follow_the_sorting(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    model = widget.view.model()
    titles = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    widget.view.sortByColumn(titles.index("area\npx²"), Qt.SortOrder.DescendingOrder)
    widget.view.selectRow(0)
    largest = int(np.argmax(widget.table.columns["area"]))
    assert viewer.layers["mask | particles"].selected_label == column(widget, "label")[largest]


def click(viewer, point, drag=False):
    """What the canvas sends for a click."""

    class Event:
        type, position, modifiers = "mouse_press", point, ()

    event = Event()
    for callback in viewer.mouse_drag_callbacks:
        steps = callback(viewer, event)
        next(steps, None)
        if drag:
            event.type = "mouse_move"
            next(steps, None)
        event.type = "mouse_release"
        assert next(steps, None) is None


def test_a_click_on_a_particle_finds_its_row(qtbot, widget, viewer, mask):
    source = viewer.add_labels(mask, name="mask", **NM)
    measure(qtbot, widget)
    before = camera_of(viewer).center
    click(viewer, point_of(source, viewer, (70, 100)))
    row = widget.view.model().mapToSource(widget.view.currentIndex()).row()
    assert column(widget, "x")[row] == pytest.approx(100)
    assert viewer.layers["mask | particles"].selected_label == column(widget, "label")[row]
    assert camera_of(viewer).center == before
    for point, drag in (((99, 1), False), ((500, 500), False), ((30, 30), True)):
        click(viewer, point_of(source, viewer, point), drag)
        assert widget.view.model().mapToSource(widget.view.currentIndex()).row() == row


def test_the_plane_in_view_of_a_lazy_stack(qtbot, widget, viewer, stack):
    read = []

    def plane(block, block_info):
        read.append(block_info[0]["chunk-location"][0])
        return block

    lazy = da.from_array(stack, chunks=(1, 100, 140)).map_blocks(plane, dtype=np.uint8)
    viewer.add_labels(lazy, name="film")
    viewer.dims.set_current_step(0, 2)
    read.clear()
    measure(qtbot, widget)
    assert set(read) <= {2}
    layer = viewer.layers["film | particles"]
    assert layer.data[2].max() == 4
    viewer.dims.set_current_step(0, 0)
    settle(qtbot, widget)
    assert column(widget, "plane") == [0] * 4
    assert layer.data[0].max() == 4
    assert not layer.data[2].any()


@pytest.mark.parametrize("kind", ["four axes", "multiscale", "bool"])
def test_every_kind_of_layer(qtbot, widget, viewer, stack, kind):
    if kind == "four axes":
        viewer.add_labels(np.stack([stack, stack * 0]), name="film")
    elif kind == "multiscale":
        viewer.add_labels([stack, stack[:, ::2, ::2]], multiscale=True, name="film")
    else:
        viewer.add_labels(stack > 0, name="film")
    widget.scope.setCurrentIndex(1)
    measure(qtbot, widget)
    assert column(widget, "plane") == [0] * 4 + [2] * 4
    result = viewer.layers["film | particles"].data
    assert result.shape == ((2, *stack.shape) if kind == "four axes" else stack.shape)
    assert len(np.unique(result)) == 9
    widget.view.selectRow(5)
    assert viewer.dims.current_step[-3] == 2


def test_calibration_by_hand_changes_the_layer_only_when_asked(qtbot, widget, viewer, mask):
    source = viewer.add_labels(mask, name="mask")
    image = viewer.add_image(mask, name="image")
    other = viewer.add_image(mask[:50], name="small")
    measure(qtbot, widget)
    assert widget.table.units == ("px",)
    widget.form_of_settings.pixel_size.set_number(0.25)
    settle(qtbot, widget)
    assert widget.table.units == ("nm",)
    assert tuple(source.scale) == (1, 1)
    widget.form_of_settings.write.click()
    settle(qtbot, widget)
    for layer in (source, image, viewer.layers["mask | particles"]):
        assert tuple(layer.scale) == (0.25, 0.25)
        assert str(layer.units[-1]) == "nanometer"
    assert tuple(other.scale) == (1, 1)
    assert set(column(widget, "pixel_size_nm")) == {0.25}
    assert widget.form_of_settings.pixel_size.number() is None


def test_layers_on_one_grid_stay_on_top_of_each_other(viewer, mask):
    one = viewer.add_labels(mask, name="one", scale=(2, 2), translate=(10, 20))
    two = viewer.add_image(mask, name="two", scale=(2, 2), translate=(0, 4))
    viewer.add_points([(1, 1)], name="points")
    assert set_pixel_size(viewer, one, 0.5) == ["one", "two"]
    assert tuple(one.translate - two.translate) == (2.5, 4)


def test_what_is_in_view_stays_in_view(viewer, mask):
    layer = viewer.add_labels(mask)
    camera = camera_of(viewer)
    camera.center, camera.zoom = (0, 30, 40), 5
    set_pixel_size(viewer, layer, 0.02)
    assert camera.zoom == pytest.approx(250, rel=0.02)
    assert layer.world_to_data(camera.center[-2:]) == pytest.approx((30, 40), abs=0.6)


def test_multiclass_results_of_a_model_are_masks(qtbot, widget, viewer, mask):
    classes = mask.copy()
    classes[50:] *= 2
    viewer.add_labels(classes, name="classes", metadata={METADATA_KEY: {"task": "segment"}})
    measure(qtbot, widget)
    assert sorted(column(widget, "class")) == [1, 1, 1, 2]


def test_an_image_that_does_not_fit_is_refused(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    viewer.add_image(mask[:, :9], name="image")
    widget.image.value = viewer.layers["image"]
    measure(qtbot, widget)
    assert "do not fit" in widget.message.text
    assert "mask | particles" not in viewer.layers


def test_layers_may_vanish_while_the_dock_is_open(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    viewer.layers.remove("mask | particles")
    widget.view.selectRow(1)
    widget.form_of_settings.split.setValue(0.5)
    settle(qtbot, widget)
    assert viewer.layers["mask | particles"].data.any()
    viewer.layers.remove("mask")
    widget.form_of_settings.split.setValue(0.7)
    settle(qtbot, widget)
    assert [layer.name for layer in viewer.layers] == ["mask | particles"]


def test_a_closed_dock_lets_go(qtbot, widget, viewer, mask):
    source = viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    callbacks = len(viewer.mouse_drag_callbacks)
    viewer.window.remove_dock_widget(widget)
    assert len(viewer.mouse_drag_callbacks) == callbacks - 1
    source.data = mask[::-1]
    viewer.dims.events.current_step()
    assert not widget.measurer.busy


def test_the_newest_request_wins(qtbot, widget, viewer, mask):
    viewer.add_labels(np.stack([mask] * 6), name="film")
    widget.scope.setCurrentIndex(1)
    widget.measure_button.click()
    qtbot.waitUntil(lambda: bool(widget._tables))
    widget.form_of_settings.split.setValue(0)
    settle(qtbot, widget)
    assert len(widget.table) == 18
    assert viewer.layers["film | particles"].data.max() == 18


def test_more_particles_than_16_bits_can_number(qtbot, widget, viewer):
    numbered = np.arange(1, 66049).reshape(258, 256)
    source = viewer.add_labels(np.ones(numbered.shape, np.uint8), name="dots")
    widget.output.begin(source, snapshot_of(source))
    for instances, dtype in ((np.minimum(numbered, 65535), np.uint16), (numbered, np.int32)):
        widget.output.put(snapshot_of(source), (), instances, first=True)
        layer = viewer.layers["dots | particles"]
        assert layer.data.dtype == dtype
        np.testing.assert_array_equal(layer.data, instances)


def test_what_is_corrected_by_hand_is_never_overwritten(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    mine = viewer.layers["mask | particles"]
    mine.paint((80, 20), 9)
    corrected = mine.data.copy()
    widget.form_of_settings.split.setValue(0)
    settle(qtbot, widget)
    np.testing.assert_array_equal(mine.data, corrected)
    assert len(viewer.layers) == 3
    widget.reset_choices()
    widget.labels.value = mine
    measure(qtbot, widget)
    assert column(widget, "area") == [(corrected == number).sum() for number in np.unique(corrected[corrected > 0])]


def test_particles_follow_their_source_and_stay_when_another_has_its_name(qtbot, widget, viewer, mask):
    source = viewer.add_labels(mask, name="mask", **NM)
    measure(qtbot, widget)
    first = viewer.layers["mask | particles"]
    source.scale, source.translate = (0.25, 0.25), (5, 6)
    settle(qtbot, widget)
    assert (tuple(first.scale), tuple(first.translate)) == ((0.25, 0.25), (5, 6))
    viewer.layers.remove(source)
    other = viewer.add_labels(mask[::-1], name="mask", **NM)
    widget.reset_choices()
    widget.labels.value = other
    measure(qtbot, widget)
    assert widget.output.layer is not first
    np.testing.assert_array_equal(first.data > 0, mask > 0)


def test_export(qtbot, widget, viewer, mask, tmp_path):
    viewer.add_labels(mask, name="mask", **NM)
    measure(qtbot, widget)
    widget.export(tmp_path / "sizes")
    with (tmp_path / "sizes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["pixel_size_nm"] == "0.5"
    widget.export(tmp_path / "sizes.csv" / "impossible.csv")
    assert "cannot be written" in widget.message.text


def test_the_histogram_takes_the_theme(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    viewer.theme = "light"
    assert widget.histogram.plot.backgroundBrush().color().name() == theme_colours(viewer)[0]
    names = [label.text for _, label in widget.histogram._legend.items]
    assert names == ["mean", "median", "log-normal fit"]


def test_counts_are_whole_and_the_legend_is_above_the_bars(qtbot, widget, viewer, mask):
    viewer.add_labels(mask, name="mask")
    measure(qtbot, widget)
    item = widget.histogram.plot.getPlotItem()
    (low, high), bars = (
        item.viewRange()[1],
        max(curve.yData.max() for curve in item.curves if curve.opts["fillLevel"] == 0),
    )
    assert low == 0
    assert high >= 1.2 * bars
    for steps in ((0, 1.2), (0, 4), (0, 700)):
        assert all(step == int(step) for step, _ in item.getAxis("left").tickSpacing(*steps, 120))


def test_points_and_pixels_are_inverse(viewer, mask):
    layer = viewer.add_labels(mask, scale=(0.5, 0.5), units=("nm", "nm"), translate=(7, 8))
    viewer.add_image(mask, scale=(1e-3, 1e-3), units=("um", "um"))
    assert pixel_at(layer, viewer, point_of(layer, viewer, (12, 34))) == (12, 34)


def test_cells_are_short_and_titles_carry_units():
    assert column_title("equivalent_diameter_nm") == "diameter\nnm"
    assert column_title("area_px2") == "area\npx²"
    assert [cell_text(value) for value in (True, 3, 2.34567, 14.0, 43210.0)] == ["yes", "3", "2.346", "14.00", "43210"]
    assert cell_text(False) == cell_text(float("nan")) == ""
    model = ParticleModel()
    assert (model.rowCount(), model.columnCount()) == (0, 0)


def test_areas_in_px_are_whole_numbers_and_those_in_nm_are_not():
    model = ParticleModel()
    model.show({"area_px2": np.array([98.0, 300.0]), "area_nm2": np.array([98.0, 300.0])})
    shown = [[model.data(model.index(row, column)) for row in (0, 1)] for column in (0, 1)]
    assert shown == [["98", "300"], ["98.00", "300.0"]]
