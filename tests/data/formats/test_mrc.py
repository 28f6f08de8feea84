"""MRC files: IMOD's bytes, volumes with their depth, modes that are not read."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
from image_arrays import random_array, stacked
from mrcfile.dtypes import get_ext_header_dtype

from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError
from napari_emssl.particles.measure import measure_particles

BYTES = np.arange(256, dtype=np.uint8).reshape(16, 16)


def imod(path: Path, values: np.ndarray, signed: bool) -> Path:
    stored = (values.astype(int) - 128).astype(np.int8) if signed else values.view(np.int8)
    with mrcfile.new(path, data=stored) as mrc:
        mrc.voxel_size = 10
    with path.open("r+b") as file:
        file.seek(152)
        file.write(np.int32(1146047817).tobytes() + np.int32(signed).tobytes())
    return path


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("planes", [(), (3,)])
def test_bytes_of_imod_are_unsigned(tmp_path: Path, signed: bool, planes: tuple[int, ...]) -> None:
    values = np.broadcast_to(BYTES, (*planes, 16, 16)).copy()
    image = read_image(imod(tmp_path / "a.mrc", values, signed))
    np.testing.assert_array_equal(stacked(image), values)
    assert image.dtype == np.uint8


def test_bytes_of_others_are_signed(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc", data=BYTES.view(np.int8)):
        pass
    np.testing.assert_array_equal(read_image(tmp_path / "a.mrc").plane(0), BYTES.view(np.int8))


def test_a_mask_of_imod_is_a_mask(tmp_path: Path) -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 8:20] = 1
    assert len(measure_particles(imod(tmp_path / "mask.mrc", mask, True))) == 1


@pytest.mark.parametrize(("mode", "what"), [(3, "complex"), (4, "complex"), (16, "colours"), (101, "4 bits")])
@pytest.mark.parametrize("order", ["<", ">"])
def test_modes_that_are_not_read_are_named(tmp_path: Path, mode: int, what: str, order: str) -> None:
    header = np.zeros(256, f"{order}i4")
    header[:4] = 8, 8, 1, mode
    (tmp_path / "a.mrc").write_bytes(header.tobytes() + bytes(8 * 8 * 8))
    with pytest.raises(UserError, match=rf"{what}.*mode {mode}"):
        read_image(tmp_path / "a.mrc")


def test_a_volume_has_depth_and_a_stack_has_none(tmp_path: Path) -> None:
    for name, volume in (("v", True), ("s", False)):
        with mrcfile.new(tmp_path / f"{name}.mrc", data=random_array((3, 6, 7), "f4")) as mrc:
            mrc.voxel_size = (4.0, 4.0, 25.0)
            mrc.set_volume() if volume else mrc.set_image_stack()
    assert [tuple(read_image(tmp_path / f"{name}.mrc").axes[0]) for name in "vs"] == [
        ("z", pytest.approx(2.5)),
        ("n", None),
    ]


@pytest.mark.parametrize("size", [0, 500, 1024, 1400])
def test_cut_files_are_refused(tmp_path: Path, size: int) -> None:
    with mrcfile.new(tmp_path / "a.mrc", data=random_array((20, 20), "f4")):
        pass
    content = (tmp_path / "a.mrc").read_bytes()
    (tmp_path / "a.mrc").write_bytes(content[:size])
    with pytest.raises(UserError, match=r"a\.mrc"):
        read_image(tmp_path / "a.mrc")


@pytest.mark.parametrize("length", [2**31 - 1, -5])
def test_an_extended_header_that_is_not_there_takes_no_memory(tmp_path: Path, length: int) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.zeros((3, 4, 5), np.int16))
    with (tmp_path / "a.mrc").open("r+b") as file:
        file.seek(92)
        file.write(length.to_bytes(4, "little", signed=True))
    with pytest.raises(UserError, match="claims more"):
        read_image(tmp_path / "a.mrc")


def big_endian(path: Path, values: np.ndarray, extended: int = 0, words: dict[int, int] | None = None) -> Path:
    """A file of a computer of another byte order, as old microscopes wrote them."""
    header = np.zeros(256, ">i4")
    header[:4] = values.shape[1], values.shape[0], 1, {1: 0, 2: 1}[values.itemsize]
    header[7:10] = values.shape[1], values.shape[0], 1
    header.view(">f4")[10:13] = values.shape[1] * 4, values.shape[0] * 4, 4
    header[23] = extended
    for number, word in (words or {}).items():
        header[number] = word
    header[52], header[53] = 0x4D415020, 0x11110000
    content = values.astype(values.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(header.tobytes() + bytes(extended) + content)
    return path


@pytest.mark.parametrize("extended", [0, 1024])
@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_the_byte_order_is_told_from_the_sizes_also_where_the_mode_is_0(
    tmp_path: Path, dtype: str, extended: int
) -> None:
    values = np.arange(20, dtype=dtype).reshape(4, 5)
    image = read_image(big_endian(tmp_path / "a.mrc", values, extended))
    np.testing.assert_array_equal(image.plane(0), values)
    assert image.pixel_size_nm == pytest.approx(0.4)


@pytest.mark.parametrize("signed", [0, 1])
def test_bytes_of_imod_are_unsigned_in_either_byte_order(tmp_path: Path, signed: int) -> None:
    stored = (BYTES.astype(int) - 128 * signed).astype(np.uint8).view(np.int8)
    image = read_image(big_endian(tmp_path / "a.mrc", stored, words={38: 1146047817, 39: signed}))
    np.testing.assert_array_equal(image.plane(0), BYTES)


@pytest.mark.parametrize("kind", ["FEI1", "FEI2", "old"])
def test_the_pixel_size_in_the_extended_header_of_fei(tmp_path: Path, kind: str) -> None:
    if kind == "old":
        header = np.zeros((1024, 32), "f4")
        header[:2, 11] = 3e-10
    else:
        header = np.zeros(2, get_ext_header_dtype(kind.encode(), "<"))
        header["Metadata size"] = header.itemsize
        header["Pixel size X"] = header["Pixel size Y"] = 3e-10
    with mrcfile.new(tmp_path / "a.mrc", data=random_array((2, 6, 7), "f4")) as mrc:
        mrc.set_extended_header(header.view("V1") if kind == "old" else header)
        mrc.header.exttyp = b"" if kind == "old" else kind.encode()
        mrc.header.label[0] = b"Fei Company (C)Copyright 2003"
    assert read_image(tmp_path / "a.mrc").pixel_size_nm == pytest.approx(0.3)


def test_pixels_are_those_of_the_axes_that_the_header_names(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc", data=random_array((3, 6, 7), "f4")) as mrc:
        mrc.voxel_size = (2.0, 2.0, 5.0)
        mrc.header.mapc, mrc.header.mapr, mrc.header.maps = 3, 2, 1
    image = read_image(tmp_path / "a.mrc")
    assert (image.pixel_size_nm, image.stretched) == (None, pytest.approx((0.2, 0.5)))
    assert image.axes[0].step == pytest.approx(0.2)
