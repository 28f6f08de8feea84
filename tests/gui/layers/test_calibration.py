"""Pixels and planes of layers, whatever their scale, units, rotation and affine."""

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_emssl.gui.layers.calibration import pixel_of, plane_axes
from napari_emssl.gui.layers.layers import pixel_size_nm, placement, snapshot_of

NM = ("nm", "nm")
TURNED = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
MASK = np.zeros((6, 8), np.uint8)


@pytest.mark.parametrize(
    ("options", "edge"),
    [
        ({"scale": (2, 2), "units": NM}, 2.0),
        ({"scale": (0.002, 0.002), "units": ("um", "um")}, 2.0),
        ({"scale": (2, 0.002), "units": ("nm", "um")}, 2.0),
        ({"scale": (1, 1), "units": NM, "affine": np.diag([0.5, 0.5, 1])}, 0.5),
        ({"scale": (2, 1), "units": NM, "affine": np.diag([0.5, 1, 1])}, 1.0),
        ({"scale": (2, 2), "units": NM, "affine": TURNED}, 2.0),
        ({"scale": (2, 2), "units": NM, "rotate": 30}, 2.0),
        ({"scale": (2, 1), "units": NM}, None),
        ({"scale": (1, 1), "units": NM, "affine": np.diag([2, 1, 1])}, None),
        ({"scale": (2, 2), "units": ("nm", "um")}, None),
        ({"scale": (2, 2), "units": NM, "shear": (0.3,)}, None),
        ({"scale": (2, 2), "units": ("pixel", "pixel")}, None),
        ({}, None),
    ],
)
def test_a_pixel_has_a_size_where_it_is_square(options: dict, edge: float | None) -> None:
    layer = Labels(MASK, **options)
    assert pixel_size_nm(layer) == (None if edge is None else pytest.approx(edge))
    assert snapshot_of(Image(MASK, **options)).image().pixel_size_nm == pixel_size_nm(layer)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "has no pixel size"),
        ({"scale": (2, 1), "units": NM}, "2 nm high and 1 nm wide, which are not square"),
        ({"scale": (2, 2), "units": NM, "shear": (0.3,)}, "sheared"),
        ({"scale": (2, 2), "units": NM}, "has pixels of 2 nm"),
    ],
)
def test_no_pixel_size_is_said_only_where_that_is_so(options: dict, words: str) -> None:
    assert words in pixel_of(placement(Labels(MASK, **options))).description


def test_planes_of_a_layer_keep_their_kind_and_step() -> None:
    stack = np.zeros((2, 3, 4, 5), np.uint8)
    layer = Image(stack, scale=(500, 0.03, 2, 2), units=("ms", "um", "nm", "nm"), axis_labels=("time", "z", "y", "x"))
    image = snapshot_of(layer).image()
    assert [tuple(axis) for axis in image.axes] == [("t", pytest.approx(0.5)), ("z", pytest.approx(30))]
    assert [tuple(axis) for axis in plane_axes(placement(layer), 1)] == [("z", pytest.approx(30))]
    assert [tuple(axis) for axis in snapshot_of(Image(stack)).image().axes] == [("n", None)] * 2
    assert snapshot_of(layer).image((0, 1)).axes == ()
