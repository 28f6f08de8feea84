import numpy as np
import pytest
from napari.layers import Image

from napari_emssl.errors import UserError
from napari_emssl.gui.apply.request import apply_request


@pytest.fixture
def stack():
    return np.random.default_rng(0).normal(size=(4, 32, 40)).astype(np.float32)


def test_apply_request_of_a_plane_and_of_a_stack(stack):
    whole, one = apply_request(Image(stack), "m"), apply_request(Image(stack), "m", (2,))
    assert (len(whole.image()), whole.image().leading) == (4, (4,))
    assert (len(one.image()), one.image().leading) == (1, ())
    np.testing.assert_array_equal(one.image().plane(0), stack[2])
    with pytest.raises(UserError, match="no model"):
        apply_request(Image(stack), None)
