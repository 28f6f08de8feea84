"""The images of a TIFF, contiguous stacks memory-mapped and others page by page; and what its header says of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ....errors import UserError
from ..axes import PlaneAxis
from ..claims import check_memory
from ..contents import ImageHeader, RawImage, Select, numbered, palette_note
from ..rosettasciio import pixel_of_tiff
from ..units import PixelNm
from .calibration import tiff_pixel
from .pages import TiffPages, check_whole, open_tiff, raise_on_lost_pages
from .plain import plain_header
from .stacks import Stack, TiffContents, contents_of

if TYPE_CHECKING:
    from tifffile import TiffFile

_EAGER_BYTES = 64 << 20
"""A single page below this size is read at once: a memory map would only cost a file handle."""
_UNCOMPRESSED = 1
_PALETTE = 3
_YCBCR = 6
_OTHER_COLOURS = {5: "inks (CMYK)", _YCBCR: "YCbCr", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB"}
_OPACITY = {1, 2}
"""Kinds of further values that say how opaque a pixel is."""
_FIRST_PRIVATE_TAG = 32768
_COMMON_TAGS = frozenset((33432, 34665, 34675, 34853, 42112, 42113, 50838, 50839))
"""Tags that every program writes: copyright, Exif, colour profile, GDAL, ImageJ."""


def read_tiff(path: Path, select: Select) -> list[RawImage]:
    """Open the images of a TIFF that are wanted."""
    with raise_on_lost_pages(), open_tiff(path) as tif:
        contents = contents_of(tif, path)
        names = numbered([stack.name for stack in contents.stacks])
        chosen = select(names, contents.default)
        return [_open(tif, path, contents, number)._replace(name=names[number]) for number in chosen]


def read_tiff_header(path: Path) -> ImageHeader | None:
    """Return the header of the image of a grey TIFF that its reader takes; None where only the reader can tell."""
    return plain_header(path) or opened_header(path)


def opened_header(path: Path) -> ImageHeader | None:
    """Do the same by opening the file, which any TIFF can be."""
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


def pixel_of(tif: "TiffFile", path: Path, contents: TiffContents, number: int) -> PixelNm | None:
    """Return the pixel size of one image of a TIFF.

    Parameters
    ----------
    tif, path
        The open file.
    contents
        Its images.
    number
        Which of them.
    """
    stack, ome = contents.stacks[number], contents.ome
    if ome.images:
        own = number if len(ome.images) == len(contents.stacks) else 0
        return ome.images[own].pixel or tiff_pixel(tif, stack.keyframe, path)
    found = tiff_pixel(tif, stack.keyframe, path)
    if found is None and any(tag.code >= _FIRST_PRIVATE_TAG and tag.code not in _COMMON_TAGS
                             for tag in stack.keyframe.tags):  # fmt: skip
        return pixel_of_tiff(path, stack.plane_shape)
    return found


def _open(tif: "TiffFile", path: Path, contents: TiffContents, number: int) -> RawImage:
    stack = contents.stacks[number]
    samples = _check_samples(stack, path)
    check_whole(tif, stack)
    raw = RawImage(np.empty(0), pixel_of(tif, path, contents, number), colour=samples > 2)
    notes = (contents.note, stack.note, _second_value(stack), _palette(tif, stack, path))
    raw = raw._replace(notes=tuple(filter(None, notes)))
    if is_mappable(tif, stack):
        return _laid_out(raw, _mapped(tif, path, stack), stack, samples)
    if _has_page_planes(tif, stack):
        pages = TiffPages(path, stack)
        if stack.planes > 1 or stack.dtype.itemsize * np.prod(stack.shape) > _EAGER_BYTES:
            return raw._replace(array=pages, leading=stack.leading, axes=stack.axes)
        return _laid_out(raw, pages[0], stack, 0)
    check_memory(path, int(np.prod(stack.shape, dtype=int)) * stack.dtype.itemsize)
    return _laid_out(raw, _decode_whole(tif, stack, path), stack, samples)


def _laid_out(raw: RawImage, array: NDArray[np.generic], stack: Stack, samples: int) -> RawImage:
    """Values of a stack with colours last; of two values per pixel the first is kept."""
    if samples:
        array = np.moveaxis(array, stack.letters.index("S"), -1)
    array = array[..., 0] if 0 < samples < 3 else array
    before = array.ndim - (3 if raw.colour else 2)
    axes = stack.axes if len(stack.axes) == before else (PlaneAxis(),) * before
    return raw._replace(array=array, axes=axes)


def _check_samples(stack: Stack, path: Path) -> int:
    """Values per pixel, 0 for grey; raises `UserError` for more than 4, and for colours that are not red, green, blue.

    Those of JPEG are made red, green and blue when they are decoded.
    """
    page = stack.keyframe
    if page.photometric in _OTHER_COLOURS and (page.photometric != _YCBCR or page.compression == _UNCOMPRESSED):
        raise UserError(
            f"{path} holds colours as {_OTHER_COLOURS[page.photometric]}. Save it as a grey image, then try again."
        )
    if stack.samples > 4:
        raise UserError(
            f"{path} holds {stack.samples} values per pixel (a spectrum image?). "
            "Save the channel you want as a grey image, then try again."
        )
    return stack.samples


def _second_value(stack: Stack) -> str:
    """A sentence where the second of two values per pixel is left out and is not said to be opacity."""
    if stack.samples != 2 or set(stack.keyframe.extrasamples) & _OPACITY:
        return ""
    return "It holds two values per pixel, of which the first is read. Save the other one as an image of its own."


def _palette(tif: "TiffFile", stack: Stack, path: Path) -> str:
    """A sentence where values are numbers of colours; ImageJ shows grey values in colours, which changes nothing."""
    colours = stack.keyframe.colormap
    if stack.keyframe.photometric != _PALETTE or tif.is_imagej or colours is None:
        return ""
    return palette_note(path) if np.ptp(colours, axis=0).any() else ""


def is_mappable(tif: "TiffFile", stack: Stack) -> bool:
    """Whether the values of a stack lie in one piece and are worth a memory map."""
    if stack.series is None or not is_plain(tif, stack):
        return False
    return bool(stack.leading) or stack.dtype.itemsize * int(np.prod(stack.shape)) > _EAGER_BYTES


def is_plain(tif: "TiffFile", stack: Stack) -> bool:
    """Whether the values of a stack lie in one piece as they are."""
    if stack.series is None:
        page = stack.keyframe
        return len(stack.pages) == 1 and page.is_memmappable and page.is_contiguous
    return tif.series[stack.series].dataoffset is not None and stack.keyframe.is_memmappable


def data_offset(tif: "TiffFile", stack: Stack) -> int:
    """Return where the values of a plain stack begin in its file."""
    return int(stack.keyframe.dataoffsets[0] if stack.series is None else tif.series[stack.series].dataoffset)


def _mapped(tif: "TiffFile", path: Path, stack: Stack) -> NDArray[np.generic]:
    # mapped here rather than by tifffile, in the byte order of the file: no page is read, however large it is
    dtype = stack.dtype.newbyteorder(tif.byteorder)
    return np.memmap(path, dtype=dtype, mode="r", offset=data_offset(tif, stack), shape=stack.shape)


def _has_page_planes(tif: "TiffFile", stack: Stack) -> bool:
    """Whether the planes of a stack are its pages, one by one."""
    if stack.keyframe.axes not in ("YX", "YXS", "SYX") or not stack.letters.endswith(stack.keyframe.axes):
        return False
    if stack.series is None:
        return True
    return 1 < len(tif.series[stack.series]) == int(np.prod(stack.leading)) and 1 not in stack.plane_shape


def _decode_whole(tif: "TiffFile", stack: Stack, path: Path) -> NDArray[np.generic]:
    """All of a stack at once; without imagecodecs, Pillow decodes what a single page is compressed with."""
    try:
        return np.asarray(stack.keyframe.asarray() if stack.series is None else tif.series[stack.series].asarray())
    except ValueError as error:
        if "imagecodecs" not in str(error) or stack.planes != 1:
            raise
        from PIL import Image as Pillow

        with Pillow.open(path, formats=("TIFF",)) as picture:
            return np.asarray(picture)
