from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image

from napari_emssl.gui.apply import result_layer
from napari_emssl.gui.apply.request import select
from napari_emssl.gui.apply.result_layer import show_result
from napari_emssl.gui.layers.layers import METADATA_KEY, snapshot_of
from napari_emssl.gui.layers.lazy_array import LazyPlanes
from napari_emssl.gui.layers.previews import PreviewLayer
from napari_emssl.models.model_file import Card, ClassInfo, NetworkSpec

CARD = Card(
    name="au", task="segment", network=NetworkSpec(name="unet-2-44", out_channels=1),
    classes=(ClassInfo(name="background"), ClassInfo(name="gold")),
)  # fmt: skip


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 8, 9)), name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    return viewer


def show(viewer, image, array, card=CARD, index=None, model="au"):
    """Show what a model made of an image, or of one of its planes."""
    selection = select(image, index)
    return show_result(viewer, card, model, selection, array)


def units_agree(viewer):
    """Viewers since napari 0.7 drop the units of all layers when one has others."""
    return getattr(viewer.layers, "units", ()) is not None


def test_result_carries_grid_name_and_model(viewer):
    image = viewer.layers["film"]
    layer = show(viewer, image, np.ones((3, 8, 9), np.uint8))
    assert layer.name == "film | au"
    assert layer.units == image.units
    assert units_agree(viewer)
    np.testing.assert_allclose(layer.data_to_world((1, 2, 3)), image.data_to_world((1, 2, 3)))
    assert layer.metadata[METADATA_KEY]["model"] == "au"
    assert layer.metadata[METADATA_KEY]["classes"] == ["background", "gold"]


def test_second_run_updates_in_place_even_when_renamed(viewer):
    first = show(viewer, viewer.layers["film"], np.ones((3, 8, 9), np.uint8))
    first.name, first.visible = "my result", False
    second = show(viewer, viewer.layers["film"], np.full((3, 8, 9), 2, np.uint8))
    assert second is first
    assert (len(viewer.layers), first.name, first.visible) == (2, "my result", True)
    assert first.data.min() == 2


def test_one_plane_updates_only_itself(viewer):
    image = viewer.layers["film"]
    show(viewer, image, np.ones((8, 9), np.uint8), index=(1,))
    layer = show(viewer, image, np.full((8, 9), 2, np.uint8), index=(2,))
    assert len(viewer.layers) == 2
    np.testing.assert_array_equal(layer.data[:, 0, 0], [0, 1, 2])


def test_another_model_or_a_deleted_layer_makes_a_new_layer(viewer):
    show(viewer, viewer.layers["film"], np.ones((3, 8, 9), np.uint8))
    other = CARD.model_copy(update={"name": "pt"})
    show(viewer, viewer.layers["film"], np.ones((3, 8, 9), np.uint8), other, model="pt")
    assert [layer.name for layer in viewer.layers] == ["film", "film | au", "film | pt"]
    del viewer.layers["film | au"]
    show(viewer, viewer.layers["film"], np.ones((3, 8, 9), np.uint8))
    assert "film | au" in viewer.layers


def test_restored_images_become_image_layers(viewer):
    card = CARD.model_copy(update={"task": "denoise", "name": "clean"})
    layer = show(viewer, viewer.layers["film"], np.ones((3, 8, 9), np.float32), card, model="x")
    assert isinstance(layer, Image)


