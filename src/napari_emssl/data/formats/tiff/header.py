"""What a TIFF holds, by its header alone."""

from pathlib import Path

from ..contents import ImageHeader
from .pages import check_whole, open_tiff, raise_on_lost_pages
from .reader import data_offset, is_plain, pixel_of
from .stacks import contents_of


def read_tiff_header(path: Path) -> ImageHeader | None:
    """Return the header of the image of a grey TIFF that its reader takes; None where only the reader can tell."""
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
