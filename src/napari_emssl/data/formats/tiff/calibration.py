"""Pixel sizes in TIFF files: what ImageJ and the programs of microscope makers write, in the file and beside it."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..axes import PlaneAxis, plane_axis
from ..sidecar import pixel_beside, pixel_size_lines
from ..units import PixelNm, number_in, pixel_nm

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_FEI, _ZEISS, _SIS, _TVIPS, _TESCAN, _TITAN = (34680, 34682), 34118, (33471, 33560), 37706, 50431, 34683
_DM_UNITS, _DM_SCALES = (65003, 65004), (65009, 65010)
"""Units and scales of the first two axes in a TIFF saved by DigitalMicrograph."""
_MAKE = 271
_OF_MAKERS = frozenset((*_FEI, _ZEISS, *_SIS, _TVIPS, _TESCAN, _TITAN, *_DM_UNITS, *_DM_SCALES, _MAKE))
"""Without any of these tags no rule of a maker finds anything."""
_CM_IN_INCH = 2.54
Found = Mapping[str, object]


def tiff_pixel(tif: "TiffFile", page: "TiffPage", path: Path) -> PixelNm | None:
    """Return the size of a pixel of one page, and of the stack it begins.

    Plain resolution tags (inch, cm) are printing resolution and are ignored.

    Parameters
    ----------
    tif
        The open file.
    page
        The page that is opened; what a maker wrote on another page counts where that has the same size.
    path
        Of the file: some makers write a text of the same name beside it.
    """
    if tif.is_imagej and (found := _imagej(tif, page)):
        return found
    return _of_makers(page) or _of_other_pages(tif, page) or pixel_beside(path)


def _of_makers(page: "TiffPage") -> PixelNm | None:
    if _OF_MAKERS.isdisjoint(page.tags.keys()):
        return None
    found = (_quietly(rule, page) for rule in (_fei, _titan, _zeiss, _sis, _tvips, _tescan, _jeol, _digital_micrograph))
    return next(filter(None, found), None)


def _quietly(rule: "Callable[[TiffPage], PixelNm | None]", page: "TiffPage") -> PixelNm | None:
    """What a rule finds; a tag that is damaged says nothing, and is no reason to refuse the image."""
    try:
        return rule(page)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError, ElementTree.ParseError):
        return None


def _of_other_pages(tif: "TiffFile", page: "TiffPage") -> PixelNm | None:
    """What stands on another page of the same size: JEOL and Olympus write their tag on the second one."""
    for number in range(min(len(tif.pages), 16)):
        other = tif.pages[number]
        if other is page:
            continue
        size = getattr(other, "imagelength", None), getattr(other, "imagewidth", None)
        if hasattr(other, "tags") and size == (page.imagelength, page.imagewidth) and (found := _of_makers(other)):
            return found
    return None


def _value(page: "TiffPage", *codes: int) -> object:
    """Value of the first of several tags that is there; None where none is."""
    return next((page.tags[code].value for code in codes if code in page.tags), None)


def _dict(page: "TiffPage", *codes: int) -> Found:
    value = _value(page, *codes)
    return cast(Found, value) if isinstance(value, dict) else {}


def _imagej(tif: "TiffFile", page: "TiffPage") -> PixelNm | None:
    """Resolution tags count pixels per ImageJ's own unit."""
    metadata = tif.imagej_metadata or {}
    rationals = [page.tags[name].value for name in ("YResolution", "XResolution") if name in page.tags]
    if len(rationals) < 2 or any(0 in (numerator, denominator) for numerator, denominator in rationals):
        return None
    y, x = (denominator / numerator for numerator, denominator in rationals)
    unit = metadata.get("unit")
    return pixel_nm(y, x, unit if metadata.get("yunit") is None else metadata["yunit"], metadata.get("xunit", unit))


def imagej_axis(letter: str, metadata: Mapping[str, object]) -> PlaneAxis:
    """Return an axis of an ImageJ stack: ``spacing`` is the distance of slices, ``finterval`` that of frames in s."""
    key, unit = {"Z": ("spacing", metadata.get("zunit", metadata.get("unit"))), "T": ("finterval", "s")}.get(
        letter, ("", None)
    )
    step = metadata.get(key)
    number = float(step) if isinstance(step, int | float) else None
    if letter == "T":
        unit = metadata.get("tunit", "s")
    return plane_axis(letter, number, None if unit is None else str(unit))


def _fei(page: "TiffPage") -> PixelNm | None:
    """FEI and Thermo Fisher: metres, from the scan or from the width of the field."""
    metadata = cast(Mapping[str, Found], _dict(page, *_FEI))
    scan = metadata.get("Scan") or metadata.get("EScan") or {}
    if found := pixel_nm(_number(scan.get("PixelHeight")), _number(scan.get("PixelWidth")), "m"):
        return found
    beams = (metadata.get(name, {}) for name in ("EBeam", "IBeam", "IRBeam", "Beam"))
    beam = next((found for found in beams if "HFW" in found), {})
    image = metadata.get("Image", {})
    across, down = _number(beam.get("HFW")), _number(beam.get("VFW"))
    columns, rows = _number(image.get("ResolutionX")), _number(image.get("ResolutionY"))
    if across and columns:
        x = across / columns
        return pixel_nm(down / rows if down and rows else x, x, "m")
    return None