def test_preview_lies_below_the_painting_and_leaves_the_brush_in_the_hand(viewer):
    painting = viewer.add_labels(np.zeros((3, 8, 9), int), scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    painting.mode = "paint"
    preview = PreviewLayer(viewer)
    preview.begin(snapshot_of(viewer.layers["film"]), below=painting)
    preview.show(np.ones((8, 9), np.uint8))
    assert [layer.name for layer in viewer.layers][1] == "film | preview"
    assert viewer.layers.selection.active is painting
    assert painting.mode == "paint"
    assert units_agree(viewer)
    preview.show(np.full((8, 9), 2, np.uint8))
    assert (len(viewer.layers), viewer.layers[1].data.max()) == (3, 2)
    preview.blank()
    assert viewer.layers[1].data.max() == 0
    preview.remove()
    assert len(viewer.layers) == 2


def test_preview_the_user_deleted_stays_away_until_the_next_run(qtbot, viewer):
    preview, source = PreviewLayer(viewer), snapshot_of(viewer.layers["film"])
    preview.begin(source)
    preview.show(np.ones((8, 9), np.uint8))
    del viewer.layers["film | preview"]
    preview.show(np.ones((8, 9), np.uint8))
    assert len(viewer.layers) == 1
    preview.begin(source)
    preview.show(np.ones((8, 9), np.uint8))
    qtbot.waitUntil(lambda: "film | preview" in viewer.layers)  # a turn after the other went


def test_preview_of_another_size_is_left_out(viewer):
    preview = PreviewLayer(viewer)
    preview.begin(snapshot_of(viewer.layers["film"]))
    preview.show(np.ones((4, 4), np.uint8))
    assert len(viewer.layers) == 1


AFFINE = np.array([[1.1, 0.2, 5], [0.1, 0.9, -3], [0, 0, 1]])


def placed(kind):
    """Image layers of every kind, turned, sheared and moved."""
    stack = np.zeros((2, 3, 8, 10), np.uint8)
    turned = {"rotate": 20.0, "shear": [0.3], "affine": AFFINE}
    match kind:
        case "2-D":
            return Image(stack[0, 0], scale=(0.5, 0.4), translate=(3, 4), units=("nm", "nm"), **turned)
        case "3-D":
            return Image(
                stack[0], scale=(2, 0.5, 0.4), translate=(1, 3, 4), rotate=(10, 20, 30), units=("s", "nm", "nm")
            )
        case "4-D":
            return Image(stack, scale=(3, 2, 0.5, 0.4), translate=(1, 2, 3, 4), shear=[0, 0, 0, 0, 0, 0.2])
        case "rgb":
            return Image(np.zeros((8, 10, 3), np.uint8), rgb=True, scale=(0.5, 0.4), **turned)
        case "multiscale":
            return Image([stack[0], stack[0][:, ::2, ::2]], multiscale=True, scale=(2, 0.5, 0.4), translate=(1, 3, 4))
        case "dask":
            return Image(da.from_array(stack[0], chunks=(1, 8, 10)), contrast_limits=(0, 9), translate=(1, 3, 4))
        case "zarr":
            return Image(zarr.array(stack[0], chunks=(1, 8, 10)), contrast_limits=(0, 9), scale=(2, 0.5, 0.4))


@pytest.mark.parametrize("kind", ["2-D", "3-D", "4-D", "rgb", "multiscale", "dask", "zarr"])
@pytest.mark.parametrize("upscale", [1, 2])
def test_a_point_of_the_source_is_the_same_point_of_the_result(kind, upscale):
    """A pixel of the source covers 2 x 2 of a finer result, so its centre lies between theirs."""
    viewer = ViewerModel()
    image = viewer.add_layer(placed(kind))
    card = CARD.model_copy(update={"task": "super-resolve", "name": "fine", "upscale": upscale})
    *leading, height, width = select(image).source.shape
    shape = (*leading, upscale * height, upscale * width)
    layer = show(viewer, image, np.zeros(shape, np.float32), card, model="x")
    assert layer.data.shape == shape
    before = tuple(n - 1 for n in shape[:-2])
    for pixel in [(0, 0), (3, 7), (7, 9)]:
        covering = [
            layer.data_to_world((*before, *(upscale * p + o for p, o in zip(pixel, offset, strict=True))))
            for offset in np.ndindex(upscale, upscale)
        ]
        np.testing.assert_allclose(np.mean(covering, axis=0), image.data_to_world((*before, *pixel)), atol=1e-9)
    assert (layer.units, layer.axis_labels) == (image.units, image.axis_labels)


def test_a_finer_plane_in_view_is_placed_in_its_stack(viewer):
    card = CARD.model_copy(update={"task": "super-resolve", "name": "fine", "upscale": 2})
    image = viewer.layers["film"]
    layer = show(viewer, image, np.ones((16, 18), np.float32), card, index=(1,), model="x")
    assert layer.data.shape == (3, 16, 18)
    assert layer.data[1].min() == 1
    np.testing.assert_allclose(layer.data_to_world((1, 0.5, 0.5)), image.data_to_world((1, 0, 0)))


@pytest.mark.parametrize(("task", "limits"), [("denoise", (20, 90)), ("remove-background", (0, 70))])
def test_a_restored_image_looks_like_its_source(viewer, task, limits):
    image = viewer.layers["film"]
    image.contrast_limits, image.colormap, image.gamma = (20, 90), "magma", 0.8
    card = CARD.model_copy(update={"task": task, "name": "clean"})
    layer = show(viewer, image, np.ones((3, 8, 9), np.float32), card, model="x")
    assert tuple(layer.contrast_limits) == limits
    assert (layer.colormap.name, layer.gamma) == ("magma", 0.8)


def test_limits_spare_napari_a_look_at_all_values(viewer):
    """A result that is not there yet must not be asked for as a whole."""

    class Precious(LazyPlanes):
        def __array__(self, dtype=None, copy=None):
            raise AssertionError("asked for as a whole")

    card = CARD.model_copy(update={"task": "denoise", "name": "clean"})
    layer = show(viewer, viewer.layers["film"], Precious((3, 8, 9), np.float32), card, model="x")
    assert not layer.editable
    show(viewer, viewer.layers["film"], Precious((3, 8, 9), np.float32), card, model="x")
    assert len(viewer.layers) == 2


def test_one_plane_of_a_large_stack_takes_the_memory_of_one_plane(viewer, monkeypatch):
    monkeypatch.setattr(result_layer, "_LARGEST_EMPTY", 100)
    image = viewer.layers["film"]
    layer = show(viewer, image, np.ones((8, 9), np.uint8), index=(1,))
    assert isinstance(layer.data, LazyPlanes)
    assert show(viewer, image, np.full((8, 9), 2, np.uint8), index=(2,)) is layer
    assert [int(layer.data[k].max()) for k in range(3)] == [0, 1, 2]


def test_one_plane_does_not_go_into_a_file(viewer):
    image, stored = viewer.layers["film"], zarr.zeros((3, 8, 9), dtype="u1")
    whole = show(viewer, image, stored)
    layer = show(viewer, image, np.ones((8, 9), np.uint8), index=(1,))
    assert layer is not whole
    assert not np.any(stored[:])


def test_a_second_run_lies_where_the_image_lies_now(viewer):
    image = viewer.layers["film"]
    selection = select(image)
    layer = show_result(viewer, CARD, "au", selection, np.ones((3, 8, 9), np.uint8))
    image.scale, image.translate = (1, 0.1, 0.1), (0, 5, 6)
    finer = CARD.model_copy(update={"upscale": 2, "name": "finer"})
    for card, array, index in ((CARD, np.ones((3, 8, 9), np.uint8), None), (CARD, np.ones((8, 9), np.uint8), (1,)),
                               (finer, np.ones((3, 16, 18), np.uint8), None)):  # fmt: skip
        # the job may have begun before the image was moved
        again = show_result(viewer, card, card.name, replace(selection, index=index), array)
        assert (again is layer) == (card is CARD)
        corner = (1, -0.5, -0.5)
        np.testing.assert_allclose(again.data_to_world(corner), image.data_to_world(corner))


def test_the_result_of_another_image_of_the_same_name_stays(viewer):
    first = show(viewer, viewer.layers["film"], np.ones((3, 8, 9), np.uint8))
    viewer.layers["film"].name = "renamed"
    assert show(viewer, viewer.layers["renamed"], np.full((3, 8, 9), 2, np.uint8)) is first
    other = viewer.add_image(np.zeros((3, 8, 9)), name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    second = show(viewer, other, np.full((3, 8, 9), 3, np.uint8))
    assert second is not first
    assert (first.data.max(), second.data.max()) == (2, 3)


@pytest.mark.parametrize("by", ["brush", "indices", "fill"])
def test_labels_that_were_corrected_by_hand_are_not_replaced(viewer, by):
    image = viewer.layers["film"]
    layer = show(viewer, image, np.ones((3, 8, 9), np.uint8))
    viewer.dims.set_point(0, 1)
    if by == "brush":
        layer.paint((1, 4, 4), 5)
    elif by == "fill":
        layer.fill((1, 4, 4), 5)
    else:
        layer.data_setitem((np.array([1]), np.array([4]), np.array([4])), 5)
    assert show(viewer, image, np.full((8, 9), 2, np.uint8), index=(2,)) is layer
    assert show(viewer, image, np.full((8, 9), 2, np.uint8), index=(1,)) is not layer
    whole = show(viewer, image, np.full((3, 8, 9), 3, np.uint8))
    assert whole is not layer
    assert (layer.data[1, 4, 4], layer.data[2].min()) == (5, 2)
    assert show(viewer, image, np.full((3, 8, 9), 4, np.uint8)) is whole
