import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_emssl.errors import UserError
from napari_emssl.gui.finetune.painting.regions import mask_of, new_regions, regions_of

BOX = np.array([[4, 6], [4, 16], [10, 16], [10, 6]], float)


def on_plane(z, box=BOX):
    return np.insert(box, 0, z, axis=1)


def test_a_rectangle_on_the_images_own_grid():
    image = Image(np.zeros((3, 20, 30)))
    (region,) = regions_of(Shapes([on_plane(1)], ndim=3), image)
    assert region.at == (1,)
    np.testing.assert_allclose(region.outline, BOX, rtol=1e-5)
    mask = mask_of([region], (1,), (20, 30))
    assert mask[5:10, 7:16].all()
    assert not mask[:4].any()
    assert not mask[11:].any()
    assert not mask[:, :6].any()
    assert not mask[:, 17:].any()
    assert mask_of([region], (0,), (20, 30)) is None


def test_scale_translate_and_units_of_both_layers_count():
    image = Image(np.zeros((3, 20, 30)), scale=(1, 0.5, 0.5), translate=(0, 5, 10), units=("s", "nm", "nm"))
    in_micrometres = (BOX * 0.5 + (5, 10)) / 1000
    plain = Shapes([on_plane(2, in_micrometres)], ndim=3, units=("s", "um", "um"))
    (region,) = regions_of(plain, image)
    np.testing.assert_allclose(region.outline, BOX, rtol=1e-5)
    moved = Shapes([on_plane(2, in_micrometres * 100)], ndim=3, scale=(1, 0.01, 0.01), units=("s", "um", "um"))
    np.testing.assert_allclose(regions_of(moved, image)[0].outline, BOX, rtol=1e-5)


def test_units_that_cannot_be_compared_are_taken_as_numbers():
    image = Image(np.zeros((20, 30)), scale=(0.5, 0.5), units=("nm", "nm"))
    (region,) = regions_of(Shapes([BOX / 2]), image)
    np.testing.assert_allclose(region.outline, BOX, rtol=1e-5)


def test_shapes_with_fewer_axes_lie_on_every_plane():
    image = Image(np.zeros((2, 3, 20, 30)))
    (flat,) = regions_of(Shapes([BOX]), image)
    assert flat.at == ()
    assert flat.lies_on((1, 2))
    (bound,) = regions_of(Shapes([on_plane(2)], ndim=3), image)
    assert bound.lies_on((0, 2))
    assert bound.lies_on((1, 2))
    assert not bound.lies_on((1, 1))


def test_a_flat_image_below_shapes_of_more_axes():
    (region,) = regions_of(Shapes([on_plane(5)], ndim=3), Image(np.zeros((20, 30))))
    assert region.at == ()
    np.testing.assert_allclose(region.outline, BOX, rtol=1e-5)


def test_only_closed_shapes_count():
    image = Image(np.zeros((40, 40)))
    shapes = Shapes()
    shapes.add_lines(BOX[:2])
    shapes.add_paths(BOX)
    assert regions_of(shapes, image) == ()
    shapes.add_polygons([[1, 1], [1, 20], [20, 1]])
    shapes.add_ellipses([[10, 10], [10, 30], [20, 30], [20, 10]])
    triangle, ellipse = (mask_of([region], (), (40, 40)) for region in regions_of(shapes, image))
    assert triangle[3, 3]
    assert not triangle[18, 18]
    assert abs(int(ellipse.sum()) - np.pi * 5 * 10) < 12
    assert ellipse[15, 11]
    assert not ellipse[11, 11]


def test_shapes_beside_the_image_do_not_matter():
    image = Image(np.zeros((3, 20, 30)))
    assert regions_of(Shapes([on_plane(7), on_plane(1, BOX + 100)], ndim=3), image) == ()
    assert regions_of(None, image) == ()
    assert regions_of(Shapes(), image) == ()


def test_a_shape_that_crosses_planes_is_refused():
    crossing = np.array([[0, 4, 6], [0, 4, 16], [2, 4, 16], [2, 4, 6]], float)
    with pytest.raises(UserError, match="does not lie in a plane of 'film'"):
        regions_of(Shapes([crossing], ndim=3), Image(np.zeros((3, 20, 30)), name="film"))


def test_a_new_layer_lies_on_the_images_grid():
    image = Image(np.zeros((3, 20, 30, 3)), rgb=True, name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    shapes = Shapes(None, **new_regions(image))
    assert (shapes.name, shapes.ndim, shapes.units) == ("film | all painted", 3, image.units)
    shapes.add_rectangles(on_plane(1))
    np.testing.assert_allclose(regions_of(shapes, image)[0].outline, BOX, rtol=1e-5)
