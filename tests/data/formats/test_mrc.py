"""MRC files: IMOD's bytes, volumes with their depth, modes that are not read."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
from image_arrays import random_array, stacked

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
