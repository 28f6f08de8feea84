import numpy as np
import pytest
import small_jobs
from napari.layers import Image

from napari_emssl.errors import UserError
from napari_emssl.gui.apply.request import apply_request, select
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.zoo import add_model


@pytest.fixture
def stack():
    return np.random.default_rng(0).normal(size=(4, 32, 40)).astype(np.float32)


def test_selection_of_a_stack_and_of_a_plane(stack):
    whole, one = select(Image(stack)), select(Image(stack), (2,))
    assert (len(whole.image()), whole.image().leading) == (4, (4,))
    assert (len(one.image()), one.image().leading) == (1, ())
    np.testing.assert_array_equal(one.image().plane(0), stack[2])


def test_a_request_knows_its_model_or_says_that_there_is_none(stack):
    add_model(small_jobs.model("m"))
    request = apply_request([select(Image(stack, name="film"))], "m", ApplySettings())
    assert (request.model, request.card.name, request.title) == ("m", "m", "'film'")
    with pytest.raises(UserError, match="no model"):
        apply_request([select(Image(stack))], None, ApplySettings())
    with pytest.raises(UserError, match="other"):
        apply_request([select(Image(stack))], "other", ApplySettings())
    with pytest.raises(UserError, match="no image layer"):
        select(None)