def _titan(page: "TiffPage") -> PixelNm | None:
    """The XML that FEI's cameras and desktop microscopes write.

    ``<PixelSize><X unit="m">``, ``<pixelWidth unit="nm">``, or items that name themselves ``PixelSize``, in metres.
    """
    value = _value(page, _TITAN)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    if not text:
        return None
    root = ElementTree.fromstring(text.strip("\x00 \r\n\t"))
    for node in root.iter():
        named = {_tag(child): child for child in node}
        for height, width in (("Y", "X"), ("pixelHeight", "pixelWidth")):
            if {height, width} <= named.keys() and (width == "pixelWidth" or _tag(node) == "PixelSize"):
                y, x = named[height], named[width]
                return pixel_nm(y.text, x.text, y.get("unit"), x.get("unit"))
    return next(filter(None, (_of_item(node) for node in root.iter() if _item_name(node) == "PixelSize")), None)


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _item_name(node: ElementTree.Element) -> str:
    return next(((child.text or "").strip() for child in node if _tag(child) == "Name"), "")


def _of_item(node: ElementTree.Element) -> PixelNm | None:
    """Width and height in metres, items within an item."""
    values = {
        _item_name(inner): child.text
        for inner in node.iter()
        for child in inner
        if _tag(child) == "anyType" and any((unit.text or "").strip().endswith("UnitMeter") for unit in inner)
    }
    return pixel_nm(values.get("Height"), values.get("Width"), "m")


def _zeiss(page: "TiffPage") -> PixelNm | None:
    """Zeiss: a named value with its unit; files of older software have that of their screen only, 1024 pixels wide.

    It is the fourth of the nameless values, in metres, or has a name of its own.
    """
    metadata = cast(Mapping[str, tuple[object, ...]], _dict(page, _ZEISS))
    nameless = metadata.get("", ())
    named = [(*metadata.get(key, ()), None, None, None)[1:3] for key in ("ap_image_pixel_size", "ap_pixel_size")]
    stretched = 1024 / page.imagewidth
    candidates = [
        (*named[0], 1.0),
        (nameless[3] if len(nameless) > 3 else None, "m", stretched),
        (*named[1], stretched),
    ]
    for value, unit, factor in candidates:
        number = _number(value)
        edge = None if number is None else number * factor
        # tifffile does not part a number with a comma from its unit
        word = str(value).strip().rpartition(" ")[2] if unit is None else str(unit)
        if found := pixel_nm(edge, edge, word):
            return found
    return None


def _sis(page: "TiffPage") -> PixelNm | None:
    """Olympus and JEOL cameras: metres."""
    for code in _SIS:
        metadata = _dict(page, code)
        if found := pixel_nm(_number(metadata.get("pixelsizey")), _number(metadata.get("pixelsizex")), "m"):
            return found
    return None


def _tvips(page: "TiffPage") -> PixelNm | None:
    metadata = _dict(page, _TVIPS)
    return pixel_nm(_number(metadata.get("PixelSizeY")), _number(metadata.get("PixelSizeX")), "nm")


def _tescan(page: "TiffPage") -> PixelNm | None:
    """TESCAN: text of the form ``PixelSizeX=1.2e-09``, metres, somewhere in a binary tag."""
    value = _value(page, _TESCAN)
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return pixel_size_lines(text, "m")


def _jeol(page: "TiffPage") -> PixelNm | None:
    """JEOL's TEM software: the resolution is that on the camera, and the magnification stands in an XML text."""
    if str(_value(page, _MAKE) or "").strip("\x00 ") != "JEOL Ltd.":
        return None
    lines = "".join(line.strip(" \r\n\t\x01\x00") for line in page.description.split("\n"))
    named = {node.tag.rpartition("}")[2]: (node.text or "").strip() for node in ElementTree.fromstring(lines).iter()}
    if named.get("EosMode") != "eosTEM" or named.get("ModeString") != "MAG":
        return None
    centimetres = {2: _CM_IN_INCH, 3: 1.0}[int(cast(int, _value(page, 296)))]
    y, x = (centimetres * down / up for up, down in (cast(tuple[int, int], _value(page, code)) for code in (283, 282)))
    magnification = float(named["SelectorValue"])
    return pixel_nm(y / 100 / magnification, x / 100 / magnification, "m")


def _digital_micrograph(page: "TiffPage") -> PixelNm | None:
    units = [str(_value(page, code) or "") for code in _DM_UNITS]
    scales = [_number(_value(page, code)) for code in _DM_SCALES]
    return pixel_nm(scales[1], scales[0], units[1] or units[0], units[0])


def _number(value: object) -> float | None:
    """A number, or the first of several, or a text that begins with one; None for anything else."""
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    return float(value) if isinstance(value, int | float) else number_in(value)
