"""PNG, JPEG and BMP."""

import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .claims import check_claim, check_memory
from .contents import LUMINANCE, ImageHeader, RawImage, Select, palette_note, single
from .sidecar import pixel_beside

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PILLOW_FORMATS = ("PNG", "JPEG", "BMP")
"""The only ones that Pillow may take a file for: it would start Ghostscript for a PostScript file of another name."""
_PNG = b"\x89PNG\r\n\x1a\n"
_DEEP = 16
_MOST_VALUES = 4
"""Bytes of a pixel, at most."""
_MOST_CLASSES, _MOSTLY = 16, 0.5
"""A picture that uses more entries of its palette is no mask of classes; share of greys from which on it is grey."""
_MODES = {"L": "|u1", "P": "|u1", "RGB": "|u1", "RGBA": "|u1", "LA": "|u1", "I;16": "<u2", "F": "<f4"}
"""Type of the values of a picture, by Pillow's mode; other modes are left to the reader."""


def read_picture(path: Path, select: Select) -> list[RawImage]:
    """Open a picture; one with a coloured palette gives its indices, as a label mask needs them, and says so."""
    select([""], 0)
    values, colour, note = (*_deep_colours(path), "") if _is_deep_colour(path) else _by_pillow(path)
    return single(RawImage(values, pixel_beside(path), colour, notes=(note,) if note else ()), select)


def read_picture_header(path: Path) -> ImageHeader | None:
    """Return the header of a PNG, JPEG or BMP; None for modes whose values only the reader knows."""
    with open_picture(path) as picture:
        dtype = _MODES.get(picture.mode)
        pixel = pixel_beside(path)
        edge = None if pixel is None else pixel.edge
        return ImageHeader(1, picture.height, picture.width, dtype, -1, edge) if dtype else None


def open_picture(path: Path) -> "Picture":
    """Open a picture, whose pixels are not read yet; of one that cannot hold what it claims raises `ValueError`."""
    from PIL import Image as Pillow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # micrographs are large
        largest, Pillow.MAX_IMAGE_PIXELS = Pillow.MAX_IMAGE_PIXELS, None  # `check_claim` knows better what is a bomb
        try:
            picture = Pillow.open(path, formats=PILLOW_FORMATS)
        finally:
            Pillow.MAX_IMAGE_PIXELS = largest
    claimed = picture.width * picture.height * _MOST_VALUES
    try:
        check_claim(claimed, path.stat().st_size)
        check_memory(path, claimed)
    except BaseException:
        picture.close()
        raise
    return picture


def _by_pillow(path: Path) -> tuple[NDArray[np.generic], bool, str]:
    """Values, whether they are colours, and a sentence where they may not be what is expected."""
    _check_chunks(path)
    with open_picture(path) as picture:
        if picture.mode == "P":
            indices = np.asarray(picture, np.uint8)
            palette = np.zeros((256, 3), np.uint8)
            stored = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
            palette[: len(stored)] = stored
            values, note = palette_values(indices, palette, len(stored), path)
            return values, False, note
        if picture.mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX", "RGBa"):
            return np.asarray(picture.convert("RGB")), True, ""
        values = np.asarray(picture)
        # Pillow widens a PNG of 16 bits to int32
        if picture.mode == "I" and picture.format == "PNG":
            values = values.astype(np.uint16)
    return (values[..., 0], False, "") if picture.mode in ("LA", "La") else (values, values.ndim == 3, "")


def _check_chunks(path: Path) -> None:
    """Raise `ValueError` where the checksum of a PNG's values is another; Pillow shows whatever comes out of them."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_PNG)) != _PNG:
            return
        while len(head := file.read(8)) == 8:
            kind, length = head[4:], int.from_bytes(head[:4], "big") + 4
            content = file.read(min(length, size))
            critical = kind[:1].isupper()  # others say what hardly anybody reads
            if critical and zlib.crc32(kind + content[:-4]) != int.from_bytes(content[-4:], "big"):
                raise ValueError("a checksum in it is not the one of its making")


def _is_deep_colour(path: Path) -> bool:
    """Whether a file is a PNG with colours, or opacity, of 16 bits, of which Pillow would keep 8."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[:8] == _PNG and len(head) == 26 and head[24] == _DEEP and head[25] in (2, 4, 6)


def _deep_colours(path: Path) -> tuple[NDArray[np.generic], bool]:
    """All 16 bits of a PNG."""
    import imagecodecs

    with open_picture(path):
        pass
    values = np.asarray(imagecodecs.png_decode(path.read_bytes()))
    return (values[..., 0], False) if values.shape[-1] == 2 else (values, True)


def palette_values(
    indices: NDArray[np.uint8], palette: NDArray[np.uint8], entries: int, path: Path
) -> tuple[NDArray[np.uint8], str]:
    """Return the values that a picture with a palette stands for, and a sentence where that is a guess.

    A palette of greys is applied. So is one of greys and a few colours, as of a micrograph with a coloured scale bar,
    where the picture uses many of its entries. All others are of label masks, which give their indices; few entries do
    so even where all that are used are grey, since other masks of the same palette may use its colours.

    Parameters
    ----------
    indices
        Numbers of the palette's entries, ``(h, w)``.
    palette
        Red, green and blue, ``(256, 3)``.
    entries
        How many of them the file has.
    path
        Of the file, for the sentence.
    """
    used = np.unique(indices)
    greys = np.ptp(palette, axis=1) == 0
    if greys[:entries].all() or (len(used) > _MOST_CLASSES and greys[used].all()):
        return palette[indices, 0], ""
    if len(used) <= _MOST_CLASSES:
        return indices, ""
    if greys[used].mean() >= _MOSTLY:
        luminance = np.rint(palette.astype(np.float64) @ np.array(LUMINANCE)).astype(np.uint8)
        return luminance[indices], f"The palette of {path} has greys and some colours, which became grey."
    return indices, palette_note(path)
