"""What is written is read back, and nothing that was there is lost."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from image_arrays import random_array, stacked

from napari_emssl.atomic_files import replacing
from napari_emssl.data.images.opening import read_image
from napari_emssl.data.images.writers import write_image
from napari_emssl.errors import UserError

DTYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8", "?", ">u2", ">f4"]


SHAPES = [(5, 7), (1, 1), (3, 50), (3, 5, 7), (2, 3, 5, 7)]


@pytest.mark.parametrize(("suffix", "shapes"), [(".tif", SHAPES), (".zarr", SHAPES[::3])])
@pytest.mark.parametrize("dtype", DTYPES)
def test_written_image_is_read_back(tmp_path: Path, dtype: str, suffix: str, shapes: list[tuple[int, ...]]) -> None:
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    for shape in shapes:
        check_round_trip(tmp_path / f"{len(list(tmp_path.iterdir()))}{suffix}", shape, dtype)


def check_round_trip(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = random_array(shape, dtype)
    image = read_image(write_image(path, array, 0.25))
    assert stacked(image).shape == shape
    np.testing.assert_array_equal(stacked(image), array)
    assert image.pixel_size_nm == pytest.approx(0.25)
    assert image.name == path.stem


@given(array=hnp.arrays(st.sampled_from([np.uint8, np.uint16, np.int32, np.float32]), hnp.array_shapes(min_dims=2)))
@settings(max_examples=40, deadline=None)
def test_any_array_survives_tiff_but_for_axes_of_length_one(tmp_path_factory: pytest.TempPathFactory, array) -> None:
    path = tmp_path_factory.mktemp("any") / "a.tif"
    image = read_image(write_image(path, array))
    assert image.dtype.newbyteorder("=") == array.dtype
    np.testing.assert_array_equal(stacked(image).ravel(), array.ravel())


def test_tiff_of_common_types_is_imagej_without_fake_axes(tmp_path: Path) -> None:
    for dtype, shape, axes in [("u1", (4, 5), "YX"), ("u2", (3, 4, 5), "ZYX"), ("f4", (2, 3, 4, 5), "TZYX")]:
        path = write_image(tmp_path / "a.tif", random_array(shape, dtype), 2.0, overwrite=True)
        with tifffile.TiffFile(path) as tif:
            assert tif.is_imagej
            assert tif.imagej_metadata["unit"] == "nm"
            assert (tif.series[0].axes, tif.series[0].shape, tif.series[0].dtype) == (axes, shape, np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["u1", "u2", "?", ">u2"])
def test_png_round_trip(tmp_path: Path, dtype: str) -> None:
    array = random_array((6, 9), dtype)
    np.testing.assert_array_equal(read_image(write_image(tmp_path / "a.png", array)).plane(0), array)


def test_64_bit_integers_are_stored_small_or_exactly(tmp_path: Path) -> None:
    for value, dtype in [(7, "i4"), (2**32 - 1, "u4"), (2**40, "f8")]:
        path = write_image(tmp_path / "a.tif", np.array([[0, value]], np.int64), overwrite=True)
        assert read_image(path).plane(0).dtype == dtype
        assert read_image(path).plane(0)[0, 1] == value


def test_dask_arrays_are_written_plane_by_plane(tmp_path: Path) -> None:
    da = pytest.importorskip("dask.array")
    array = random_array((4, 30, 40))
    lazy = da.from_array(array, chunks=(1, 30, 40))
    for suffix in (".tif", ".zarr"):
        np.testing.assert_array_equal(stacked(read_image(write_image(tmp_path / f"a{suffix}", lazy))), array)


def test_unwritable_arrays_are_refused(tmp_path: Path) -> None:
    for name, array in [
        ("a.png", np.zeros((2, 3, 3), np.uint8)),
        ("a.png", np.zeros((3, 3), np.float32)),
        ("a.jpg", np.zeros((3, 3), np.uint8)),
        ("a.tif", np.zeros((3, 3), complex)),
        ("a.tif", np.zeros((0, 3))),
        ("a.tif", np.zeros((1, 1, 1, 3, 3))),
    ]:
        with pytest.raises(UserError):
            write_image(tmp_path / name, array)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_existing_image_stays_unless_overwriting_is_asked_for(tmp_path: Path, name: str) -> None:
    first, second = random_array((4, 4)), random_array((5, 5))
    write_image(tmp_path / name, first)
    with pytest.raises(UserError, match="exists already"):
        write_image(tmp_path / name, second)
    np.testing.assert_array_equal(read_image(tmp_path / name).plane(0), first)
    write_image(tmp_path / name, second, overwrite=True)
    np.testing.assert_array_equal(read_image(tmp_path / name).plane(0), second)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_full_disk_leaves_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_image(tmp_path / "a.tif", random_array((4, 4)))
    before = path.read_bytes()

    def full(name: Path, *args: object, **kwargs: object) -> None:
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(UserError, match="No space left"):
        write_image(path, random_array((5, 5)), overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_failed_writing_removes_the_temporary_file(tmp_path: Path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())
