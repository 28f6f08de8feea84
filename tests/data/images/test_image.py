"""Colours become grey; masks lose none; names that several images have."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from napari_emssl.data.images.image import distinct_names, grey
from napari_emssl.data.images.opening import as_image
from napari_emssl.errors import UserError


@given(values=hnp.arrays(np.uint8, (4, 5)))
@settings(max_examples=20, deadline=None)
def test_grey_of_equal_colours_is_exact(values: np.ndarray) -> None:
    for array in (values, values.astype(np.uint16) * 257, values.astype(np.float32)):
        np.testing.assert_allclose(grey(np.stack([array] * 3, -1)), array, rtol=1e-6)
        assert grey(np.stack([array] * 4, -1)).dtype == array.dtype


def test_masks_whose_colours_would_become_one_value_are_refused() -> None:
    mask = np.zeros((8, 9, 3), np.uint8)
    mask[2:4, 2:4], mask[5:7, 5:7] = (255, 0, 0), (0, 130, 0)  # both have the luminance 76
    with pytest.raises(UserError, match="have the same brightness"):
        as_image(mask, "mask").label_plane(0)
    mask[5:7, 5:7] = 255
    np.testing.assert_array_equal(np.unique(as_image(mask).label_plane(0)), [0, 76, 255])


def test_masks_in_the_transparency_are_refused() -> None:
    colours = np.zeros((8, 9, 4), np.uint8)
    np.testing.assert_array_equal(as_image(colours).label_plane(0), 0)
    colours[2:4, 2:4, 3] = 255  # black on nothing
    for hidden in (0, 255):  # and what an editor has left of colour where nothing is seen
        colours[6:, :, :3] = hidden
        with pytest.raises(UserError, match="transparency"):
            as_image(colours).label_plane(0)
    colours[..., 3] = 255
    np.testing.assert_array_equal(np.unique(as_image(colours).label_plane(0)), [0, 255])


def test_names_that_several_images_have_get_their_folders() -> None:
    paths = [Path("a/x.tif"), Path("a/b/x.tif"), Path("a/y.tif"), None]
    assert distinct_names(["x", "x", "y", "x"], paths) == ["x", "b/x", "y", "x"]
