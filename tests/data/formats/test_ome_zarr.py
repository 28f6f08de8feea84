"""OME-Zarr, written plane by plane and read from other programs."""

from pathlib import Path

import numpy as np
import pytest
from image_arrays import random_array, stacked

from napari_emssl.data.images.opening import read_image
from napari_emssl.data.images.writers import create_zarr
from napari_emssl.errors import UserError


def test_zarr_can_be_written_plane_by_plane_and_is_ome(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = random_array((3, 20, 30), "u2")
    store = create_zarr(tmp_path / "a.zarr", array.shape, array.dtype, 0.7)
    for i, plane in enumerate(array):
        store[i] = plane
    ome = zarr.open(tmp_path / "a.zarr", mode="r").attrs["ome"]
    assert ome["version"] == "0.5"
    assert [axis["name"] for axis in ome["multiscales"][0]["axes"]] == ["z", "y", "x"]
    image = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(stacked(image), array)
    assert image.pixel_size_nm == pytest.approx(0.7)
    with pytest.raises(UserError, match="exists already"):
        create_zarr(tmp_path / "a.zarr", (2, 2), "u1")


def test_ome_zarr_of_version_0_4_with_five_axes_and_micrometres(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = random_array((1, 1, 3, 5, 6), "u1")
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", shape=array.shape, dtype=array.dtype)[...] = array
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "tczyx"]
    scale = {"type": "scale", "scale": [1, 1, 1, 0.002, 0.002]}
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    image = read_image(tmp_path / "a.zarr")
    assert image.leading == (3,)
    assert image.pixel_size_nm == pytest.approx(2.0)
    np.testing.assert_array_equal(stacked(image), array[0, 0])
