"""Pixel sizes that microscopes write into TIFF files."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_arrays import random_array

from napari_emssl.data.images.headers import read_header
from napari_emssl.data.images.opening import read_image

GREY = random_array((32, 64))


def tag(code: int, text: str | bytes) -> tuple[int, int, int, bytes, bool]:
    content = text.encode() if isinstance(text, str) else text
    return code, 7, len(content), content, False


def floats(code: int, value: float) -> tuple[int, int, int, float, bool]:
    return code, 12, 1, value, False


def string(code: int, value: str) -> tuple[int, int, int, str, bool]:
    return code, 2, len(value) + 1, value, False


FEI = "[Scan]\r\nPixelWidth=2.5e-09\r\nPixelHeight=2.5e-09\r\n"
FEI_FIELD = "[EBeam]\r\nHFW=1.6e-07\r\nVFW=8e-08\r\n[Image]\r\nResolutionX=64\r\nResolutionY=32\r\n"
TITAN = '<Root><PixelSize><X unit="m">2.5e-09</X><Y unit="m">2.5e-09</Y></PixelSize></Root>'
PHENOM = '<FeiImage><pixelHeight unit="um">0.0025</pixelHeight><pixelWidth unit="um">0.0025</pixelWidth></FeiImage>'
ITEM = "<M><Name>%s</Name><MementoItemUnit>MementoItemUnitMeter</MementoItemUnit><anyType>2.5E-09 </anyType></M>"
ITEMS = f"<R><M><Name>PixelSize</Name><Section>{ITEM % 'Width'}{ITEM % 'Height'}</Section></M></R>"
ZEISS = "0\r\n0\r\n0\r\n1\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 2.500 nm\r\n"
ZEISS_OLD = "0\r\n0\r\n0\r\n1.5625e-10\r\n"  # a 16th of 2.5 nm, as the image has 64 px and not 1024
TESCAN = b"\x01\x02[MAIN]\x00PixelSizeX=2.5e-09\nPixelSizeY=2.5e-09\n"
DM = [string(65003, "nm"), string(65004, "nm"), floats(65009, 2.5), floats(65010, 2.5)]
SETS = {
    "FEI": [tag(34680, FEI)],
    "FEI by its field": [tag(34682, FEI_FIELD)],
    "FEI with commas": [tag(34682, FEI.replace("2.5", "2,5"))],
    "FEI by its field, the scan without values": [
        tag(34682, FEI_FIELD + "[Scan]\r\nPixelWidth=\r\nPixelHeight=\r\n")
    ],
    "FEI Titan": [string(34683, TITAN)],
    "FEI Titan as bytes": [tag(34683, TITAN.encode() + bytes(2))],
    "FEI Phenom": [string(34683, PHENOM)],
    "FEI Helios": [string(34683, ITEMS)],
    "Zeiss": [string(34118, ZEISS)],
    "Zeiss with a comma": [string(34118, ZEISS.replace("2.500", "2,500"))],
    "Zeiss of older software": [string(34118, ZEISS_OLD)],
    "TESCAN": [tag(50431, TESCAN)],
    "DigitalMicrograph": DM,
    "DigitalMicrograph in um": [string(65003, "\u00b5m".encode("latin-1").decode("latin-1").replace("\u00b5", "u")),
                                string(65004, "um"), floats(65009, 0.0025), floats(65010, 0.0025)],
}  # fmt: skip


@pytest.mark.parametrize("tags", SETS.values(), ids=SETS)
def test_tags_of_makers(tmp_path: Path, tags: list) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, metadata=None, extratags=tags)
    assert read_image(path).pixel_size_nm == pytest.approx(2.5)
    assert read_header(path, path.stat().st_size).pixel_size_nm == pytest.approx(2.5)


def test_the_series_that_is_opened_decides(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        picture, other = np.repeat(GREY[..., None], 3, 2), tag(34680, FEI.replace("2.5", "7.5"))
        tif.write(picture, photometric="rgb", metadata=None, extratags=[other])
        tif.write(GREY.astype("u2"), photometric="minisblack", metadata=None, extratags=[tag(34680, FEI)])
    assert read_image(path).pixel_size_nm == pytest.approx(2.5)
    assert read_image(path, 1).pixel_size_nm == pytest.approx(7.5)


def sis(metres: float) -> bytes:
    """The structure that Olympus writes: a header, one entry, and general data behind it."""
    return struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 1, 2, 3, 4, 120, b"name", 1)


@pytest.mark.parametrize("page", [0, 1])
def test_the_tag_of_olympus_on_any_page(tmp_path: Path, page: int) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        for number in range(2):
            extra = [tag(33560, sis(2.5e-9) + bytes(200))] if number == page else []
            tif.write(GREY + number, photometric="minisblack", metadata=None, extratags=extra, contiguous=False)
    with tifffile.TiffFile(path) as tif:  # where the general data lie can be told only now
        value = tif.pages[page].tags[33560]
        at = value.valueoffset
    content = bytearray(path.read_bytes())
    content[at + 60 : at + 68] = struct.pack("<hhI", 1, 1, at + 80)
    content[at + 80 : at + 108] = struct.pack("<10xhdd", 0, 2.5e-9, 2.5e-9)
    path.write_bytes(content)
    assert read_image(path).pixel_size_nm == pytest.approx(2.5)


def test_jeol_by_magnification(tmp_path: Path) -> None:
    xml = (
        "<TemReporter><Eos><EosMode>eosTEM</EosMode></Eos><ImageFormingSystem><ModeString>MAG</ModeString>"
        "<SelectorValue>10000</SelectorValue></ImageFormingSystem></TemReporter>"
    )
    # 400 pixels per centimetre of the camera are 25 um, at this magnification 2.5 nm
    tifffile.imwrite(
        tmp_path / "a.tif", GREY, metadata=None, description=xml, resolution=(400, 400),
        resolutionunit="centimeter", extratags=[string(271, "JEOL Ltd.")],
    )  # fmt: skip
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "[SemImageFile]\r\nInstructName=SU8000\r\nPixelSize=2.5\r\n"),
        ("a.txt", "[SemImageFile]\r\nPixelSize=2.5\r\n".encode("utf-16")),
        ("a.txt", "$CM_MAG 20000\n$$SM_MICRON_BAR 40\n$$SM_MICRON_MARKER 100nm\n"),
        ("a-tif.hdr", "[MAIN]\nPixelSizeX=2.5e-09\nPixelSizeY=2.5e-09\n"),
        ("a.txt", "[SemImageFile]\r\nPixelSize=2,5\r\n"),
    ],
    ids=["Hitachi", "Hitachi in UTF-16", "JEOL", "TESCAN", "decimal comma"],
)
def test_texts_beside_the_image(tmp_path: Path, name: str, text: str | bytes) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(2.5)


@pytest.mark.parametrize("text", ["$SM_MICRON_BAR 1.2.3\n$SM_MICRON_MARKER 5.nm", "[MAIN]\nPixelSize=1,2,3e-09"])
def test_damaged_texts_say_nothing(tmp_path: Path, text: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    (tmp_path / "a.txt").write_text(text)
    assert read_image(tmp_path / "a.tif").pixel_size_nm is None


@pytest.mark.parametrize("content", [b"", b"\xff" * 300, b"[Scan]\nPixelWidth=much", b"PixelSizeX=1e999"])
@pytest.mark.parametrize("code", [34118, 33560, 33471, 37706, 50431, 34680, 34683])
def test_damaged_tags_say_nothing(tmp_path: Path, code: int, content: bytes) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None, extratags=[tag(code, content)] if content else [])
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.plane(0), GREY)
    assert image.pixel_size_nm is None


def test_pixels_that_are_not_square_are_said_so(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, imagej=True, resolution=(1, 0.5), metadata={"unit": "nm"})
    image = read_image(tmp_path / "a.tif")
    assert image.pixel_size_nm is None
    assert "2 nm high and 1 nm wide" in image.notes[0]
