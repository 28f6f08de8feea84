"""Colours become grey."""

import numpy as np
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from napari_emssl.data.images.image import grey


@given(values=hnp.arrays(np.uint8, (4, 5)))
@settings(max_examples=20, deadline=None)
def test_grey_of_equal_colours_is_exact(values: np.ndarray) -> None:
    for array in (values, values.astype(np.uint16) * 257, values.astype(np.float32)):
        np.testing.assert_allclose(grey(np.stack([array] * 3, -1)), array, rtol=1e-6)
        assert grey(np.stack([array] * 4, -1)).dtype == array.dtype
