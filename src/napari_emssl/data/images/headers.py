"""What an image file holds, by its header: planes, size, type and where the pixels lie; no pixel is read."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import UserError
from ..formats.pictures import open_picture
from ..formats.sidecar import pixel_beside
from ..formats.tiff.pages import check_whole, open_tiff, raise_on_lost_pages
from ..formats.tiff.reader import data_offset, is_plain, pixel_of
from ..formats.tiff.stacks import contents_of
from .opening import read_image

_MODES = {"L": "|u1", "P": "|u1", "RGB": "|u1", "RGBA": "|u1", "LA": "|u1", "I;16": "<u2", "F": "<f4"}
"""Type of the values of a picture, by Pillow's mode; other modes are left to the reader."""


class ImageHeader(NamedTuple):
    """What an image file holds."""

    planes: int
    height: int
    width: int
    dtype: str
    """Type of the values as they are stored, in numpy's short form with byte order (``<u2``)."""
    offset: int
    """Where the first plane begins, when the planes lie in the file in one piece as plain values; else -1."""
    pixel_size_nm: float | None
    images: int = 1
    """How many images the file holds; the others are passed over."""


def read_header(path: Path, size: int, image: str | None = None) -> ImageHeader:
    """Return what a file holds.

    Parameters
    ----------
    path
        The file.
    size
        Its bytes.
    image
        Which of several images, a name or a number from 1 on; None: the one that is meant.

    Raises
    ------
    UserError
        If the file is no image that can be read, or ends before its last pixel.
    """
    if image is not None:
        return _any_header(path, image)
    try:
        found = _BY_SUFFIX.get(path.suffix.lower(), _any_header)(path)
    except UserError:
        raise
    except Exception:
        found = None  # whatever is odd about a header: the reader copes with it, or says what is wrong
    found = found or _any_header(path)
    if found.offset >= 0 and found.offset + _plane_bytes(found) * found.planes > size:
        raise UserError(f"{path} ends before its last pixel. Copy or save it again.")
    return found


def _plane_bytes(found: ImageHeader) -> int:
    return found.height * found.width * np.dtype(found.dtype).itemsize


def _tiff_header(path: Path) -> ImageHeader | None:
    """Header of the image of a grey TIFF that its reader takes; None where only the reader can tell."""
    with raise_on_lost_pages(), open_tiff(path) as tif:
        contents = contents_of(tif, path)
        stack = contents.stacks[contents.default]
        height, width = (int(n) for n in stack.shape[-2:])
        if stack.samples or not stack.letters.endswith("YX") or stack.keyframe.axes != "YX" or 1 in (height, width):
            return None
        plain = is_plain(tif, stack) and stack.dtype.kind in "uif"
        if stack.planes > 1 and not plain:
            return None
        check_whole(tif, stack)
        pixel = pixel_of(tif, path, contents, contents.default)
        dtype = stack.dtype.newbyteorder(tif.byteorder)
        offset = data_offset(tif, stack) if plain else -1
        edge, count = None if pixel is None else pixel.edge, len(contents.stacks)
        return ImageHeader(stack.planes, height, width, dtype.str, offset, edge, count)


def _picture_header(path: Path) -> ImageHeader | None:
    """Header of a PNG, JPEG or BMP; None for modes whose values only the reader knows."""
    with open_picture(path) as picture:
        dtype = _MODES.get(picture.mode)
        pixel = pixel_beside(path)
        edge = None if pixel is None else pixel.edge
        return ImageHeader(1, picture.height, picture.width, dtype, -1, edge) if dtype else None


def _any_header(path: Path, wanted: str | None = None) -> ImageHeader:
    """Header of any file, from its reader, which does not read the pixels of stacks and of large images."""
    image = read_image(path, wanted)
    height, width = image.plane_shape
    return ImageHeader(len(image), height, width, image.dtype.str, -1, image.pixel_size_nm, image.of)


_BY_SUFFIX: dict[str, Callable[[Path], ImageHeader | None]] = {
    **dict.fromkeys((".tif", ".tiff"), _tiff_header),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), _picture_header),
}
