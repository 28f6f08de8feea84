import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from napari.layers import Labels

from napari_emssl.gui.layers.colours import outline_colours, outlined, painting_colours, result_colours


@given(arrays(st.sampled_from([np.uint8, np.uint16, np.int32]), array_shapes(min_dims=2, max_dims=2, max_side=12),
              elements=st.integers(0, 200)))  # fmt: skip
def test_contours_lie_inside_objects_and_nothing_is_lost(labels):
    shown = outlined(labels)
    if labels.max() > 127:
        assert shown is labels
        return
    np.testing.assert_array_equal(shown % 128, labels)
    assert not (shown[labels == 0] > 0).any()


def test_an_object_has_a_rim_and_a_light_fill_in_the_colour_of_its_paint():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:7, 2:7] = 1
    shown = outlined(labels)
    assert (shown[3:6, 3:6] == 1).all()
    assert (shown == 129).sum() == 16
    colours, paint = outline_colours([1]).color_dict, painting_colours().colors[1]
    np.testing.assert_allclose(colours[1][:3], paint[:3], atol=1e-6)
    np.testing.assert_allclose(colours[129][:3], paint[:3], atol=1e-6)
    assert colours[1][3] < 0.3 < colours[129][3]


def test_predictions_have_the_colours_of_the_painting_that_they_are_made_from():
    painting = Labels(np.zeros((8, 8), np.uint8))
    painting.colormap = {None: "transparent", 1: "red", 2: "lime"}
    colours = outline_colours([1, 2], painting).color_dict
    np.testing.assert_allclose(colours[1][:3], (1, 0, 0))
    np.testing.assert_allclose(colours[2][:3], (0, 1, 0))


def test_classes_of_results_have_the_colours_of_paint_and_none_soon_that_of_background():
    paint, result = painting_colours().colors, result_colours().colors
    np.testing.assert_array_equal(result[[1, 2, 3]], paint[[1, 3, 4]])  # the second brush is "Not particle"
    np.testing.assert_array_equal(result[-1], paint[2])
    assert {tuple(colour) for colour in result} == {tuple(colour) for colour in paint}
