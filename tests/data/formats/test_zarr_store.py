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


STEPS = {"t": 40, "c": 1, "z": 0.03, "y": 0.005, "x": 0.005}
NAMED = {axis["name"]: axis for axis in (TIME, CHANNEL, *SPACE)}
FOUND = {"t": ("t", 0.04), "z": ("z", 30), "c": ("c", None)}


@pytest.mark.parametrize("order", ["zcyx", "tzcyx", "ctyx", "yxc", "zyxc", "tyxzc", "xy", "yxz", "xzyt"])
@pytest.mark.parametrize("single", ["", "z", "tc"])
def test_planes_and_steps_are_right_in_whatever_order_axes_are_written(tmp_path: Path, order: str, single: str) -> None:
    lengths = {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6} | dict.fromkeys(single, 1)
    data = random_array(tuple(lengths[letter] for letter in order), "u2")
    path = ome(tmp_path / "a.zarr", data, [NAMED[letter] for letter in order], [STEPS[letter] for letter in order])
    before = [letter for letter in order if letter not in "yx"]
    wanted = data.transpose([order.index(letter) for letter in (*before, "y", "x")])
    image = read_image(path)
    np.testing.assert_array_equal(stacked(image), wanted.reshape(stacked(image).shape))
    counted = [letter for letter in before if lengths[letter] > 1]
    assert image.leading == tuple(lengths[letter] for letter in counted)
    assert [axis.kind for axis in image.axes] == counted
    assert [axis.step for axis in image.axes] == [pytest.approx(FOUND[letter][1]) for letter in counted]
    assert image.pixel_size_nm == pytest.approx(5)


def test_a_section_along_depth_is_an_image_with_its_own_pixels(tmp_path: Path) -> None:
    data = random_array((2, 4, 1, 6), "u2")
    path = ome(tmp_path / "a.zarr", data, [TIME, *SPACE], [40, 0.03, 0.005, 0.005])
    image = read_image(path)
    np.testing.assert_array_equal(stacked(image), data[:, :, 0])
    assert (image.leading, image.pixel) == ((2,), pytest.approx((30, 5)))


@pytest.mark.parametrize("axis", [{"name": "energy"}, {"name": "e", "type": "other", "unit": "electronvolt"}])
def test_spectra_are_refused_wherever_their_axis_is(tmp_path: Path, axis: dict) -> None:
    for number, order in enumerate(([axis, *SPACE[1:]], [*SPACE[1:], axis])):
        path = ome(tmp_path / f"{number}.zarr", random_array((4, 5, 6)), order, [1, 1, 1])
        with pytest.raises(UserError, match="spectrum"):
            read_image(path)


def test_an_image_without_two_axes_of_space_is_refused(tmp_path: Path) -> None:
    path = ome(tmp_path / "a.zarr", random_array((8, 9, 3)), [TIME, SPACE[2], CHANNEL], [1, 1, 1])
    with pytest.raises(UserError, match="not height and width"):
        read_image(path)


def test_channels_in_groups_without_metadata_are_images_with_the_names_of_their_axes(tmp_path: Path) -> None:
    data = {name: random_array((5, 6, 3), "u2") for name in ("HAADF", "BF")}
    for name, values in data.items():
        place = zarr.create_array(tmp_path / "a.zarr" / "detectors" / name, shape=values.shape, dtype=values.dtype,
                                  dimension_names=["y", "x", "time"])  # fmt: skip
        place[...] = values
    zarr.create_group(tmp_path / "a.zarr" / "detectors")
    zarr.create_group(tmp_path / "a.zarr")
    with pytest.raises(UserError, match=r"2 images \('detectors/BF', 'detectors/HAADF'\)"):
        read_image(tmp_path / "a.zarr")
    image = read_image(tmp_path / "a.zarr", "detectors/BF")
    np.testing.assert_array_equal(stacked(image), np.moveaxis(data["BF"], -1, 0))
    assert [axis.kind for axis in image.axes] == ["t"]


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


def test_metadata_of_which_the_text_is_damaged(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros((4, 4)), zarr_format=2)
    (tmp_path / "a.zarr" / ".zarray").write_bytes(b"\0\0\0{\xff\xff\xff\xff")
    with pytest.raises(UserError, match=r"a\.zarr cannot be read \(a text in it is damaged\)"):
        read_image(tmp_path / "a.zarr")
