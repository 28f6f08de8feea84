"""Pages of TIFF files: left on disk, colour or planes, damaged ones named."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_arrays import random_array, stacked

from napari_emssl.data.images.image import grey
from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_stacks_stay_on_disk(tmp_path: Path, compression: str | None) -> None:
    array = random_array((6, 40, 50))
    tifffile.imwrite(tmp_path / "a.tif", array, compression=compression, photometric="minisblack")
    image = read_image(tmp_path / "a.tif")
    assert isinstance(image.planes, np.memmap) or not isinstance(image.planes, np.ndarray)
    np.testing.assert_array_equal(stacked(image), array)
    np.testing.assert_array_equal(image.plane(-1), array[-1])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(image)).plane(2), array[2])
    with pytest.raises(IndexError):
        image.plane(6)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("leading", [(), (4,)])
def test_colour_tiff_is_read_as_grey(tmp_path: Path, leading: tuple[int, ...], planar: str, compression) -> None:
    colour = random_array((*leading, 20, 30, 3))
    stored = colour if planar == "contig" else np.moveaxis(colour, -1, len(leading))
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression=compression)
    image = read_image(tmp_path / "a.tif")
    assert (image.leading, image.plane_shape) == (leading, (20, 30))
    np.testing.assert_array_equal(stacked(image), grey(colour))


@pytest.mark.parametrize("imagej", [True, False])
def test_stack_of_three_planes_is_not_colour(tmp_path: Path, imagej: bool) -> None:
    array = random_array((3, 20, 30))
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=imagej, photometric="minisblack")
    np.testing.assert_array_equal(stacked(read_image(tmp_path / "a.tif")), array)


def test_spectrum_image_in_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", random_array((20, 30, 7)), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match="7 values per pixel"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("pages", [1, 6])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated_tiff_never_passes_for_a_whole_one(tmp_path: Path, compression, pages: int, share: float) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (pages, 40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, compression=compression, photometric="minisblack")
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"a\.tif"):
        stacked(read_image(tmp_path / "a.tif"))


def test_page_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (5, 40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        offset = tif.pages[3].dataoffsets[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[offset : offset + 200] = bytes(200)
    (tmp_path / "a.tif").write_bytes(content)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.plane(2), array[2])
    with pytest.raises(UserError, match=r"Plane 3 of .*a\.tif"):
        image.plane(3)


def test_a_small_page_does_not_claim_large_tiles(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((24, 20), np.uint16), tile=(16, 16), compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["TileLength"].overwrite(1 << 30, dtype="I")
    with pytest.raises(UserError, match="claims"):
        read_image(path)
