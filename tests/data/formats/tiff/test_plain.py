"""What is read of a plain TIFF at once is what tifffile finds; whatever else there is, is left to it."""

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from napari_emssl.data.formats.tiff.plain import plain_header
from napari_emssl.data.formats.tiff.reader import opened_header

KINDS = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


@given(
    kind=st.sampled_from(KINDS),
    shape=st.sampled_from([(7, 5), (64, 64), (1, 9), (300, 400), (5, 8, 9)]),
    order=st.sampled_from("<>"),
    options=st.fixed_dictionaries(
        {},
        optional={
            "compression": st.just("zlib"),
            "rowsperstrip": st.sampled_from([1, 4, 1000]),
            "tile": st.just((16, 16)),
            "description": st.sampled_from(["", "a text", "<OME/>", '{"shape": [7, 5]}', "SI.x = 1"]),
            "metadata": st.sampled_from([None, {"axes": "YX"}, {"unit": "nm"}]),
            "resolution": st.just((4.0, 4.0)),
            "software": st.sampled_from(["SI.2", "some program"]),
            "photometric": st.sampled_from(["minisblack", "miniswhite"]),
            "bigtiff": st.just(True),
            "ome": st.just(True),
            "extratags": st.just([(65000, "s", 0, "private", True)]),
            "subfiletype": st.just(1),
        },
    ),
)
@settings(max_examples=100, deadline=None)
def test_a_plain_header_is_that_of_the_opened_file(
    kind: str, shape: tuple[int, ...], order: str, options: dict
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        try:
            tifffile.imwrite(path, np.zeros(shape, kind), byteorder=order, **options)
        except (ValueError, TypeError, struct.error):
            return  # tifffile does not write that
        found = plain_header(path)
        assert found is None or found == opened_header(path)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("order", "<>")
def test_common_files_are_plain(tmp_path: Path, kind: str, order: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((90, 70), kind), byteorder=order)
    tifffile.imwrite(
        tmp_path / "b.tif", np.zeros((90, 70), kind), byteorder=order, metadata=None, resolution=(300, 300)
    )
    for name in ("a.tif", "b.tif"):
        assert plain_header(tmp_path / name) == opened_header(tmp_path / name)
        assert plain_header(tmp_path / name) is not None


def test_files_of_pillow_with_their_directory_behind_the_pixels_are_plain(tmp_path: Path) -> None:
    Pillow.fromarray(np.zeros((300, 900), np.uint8)).save(tmp_path / "a.tif")
    assert plain_header(tmp_path / "a.tif") == opened_header(tmp_path / "a.tif")
    assert plain_header(tmp_path / "a.tif") is not None


def test_a_text_beside_a_plain_file_says_how_large_its_pixels_are(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((90, 70), np.uint8))
    (tmp_path / "a.txt").write_text("[SemImageFile]\nPixelSize=2.5\n")
    found = plain_header(tmp_path / "a.tif")
    assert found is not None
    assert found.pixel_size_nm == 2.5
    assert found == opened_header(tmp_path / "a.tif")


@pytest.mark.parametrize("length", [0, 3, 8, 100, 200, 280, 2000])
def test_of_a_file_that_was_cut_nothing_is_said(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((90, 70), np.uint8))
    path.write_bytes(path.read_bytes()[:length])
    assert plain_header(path) is None


@given(place=st.integers(0, 400), value=st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_a_damaged_header_is_no_error(place: int, value: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        tifffile.imwrite(path, np.zeros((90, 70), np.uint8))
        content = bytearray(path.read_bytes())
        content[place] = value
        path.write_bytes(content)
        found = plain_header(path)
        assert found is None or (found.planes == 1 and found.offset + found.height * found.width <= len(content))
