"""Zarr folders: their axes and images, and that reading never leaves them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import zarr
from image_arrays import random_array, stacked

from napari_emssl.data.images.opening import read_image, read_images
from napari_emssl.errors import UserError


def ome(path: Path, array: np.ndarray, axes: list[dict], scale: list[float], name: str = "") -> Path:
    group = zarr.create_group(path, zarr_format=3)
    group.create_array("0", shape=array.shape, dtype=array.dtype)[...] = array
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": name, "axes": axes, "datasets": [level]}]}
    return path


SPACE = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
TIME = {"name": "t", "type": "time", "unit": "millisecond"}
CHANNEL = {"name": "c", "type": "channel"}


def test_axes_keep_their_kind_and_step_and_those_of_length_one_go(tmp_path: Path) -> None:
    data = random_array((2, 1, 3, 8, 9), "f4")
    path = ome(tmp_path / "a.zarr", data, [TIME, CHANNEL, *SPACE], [40, 1, 0.03, 0.005, 0.005])
    image = read_image(path)
    np.testing.assert_array_equal(stacked(image), data[:, 0])
    assert image.pixel_size_nm == pytest.approx(5)
    assert [tuple(axis) for axis in image.axes] == [("t", pytest.approx(0.04)), ("z", pytest.approx(30))]


def test_an_image_whose_last_axes_are_no_plane_is_refused(tmp_path: Path) -> None:
    path = ome(tmp_path / "a.zarr", random_array((8, 9, 3)), [*SPACE[1:], CHANNEL], [1, 1, 1])
    with pytest.raises(UserError, match="not height and width"):
        read_image(path)


def test_all_images_of_a_converted_file(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for number in range(2):
        ome(tmp_path / "a.zarr" / str(number), random_array((4 + number, 5)), SPACE[1:], [1, 1], f"scene {number}")
    assert [(image.name, image.plane_shape) for image in read_images(tmp_path / "a.zarr")] == [
        ("a scene 0", (4, 5)),
        ("a scene 1", (5, 5)),
    ]


@pytest.mark.parametrize("what", ["chunk", "array", "metadata"])
def test_links_that_lead_out_are_not_followed(tmp_path: Path, what: str) -> None:
    for name in ("a.zarr", "secret.zarr"):
        ome(tmp_path / name, random_array((8, 9)), SPACE[1:], [1, 1])
    target = {"chunk": "0/c/0/0", "array": "0", "metadata": "zarr.json"}[what]
    inside = tmp_path / "a.zarr" / target
    inside.rename(tmp_path / "moved")
    inside.symlink_to(tmp_path / "secret.zarr" / target)
    with pytest.raises(UserError, match="leads out of it"):
        read_image(tmp_path / "a.zarr").plane(0)


def test_a_pipe_in_a_store_is_not_waited_for(tmp_path: Path) -> None:
    ome(tmp_path / "a.zarr", random_array((8, 9)), SPACE[1:], [1, 1])
    chunk = tmp_path / "a.zarr" / "0" / "c" / "0" / "0"
    chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(UserError, match="pipe"):
        read_image(tmp_path / "a.zarr").plane(0)


def test_an_array_that_claims_what_its_folder_cannot_hold(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(1, 8, 9), chunks=(1, 8, 9), dtype="f4")[...] = 1
    file = tmp_path / "a.zarr" / "zarr.json"
    metadata = json.loads(file.read_text())
    file.write_text(json.dumps({**metadata, "shape": [10**9, 800, 900]}))
    with pytest.raises(UserError, match="claims"):  # to look for each of its pieces would take hours
        read_image(tmp_path / "a.zarr")
