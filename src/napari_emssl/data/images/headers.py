"""What an image file holds, by its header: planes, size, type and where the pixels lie; no pixel is read."""

from pathlib import Path

import numpy as np

from ...errors import UserError
from ..formats.contents import ImageHeader
from .opening import read_image
from .readers import header_reader_of


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
        quick = header_reader_of(path.suffix.lower())
        found = quick(path) if quick else _any_header(path)
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


def _any_header(path: Path, wanted: str | None = None) -> ImageHeader:
    """Header of any file, from its reader, which does not read the pixels of stacks and of large images."""
    image = read_image(path, wanted)
    height, width = image.plane_shape
    return ImageHeader(len(image), height, width, image.dtype.str, -1, image.pixel_size_nm, image.of)
