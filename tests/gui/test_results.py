import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_emssl.gui.layers import METADATA_KEY, source_of
from napari_emssl.gui.requests import apply_request
from napari_emssl.gui.results import Preview, show_result
from napari_emssl.models.file import Card, ClassInfo, NetworkSpec

CARD = Card(
    name="au", task="segment", network=NetworkSpec(name="unet-2-44", out_channels=1),
    classes=(ClassInfo(name="background"), ClassInfo(name="gold")),
)  # fmt: skip


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 8, 9)), name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    return viewer


def units_agree(viewer):
    """Viewers since napari 0.7 drop the units of all layers when one has others."""
    return getattr(viewer.layers, "units", ()) is not None


def test_result_carries_grid_name_and_model(viewer):
    image = viewer.layers["film"]
    layer = show_result(viewer, apply_request(image, "au"), np.ones((3, 8, 9), np.uint8), CARD)
    assert layer.name == "film | au"
    assert layer.units == image.units
    assert units_agree(viewer)
    np.testing.assert_allclose(layer.data_to_world((1, 2, 3)), image.data_to_world((1, 2, 3)))
    assert layer.metadata[METADATA_KEY]["model"] == "au"
    assert layer.metadata[METADATA_KEY]["classes"] == ["background", "gold"]


def test_second_run_updates_in_place_even_when_renamed(viewer):
    request = apply_request(viewer.layers["film"], "au")
    first = show_result(viewer, request, np.ones((3, 8, 9), np.uint8), CARD)
    first.name, first.visible = "my result", False
    second = show_result(viewer, request, np.full((3, 8, 9), 2, np.uint8), CARD)
    assert second is first
    assert (len(viewer.layers), first.name, first.visible) == (2, "my result", True)
    assert first.data.min() == 2


def test_one_plane_updates_only_itself(viewer):
    image = viewer.layers["film"]
    show_result(viewer, apply_request(image, "au", (1,)), np.ones((8, 9), np.uint8), CARD)
    layer = show_result(viewer, apply_request(image, "au", (2,)), np.full((8, 9), 2, np.uint8), CARD)
    assert len(viewer.layers) == 2
    np.testing.assert_array_equal(layer.data[:, 0, 0], [0, 1, 2])


def test_another_model_or_a_deleted_layer_makes_a_new_layer(viewer):
    request = apply_request(viewer.layers["film"], "au")
    show_result(viewer, request, np.ones((3, 8, 9), np.uint8), CARD)
    other = CARD.model_copy(update={"name": "pt"})
    show_result(viewer, apply_request(viewer.layers["film"], "pt"), np.ones((3, 8, 9), np.uint8), other)
    assert [layer.name for layer in viewer.layers] == ["film", "film | au", "film | pt"]
    del viewer.layers["film | au"]
    show_result(viewer, request, np.ones((3, 8, 9), np.uint8), CARD)
    assert "film | au" in viewer.layers


def test_restored_images_become_image_layers(viewer):
    card = CARD.model_copy(update={"task": "denoise", "name": "clean"})
    layer = show_result(viewer, apply_request(viewer.layers["film"], "x"), np.ones((3, 8, 9), np.float32), card)
    assert isinstance(layer, Image)


def test_preview_lies_below_the_painting_and_leaves_the_brush_in_the_hand(viewer):
    painting = viewer.add_labels(np.zeros((3, 8, 9), int), scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    painting.mode = "paint"
    preview = Preview(viewer)
    preview.begin(source_of(viewer.layers["film"]), below=painting)
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


def test_preview_the_user_deleted_stays_away_until_the_next_run(viewer):
    preview, source = Preview(viewer), source_of(viewer.layers["film"])
    preview.begin(source)
    preview.show(np.ones((8, 9), np.uint8))
    del viewer.layers["film | preview"]
    preview.show(np.ones((8, 9), np.uint8))
    assert len(viewer.layers) == 1
    preview.begin(source)
    preview.show(np.ones((8, 9), np.uint8))
    assert "film | preview" in viewer.layers


def test_preview_of_another_size_is_left_out(viewer):
    preview = Preview(viewer)
    preview.begin(source_of(viewer.layers["film"]))
    preview.show(np.ones((4, 4), np.uint8))
    assert len(viewer.layers) == 1
