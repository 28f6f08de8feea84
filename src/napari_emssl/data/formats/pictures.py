"""PNG, JPEG and BMP."""

import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .claims import check_claim, check_memory
from .contents import ImageHeader, RawImage, Select, single
from .sidecar import pixel_beside

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PILLOW_FORMATS = ("PNG", "JPEG", "BMP")
"""The only ones that Pillow may take a file for: it would start Ghostscript for a PostScript file of another name."""
_PNG = b"\x89PNG\r\n\x1a\n"
_DEEP = 16
_MOST_VALUES = 4
"""Bytes of a pixel, at most."""
_MODES = {"L": "|u1", "P": "|u1", "RGB": "|u1", "RGBA": "|u1", "LA": "|u1", "I;16": "<u2", "F": "<f4"}
"""Type of the values of a picture, by Pillow's mode; other modes are left to the reader."""


def read_picture(path: Path, select: Select) -> list[RawImage]:
    """Open a picture; one with a coloured palette gives its indices, as a label mask needs them."""
    select([""], 0)
    values, colour = _deep_colours(path) if _is_deep_colour(path) else _by_pillow(path)
    return single(RawImage(values, pixel_beside(path), colour), select)


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


def _by_pillow(path: Path) -> tuple[NDArray[np.generic], bool]:
    """Values, and whether they are colours."""
    _check_chunks(path)
    with open_picture(path) as picture:
        if picture.mode == "P":
            return _palette_values(picture), False
        if picture.mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX", "RGBa"):
            return np.asarray(picture.convert("RGB")), True
        values = np.asarray(picture)
        # Pillow widens a PNG of 16 bits to int32
        if picture.mode == "I" and picture.format == "PNG":
            values = values.astype(np.uint16)
    return (values[..., 0], False) if picture.mode in ("LA", "La") else (values, values.ndim == 3)


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


def _palette_values(picture: "Picture") -> NDArray[np.uint8]:
    """Grey values of a grey palette, else the indices."""
    indices = np.asarray(picture, np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    stored = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(stored)] = stored
    used = palette[np.unique(indices)]
    return palette[indices, 0] if (used == used[:, :1]).all() else indices
