import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import LayerList, ViewerModel
from napari.layers import Image, Labels

from napari_emssl.errors import UserError
from napari_emssl.gui.finetune.painting import classes
from napari_emssl.gui.layers import layers, matching
from napari_emssl.gui.layers.calibration import pixel_of
from napari_emssl.gui.layers.layers import (
    new_painting,
    pixel_size_nm,
    placement,
    placement_of_finer,
    placement_of_plane,
    plane_in_view,
    snapshot_of,
)

numbers = st.floats(0.1, 10)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), st.lists(numbers, min_size=8, max_size=8), st.floats(-80, 80), st.floats(-0.5, 0.5))
def test_new_layer_lies_where_its_source_lies(ndim, values, angle, shear):
    affine = np.eye(ndim + 1)
    affine[:ndim, -1] = values[:ndim]
    affine[-3, -2] = 0.3
    image = Image(
        np.zeros((3,) * ndim), scale=values[:ndim], translate=values[4 : 4 + ndim],
        shear=[shear] * (ndim * (ndim - 1) // 2),
        rotate=np.array(_turned(ndim, angle)), affine=affine,
    )  # fmt: skip
    copy = Labels(np.zeros((3,) * ndim, int), **placement(image))
    for point in np.eye(ndim) * 2:
        np.testing.assert_allclose(copy.data_to_world(point), image.data_to_world(point), atol=1e-9)


def _turned(ndim, angle):
    turn, radians = np.eye(ndim), np.deg2rad(angle)
    turn[-2:, -2:] = [[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]]
    return turn


def test_units_and_axis_names_are_kept():
    image = Image(np.zeros((2, 4, 4)), units=("s", "nm", "nm"), axis_labels=("time", "y", "x"))
    copy = Labels(np.zeros((2, 4, 4), int), **placement(image))
    assert (copy.units, copy.axis_labels) == (image.units, image.axis_labels)


def test_plane_lies_where_the_planes_of_its_stack_lie():
    image = Image(np.zeros((2, 4, 5)), scale=(7, 0.5, 0.25), translate=(1, 2, 3), rotate=_turned(3, 30),
                  units=("s", "nm", "nm"), shear=(0, 0, 0.2))  # fmt: skip
    plane = Labels(np.zeros((4, 5), int), **placement_of_plane(placement(image)))
    for point in ((0, 0), (3, 4), (1, 2)):
        np.testing.assert_allclose(plane.data_to_world(point), image.data_to_world((1, *point))[1:], atol=1e-9)
    assert plane.units == image.units[1:]


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_finer_grid_covers_the_same_field(ndim):
    affine = np.eye(ndim + 1)
    affine[0, 1], affine[0, -1] = 0.2, 5
    image = Image(np.zeros((4,) * ndim), scale=(7, 0.5, 0.25)[-ndim:], translate=(1, 2, 3)[-ndim:], affine=affine,
                  rotate=_turned(ndim, 30), shear=[0.3] * (ndim * (ndim - 1) // 2),
                  units=("s", "nm", "nm")[-ndim:])  # fmt: skip
    fine = Image(np.zeros((4, 8, 8)[-ndim:]), **placement_of_finer(placement(image), 2))
    for y, x in ((0, 0), (3, 2), (-0.5, 3.5)):
        before = (1,) * (ndim - 2)
        np.testing.assert_allclose(
            fine.data_to_world((*before, 2 * y + 0.5, 2 * x + 0.5)), image.data_to_world((*before, y, x)), atol=1e-9
        )
    sizes = [pixel_of(placement(layer)).size for layer in (fine, image)]
    np.testing.assert_allclose(sizes[0], np.array(sizes[1]) / 2)
    assert placement_of_finer(placement(image), 1)["scale"][-1] == 0.25


@pytest.mark.parametrize(
    ("unit", "expected"), [("nm", 0.5), ("um", 500.0), ("angstrom", 0.05), ("pixel", None), ("s", None)]
)
def test_pixel_size_in_nm(unit, expected):
    size = pixel_size_nm(Image(np.zeros((4, 4)), scale=(0.5, 0.5), units=(unit, unit)))
    assert size == (expected if expected is None else pytest.approx(expected))


@pytest.mark.skipif(not hasattr(LayerList, "units"), reason="this napari does not convert between units")
def test_plane_in_view_of_layers_with_different_units():
    viewer = ViewerModel()
    fine = viewer.add_image(np.zeros((5, 8, 8)), scale=(1, 2, 2), units=("nm",) * 3)
    coarse = viewer.add_image(np.zeros((5, 8, 8)), scale=(0.001, 0.002, 0.002), units=("um",) * 3)
    viewer.dims.set_current_step(0, 3)
    assert plane_in_view(fine, viewer) == plane_in_view(coarse, viewer) == (3,)


def test_plane_in_view_of_shifted_and_shorter_stacks():
    viewer = ViewerModel()
    long = viewer.add_image(np.zeros((2, 9, 8, 8)))
    short = viewer.add_image(np.zeros((4, 8, 8)), translate=(2, 0, 0))
    flat = viewer.add_image(np.zeros((8, 8)))
    viewer.dims.set_current_step((0, 1), (1, 3))
    assert plane_in_view(long, viewer) == (1, 3)
    assert plane_in_view(short, viewer) == (1,)
    assert plane_in_view(flat, viewer) == ()
    viewer.dims.set_current_step(1, 8)
    assert plane_in_view(short, viewer) == (3,)


@pytest.mark.parametrize("kind", ["stack", "rgb", "multiscale", "dask"])
def test_every_kind_of_layer_gives_grey_planes(kind):
    data = np.random.default_rng(0).integers(0, 255, (3, 16, 20), np.uint8)
    image = {
        "stack": lambda: Image(data),
        "rgb": lambda: Image(np.stack([data] * 3, -1), rgb=True),
        "multiscale": lambda: Image([data, data[:, ::2, ::2]], multiscale=True),
        "dask": lambda: Image(da.from_array(data, chunks=(1, 8, 8))),
    }[kind]()
    source = snapshot_of(image)
    assert (source.shape, source.leading, list(source.indices())) == ((3, 16, 20), (3,), [(0,), (1,), (2,)])
    np.testing.assert_array_equal(source.plane((1,)), data[1])
    np.testing.assert_array_equal(np.stack([source.image().plane(i) for i in range(3)]), data)
    np.testing.assert_array_equal(source.image((2,)).plane(0), data[2])


def test_new_painting_is_on_the_grid_of_the_image():
    image = Image(np.zeros((3, 16, 20)), name="grid", scale=(2, 3, 4), translate=(5, 6, 7), units=("s", "nm", "nm"))
    data, where = new_painting(image)
    painting = Labels(data, **where)
    assert (painting.name, painting.data.shape, painting.data.any()) == ("grid | painting", (3, 16, 20), False)
    np.testing.assert_allclose(painting.data_to_world((1, 2, 3)), image.data_to_world((1, 2, 3)))
    assert painting.units == image.units


def test_painting_that_would_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(layers, "_LARGEST_PAINTING", 100)
    with pytest.raises(UserError, match="too large"):
        new_painting(Image(np.zeros((3, 16, 20))))


@pytest.mark.parametrize("noted", [None, "text", [1], {"simulated": "text", "classes": None}])
def test_notes_that_others_have_put_into_a_layer_are_none(noted):
    layer = Image(np.zeros((16, 16)), name="a", metadata={layers.METADATA_KEY: noted})
    other = Image(np.zeros((16, 16)), name="b clean")
    assert layers.own_notes(layer, "simulated") == {}
    assert not matching.is_result(layer)
    painting = Labels(np.zeros((16, 16), int), metadata={layers.METADATA_KEY: noted})
    assert classes.default_class(painting, 1).name == "label 1"
    assert matching.likely_pair([layer, other], "denoise") is not None
