"""Pixel sizes: what a file says about its scale, in nanometres, or None where it says nothing useful."""

import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, SupportsFloat

if TYPE_CHECKING:
    from tifffile import TiffFile

_NM = {
    "pm": 1e-3,
    "picometer": 1e-3,
    "picometre": 1e-3,
    "å": 0.1,
    "a": 0.1,
    "ang": 0.1,
    "angstrom": 0.1,
    "ångström": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "µm": 1e3,
    "um": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "millimetre": 1e6,
    "m": 1e9,
    "meter": 1e9,
    "metre": 1e9,
}
_PLAUSIBLE_NM = (1e-4, 1e5)
"""Outside of 0.1 pm to 0.1 mm a value is no pixel size of an electron microscope but a default or an error."""


def nm_per(unit: str | None) -> float | None:
    """Return how many nanometres one `unit` is; None for inch, cm, 1/nm, pixel and whatever is unknown.

    Inch and cm are left out on purpose: image programs write the printing resolution in them.
    """
    text = str(unit or "").strip().strip("\x00").lower()
    # ImageJ writes escapes, Greek mu stands for the micro sign, and UTF-8 that was read as Latin-1 has an Â before it
    for micro in ("\\u00b5", "\u03bc", "Â\u00b5".lower()):
        text = text.replace(micro, "\u00b5")
    text = text.replace("\\u00c5", "å").replace("\\u00e5", "å").replace("\u212b", "å")
    return _NM.get(text)


def square_pixel_nm(y: SupportsFloat | str | None, x: SupportsFloat | str | None, unit: str | None) -> float | None:
    """Return the edge of a square pixel in nm.

    Parameters
    ----------
    y, x
        Its height and width, numbers or texts that are numbers.
    unit
        Their unit, see `nm_per`.

    Returns
    -------
    float or None
        None where the unit is unknown, a value is missing or no plausible size (0.1 pm to 0.1 mm), or height and width
        differ by more than 1 %: a stretched pixel has no single size, and a wrong one would be worse than none.
    """
    factor = nm_per(unit)
    if y is None or x is None:
        return None
    try:
        height, width = float(y), float(x)
    except (TypeError, ValueError):
        return None
    if factor is None or not abs(height - width) <= 0.01 * max(abs(height), abs(width)):
        return None
    size = factor * (height + width) / 2
    return size if _PLAUSIBLE_NM[0] <= size <= _PLAUSIBLE_NM[1] else None


def tiff_pixel_size(tif: "TiffFile") -> float | None:
    """Return the pixel size of an open `tifffile.TiffFile` in nm.

    Read from ImageJ, OME, FEI/Thermo Fisher, Zeiss and Olympus SIS metadata. Plain resolution tags (inch, cm)
    are printing resolution and are ignored.
    """
    if tif.is_imagej:
        return _imagej(tif)
    if tif.is_ome:
        return _ome(tif.ome_metadata)
    if tif.is_fei:
        scan = (tif.fei_metadata or {}).get("Scan", {})
        return square_pixel_nm(scan.get("PixelHeight"), scan.get("PixelWidth"), "m")
    if tif.is_sem:
        _, value, unit = (*(tif.sem_metadata or {}).get("ap_image_pixel_size", ()), None, None, None)[:3]
        return square_pixel_nm(value, value, unit)
    if tif.is_sis:
        sis = tif.sis_metadata or {}
        return square_pixel_nm(sis.get("pixelsizey"), sis.get("pixelsizex"), "m")
    return None


def _imagej(tif: "TiffFile") -> float | None:
    """Pixel size of an ImageJ TIFF: resolution tags count pixels per ImageJ's own unit."""
    tags = tif.pages[0].tags
    rationals = [tags[name].value for name in ("YResolution", "XResolution") if name in tags]
    if len(rationals) < 2 or any(numerator == 0 for numerator, _ in rationals):
        return None
    y, x = (denominator / numerator for numerator, denominator in rationals)
    return square_pixel_nm(y, x, (tif.imagej_metadata or {}).get("unit"))


def _ome(xml: str | None) -> float | None:
    """Pixel size of the first image of an OME-XML text; its default unit is the micrometre."""
    try:
        root = ElementTree.fromstring((xml or "").strip())
    except ElementTree.ParseError:
        return None
    pixels = next((node for node in root.iter() if node.tag.endswith("Pixels")), None)
    if pixels is None:
        return None
    return square_pixel_nm(
        pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit", "µm")
    )
