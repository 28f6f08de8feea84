import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes

from napari_emssl.errors import UserError
from napari_emssl.gui.finetune.painting.classes import PaintedClass, remember
from napari_emssl.gui.finetune.segment.request import segment_request
from napari_emssl.jobs.settings import FinetuneSettings


def request_of(pairs, **more):
    return segment_request(pairs, FinetuneSettings(task="segment"), **more)


def painting_of(image):
    """The labels of all annotated planes, ``(n, h, w)``."""
    return np.stack(list(image.labels.values()))


@pytest.fixture
def stack():
    return np.random.default_rng(0).normal(size=(4, 32, 40)).astype(np.float32)


@pytest.fixture
def painted():
    painting = np.zeros((4, 32, 40), np.uint8)
    painting[1, 5:10, 5:10], painting[3, 20:24, 8:12] = 1, 2
    return painting


def test_only_painted_planes_are_gathered(stack, painted):
    request = request_of([(Image(stack), Labels(painted))])
    (image,) = request.images
    assert tuple(image.labels) == ((1,), (3,))
    np.testing.assert_array_equal(np.stack(image.planes()), stack[[1, 3]])
    np.testing.assert_array_equal(painting_of(image), painted[[1, 3]])
    assert (request.values, request.class_names()) == ((1, 2), ["label 1", "label 2"])
    assert image.masks() == [None, None]


def test_later_edits_do_not_matter(stack, painted):
    labels, image = Labels(painted.copy()), Image(stack.copy())
    shapes = Shapes([[[1, 0, 0], [1, 0, 9], [1, 9, 9], [1, 9, 0]]], ndim=3)
    request = request_of([(image, labels)], shapes=[shapes])
    remember([labels], PaintedClass(1, "other", "ignore"))
    labels.data[:], image.data[:] = 0, 0
    labels.name = image.name = "renamed"
    shapes.data = []
    np.testing.assert_array_equal(np.stack(request.images[0].planes()), stack[[1, 3]])
    np.testing.assert_array_equal(painting_of(request.images[0]), painted[[1, 3]])
    assert request.images[0].source.name == "Image"
    assert request.class_names() == ["label 1", "label 2"]
    assert request.images[0].masks()[0].sum() >= 81


def test_lazy_planes_are_read_only_when_asked_for(painted):
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return np.ones((1, 32, 40))

    lazy = da.map_blocks(block, chunks=((1,) * 4, 32, 40), dtype=float, meta=np.array((), dtype=float))
    image = Image(lazy, contrast_limits=(0, 1), cache=False)
    read.clear()
    request = request_of([(image, Labels(painted))])
    assert read == []
    assert len(request.images[0].planes()) == 2
    assert sorted(read) == [1, 3]


def test_many_axes_and_colours():
    colours = np.random.default_rng(0).integers(0, 255, (2, 3, 16, 16, 3), np.uint8)
    painting = np.zeros((2, 3, 16, 16), int)
    painting[1, 2, 3:6, 3:6] = 1
    (image,) = request_of([(Image(colours, rgb=True), Labels(painting))]).images
    assert tuple(image.labels) == ((1, 2),)
    assert image.planes()[0].shape == (16, 16)


def test_multiscale_layers_are_taken_at_full_resolution(stack, painted):
    image = Image([stack, stack[:, ::2, ::2]], multiscale=True)
    labels = Labels([painted, painted[:, ::2, ::2]], multiscale=True)
    (found,) = request_of([(image, labels)]).images
    np.testing.assert_array_equal(painting_of(found), painted[[1, 3]])
    np.testing.assert_array_equal(np.stack(found.planes()), stack[[1, 3]])


@pytest.mark.parametrize(
    ("image", "labels", "text"),
    [
        (None, None, "no image layer"),
        (Image(np.zeros((8, 8))), None, "no painting"),
        (Image(np.zeros((8, 8))), Labels(np.zeros((8, 8), int), name="P"), "No pixel is painted in 'P'"),
        (Image(np.zeros((8, 8))), Labels(np.ones((9, 8), int)), "9 x 8 .* 8 x 8.*not on the same grid"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(image, labels, text):
    with pytest.raises(UserError, match=text):
        request_of([(image, labels)])


def test_roles_decide_what_is_learnt():
    labels = Labels(np.arange(64).reshape(8, 8) // 16 + 1, name="P")
    for painted in (PaintedClass(2, "film", "background"), PaintedClass(3, "dirt", "ignore"), PaintedClass(4, "gold")):
        remember([labels], painted)
    request = request_of([(Image(np.zeros((8, 8))), labels)])
    assert (request.values, request.class_names()) == ((1, 4), ["label 1", "gold"])
    assert (request.with_role("background"), request.with_role("ignore")) == ((2,), (3,))
    for value in (1, 4):
        remember([labels], PaintedClass(value, "x", "background"))
    with pytest.raises(UserError, match="No label in 'P' is a class"):
        request_of([(Image(np.zeros((8, 8))), labels)])


def test_several_images_share_their_classes(stack, painted):
    other = np.zeros((16, 16), np.uint16)
    other[2:5, 2:5] = 300
    pairs = [
        (Image(stack, name="a"), Labels(painted, name="pa")),
        (Image(np.ones((16, 16)), name="b"), Labels(other, name="pb")),
    ]
    request = request_of(pairs)
    assert [image.source.name for image in request.images] == ["a", "b"]
    assert request.values == (1, 2, 300)
    with pytest.raises(UserError, match="'pa' is picked twice"):
        request_of([pairs[0], (Image(stack), pairs[0][1])])
    with pytest.raises(UserError, match="'a' is picked twice"):
        request_of([pairs[0], (pairs[0][0], Labels(painted))])
    with pytest.raises(UserError, match="No pixel is painted in 'empty'"):
        request_of([pairs[0], (Image(np.ones((9, 9))), Labels(np.zeros((9, 9), int), name="empty"))])


def test_a_plane_with_a_region_of_its_own_teaches_background(stack, painted):
    square = np.array([[2, 4], [2, 12], [9, 12], [9, 4]], float)
    on_plane_0 = Shapes([np.insert(square, 0, 0, axis=1)], ndim=3)
    (image,) = request_of([(Image(stack), Labels(painted))], shapes=[on_plane_0]).images
    assert tuple(image.labels) == ((0,), (1,), (3,))
    masks = image.masks()
    assert masks[0][3:9, 5:12].all()
    assert masks[0].sum() <= 72
    assert masks[1:] == [None, None]
    everywhere = Shapes([square])
    (image,) = request_of([(Image(stack), Labels(painted))], shapes=[everywhere]).images
    assert tuple(image.labels) == ((1,), (3,)), "of planes without paint it says nothing"
    assert all(mask.any() for mask in image.masks())


def test_layers_that_do_not_cover_each_other_are_noticed(stack, painted):
    calibrated = Image(stack, scale=(1, 0.5, 0.5))
    for scale, elsewhere in [((1, 0.5, 0.5), False), ((1, 1, 1), True)]:
        (image,) = request_of([(calibrated, Labels(painted, scale=scale))]).images
        assert image.elsewhere is elsewhere
