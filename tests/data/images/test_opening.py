"""Images are found, opened and taken as they are."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from image_arrays import random_array, stacked
from PIL import Image as Picture

from napari_emssl.data.datasets.folder_index import scan
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.images.image import grey
from napari_emssl.data.images.opening import as_image, find_images, read_image
from napari_emssl.errors import UserError


def test_find_images_sorts_naturally_and_ignores_junk(tmp_path: Path) -> None:
    for name in ["img10.tif", "img2.tif", "sub/B.PNG", "sub/notes.txt", "Thumbs.db", ".hidden.png", "._img2.tif",
                 ".git/a.png", "__MACOSX/a.png", "s.zarr/c/0.png"]:  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert names == ["img2.tif", "img10.tif", "s.zarr", "sub/B.PNG"]
    assert find_images([tmp_path / "img2.tif", tmp_path, tmp_path / "sub"]) == find_images(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="paths are shorter")
@pytest.mark.parametrize("kind", ["tif", "png", "bmp"])
def test_names_that_leave_no_room_for_what_may_lie_beside_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{'x' * (254 - len(kind))}.{kind}"
    values = random_array((8, 9), "u1")
    with path.open("wb") as file:
        tifffile.imwrite(file, values) if kind == "tif" else Picture.fromarray(values).save(file, kind.upper())
    np.testing.assert_array_equal(read_image(path).plane(0), values)


def test_find_images_survives_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert find_images(tmp_path) == [tmp_path / "a.png"]


def test_pipes_devices_and_dead_links_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    (tmp_path / "b.tif").symlink_to("/dev/zero")
    (tmp_path / "c.tif").symlink_to(tmp_path / "gone.tif")
    (tmp_path / "d.tif").symlink_to(tmp_path / "d.tif")
    with pytest.raises(UserError, match="no image in the folder"):
        find_images(tmp_path)
    (tmp_path / "e.tif").touch()
    assert find_images(tmp_path) == [tmp_path / "e.tif"]
    assert list(scan(tmp_path).texts()) == ["e.tif"]
    for name, words in (("a", "a pipe or a device"), ("b", "a pipe or a device"), ("c", "not exist"), ("d", "opened")):
        for opens in (read_image, find_images, lambda path: open_sources([path])):
            with pytest.raises(UserError, match=words):
                opens(tmp_path / f"{name}.tif")


def test_find_images_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").touch()
    for name, words in [
        ("none", "does not exist"),
        ("empty", "no image .*TIFF"),
        ("a.txt", "not in a known image format"),
    ]:
        with pytest.raises(UserError, match=words) as caught:
            find_images([tmp_path / name])
        assert str(tmp_path / name) in str(caught.value)


@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int64, np.float32, np.bool_]), hnp.array_shapes(min_dims=2, max_dims=5)
    )
)
@settings(max_examples=60, deadline=None)
def test_arrays_keep_their_planes_and_lose_axes_of_length_one(array: np.ndarray) -> None:
    image = as_image(array, "a")
    colour = array.dtype == np.uint8 and array.ndim > 2 and array.shape[-1] in (3, 4)
    expected = grey(array) if colour else array
    while expected.ndim > 2 and 1 in expected.shape:
        expected = expected.squeeze(expected.shape.index(1))
    assert image.leading + image.plane_shape == expected.shape
    np.testing.assert_array_equal(stacked(image), expected)
    assert all(image.plane(i).flags.c_contiguous for i in range(len(image)))


def test_lazy_arrays_are_taken_as_they_are() -> None:
    da = pytest.importorskip("dask.array")
    array = random_array((2, 3, 5, 6), "f4")
    lazy = da.from_array(array[0])
    assert as_image(lazy).planes is lazy
    np.testing.assert_array_equal(stacked(as_image(da.from_array(array))), array)
    image = as_image(array)
    assert as_image(image) is image
    assert np.shares_memory(image.planes, array)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros(3), "spectrum"),
        (np.float32(1), "shape"),
        (np.zeros((0, 4)), "no pixel"),
        (np.zeros((2, 2), complex), "complex"),
        (np.array([["a"]]), "not grey values"),
        (np.zeros((4, 3), "M8[s]"), "not grey values"),
        ([[1, 2], [3]], "not an array of numbers"),
    ],
)
def test_what_is_no_image_is_refused(source: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        as_image(source)
