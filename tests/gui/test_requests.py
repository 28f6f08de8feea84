import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_emssl.errors import UserError
from napari_emssl.gui.requests import apply_request, training_request


@pytest.fixture
def stack():
    return np.random.default_rng(0).normal(size=(4, 32, 40)).astype(np.float32)


@pytest.fixture
def painted():
    painting = np.zeros((4, 32, 40), np.uint8)
    painting[1, 5:10, 5:10], painting[3, 20:24, 8:12] = 1, 2
    return painting


def test_only_painted_planes_are_gathered(stack, painted):
    request = training_request(Image(stack), Labels(painted))
    assert request.indices == ((1,), (3,))
    np.testing.assert_array_equal(np.stack(request.images()), stack[[1, 3]])
    np.testing.assert_array_equal(request.painting, painted[[1, 3]])
    assert request.values == (1, 2)


def test_later_edits_do_not_matter(stack, painted):
    labels, image = Labels(painted.copy()), Image(stack.copy())
    request = training_request(image, labels)
    labels.data[:], image.data[:] = 0, 0
    labels.name = image.name = "renamed"
    np.testing.assert_array_equal(np.stack(request.images()), stack[[1, 3]])
    np.testing.assert_array_equal(request.painting, painted[[1, 3]])
    assert request.source.name == "Image"


def test_lazy_planes_are_read_only_when_asked_for(painted):
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return np.ones((1, 32, 40))

    lazy = da.map_blocks(block, chunks=((1,) * 4, 32, 40), dtype=float, meta=np.array((), dtype=float))
    image = Image(lazy, contrast_limits=(0, 1), cache=False)
    read.clear()
    request = training_request(image, Labels(painted))
    assert read == []
    assert len(request.images()) == 2
    assert sorted(read) == [1, 3]


def test_many_axes_and_colours():
    colours = np.random.default_rng(0).integers(0, 255, (2, 3, 16, 16, 3), np.uint8)
    painting = np.zeros((2, 3, 16, 16), int)
    painting[1, 2, 3:6, 3:6] = 1
    request = training_request(Image(colours, rgb=True), Labels(painting))
    assert request.indices == ((1, 2),)
    assert request.images()[0].shape == (16, 16)


@pytest.mark.parametrize(
    ("image", "labels", "background", "text"),
    [
        (None, None, None, "no image layer"),
        (Image(np.zeros((8, 8))), None, None, "no painting"),
        (Image(np.zeros((8, 8))), Labels(np.zeros((8, 8), int), name="P"), None, "No pixel is painted in 'P'"),
        (Image(np.zeros((8, 8))), Labels(np.ones((9, 8), int)), None, "9 x 8 .* 8 x 8.*not on one grid"),
        (Image(np.zeros((8, 8))), Labels(np.full((8, 8), 2)), 2, "Only background"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(image, labels, background, text):
    with pytest.raises(UserError, match=text):
        training_request(image, labels, background_label=background)


def test_apply_request_of_a_plane_and_of_a_stack(stack):
    whole, one = apply_request(Image(stack), "m"), apply_request(Image(stack), "m", (2,))
    assert (len(whole.image()), whole.image().leading) == (4, (4,))
    assert (len(one.image()), one.image().leading) == (1, ())
    np.testing.assert_array_equal(one.image().plane(0), stack[2])
    with pytest.raises(UserError, match="no model"):
        apply_request(Image(stack), None)
