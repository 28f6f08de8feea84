"""One reader per file format: path in, array and pixel size out; what is large is mapped or read plane by plane."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..arrays import DuckArray
from ..formats.hdf5 import SUFFIXES as HDF5_SUFFIXES
from ..formats.hdf5 import H5Planes, find_dataset
from ..formats.ome_zarr import finest_pixel_size_nm
from ..formats.tiff.pages import TiffPages, raise_on_lost_pages
from ..formats.units import square_pixel_nm, tiff_pixel_size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from tifffile import TiffPageSeries

_EAGER_BYTES = 64 << 20
"""A single TIFF page below this size is read at once: a memory map would only cost a file handle."""


class RawImage(NamedTuple):
    """What a file holds: ``(..., h, w)``, or ``(..., h, w, 3 | 4)`` where `colour`.

    With `leading` given, `array` is ``(n, h, w[, samples])`` with n the product of `leading`.
    """

    array: DuckArray
    pixel_size_nm: float | None = None
    colour: bool = False
    leading: tuple[int, ...] | None = None


def _read_tiff(path: Path) -> RawImage:
    """Largest series of a TIFF: contiguous stacks memory-mapped, compressed stacks page by page."""
    import tifffile

    with raise_on_lost_pages(), tifffile.TiffFile(path) as tif:
        # a file may hold a preview or a thumbnail as a series of its own: the largest one is the image
        index = int(np.argmax([series.size for series in tif.series]))
        series, size = tif.series[index], tiff_pixel_size(tif)
        samples = _samples(series, path)
        if _is_mappable(series):
            # mapped here rather than by tifffile, in the byte order of the file: no page is read, however large it is
            dtype = np.dtype(series.dtype).newbyteorder(tif.byteorder)
            array: NDArray[np.generic] = np.memmap(
                path, dtype=dtype, mode="r", offset=series.dataoffset, shape=series.shape
            )
        elif leading := _page_axes(series):
            return RawImage(TiffPages(path, index, series), size, samples > 2, leading)
        else:
            array = _decode_whole(series, path)
    if samples:
        array = np.moveaxis(array, series.axes.index("S"), -1)
    return RawImage(array[..., 0] if 0 < samples < 3 else array, size, samples > 2)


def _samples(series: "TiffPageSeries", path: Path) -> int:
    """Values per pixel of a TIFF series, 0 for grey; raises `UserError` for more than 4."""
    samples = int(series.shape[series.axes.index("S")]) if "S" in series.axes else 0
    if samples > 4:
        raise UserError(
            f"{path} holds {samples} values per pixel (a spectrum image?). "
            "Save the channel you want as a grey image, then try again."
        )
    return samples


def _is_mappable(series: "TiffPageSeries") -> bool:
    """Whether the values of a TIFF series lie in one piece and are worth a memory map."""
    if series.dataoffset is None or not series.keyframe.is_memmappable:
        return False
    return len(series.shape) > len(series.keyframe.shape) or series.nbytes > _EAGER_BYTES


def _page_axes(series: "TiffPageSeries") -> tuple[int, ...]:
    """Axes of a TIFF series that count pages; empty where pages are not its planes one by one."""
    page = series.keyframe
    leading = tuple(int(n) for n in series.shape[: len(series.shape) - len(page.shape)])
    plain = page.axes in ("YX", "YXS") and series.axes.endswith(page.axes)
    return leading if plain and len(series.pages) > 1 and int(np.prod(leading)) == len(series.pages) else ()


def _decode_whole(series: "TiffPageSeries", path: Path) -> NDArray[np.generic]:
    """All of a series at once; without imagecodecs, Pillow decodes what a single page is compressed with."""
    try:
        return np.asarray(series.asarray())
    except ValueError as error:
        if "imagecodecs" not in str(error) or len(series.pages) != 1:
            raise
        from PIL import Image as Pillow

        with Pillow.open(path) as picture:
            return np.asarray(picture)


def _read_picture(path: Path) -> RawImage:
    """PNG, JPEG or BMP; a picture with a coloured palette gives its indices, as a label mask needs them."""
    from PIL import Image as Pillow

    with warnings.catch_warnings(), Pillow.open(path) as picture:
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # micrographs are large
        if picture.mode == "P":
            return RawImage(_palette_values(picture))
        if picture.mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX", "RGBa"):
            return RawImage(np.asarray(picture.convert("RGB")), colour=True)
        values = np.asarray(picture)
        # Pillow widens a PNG of 16 bits to int32
        if picture.mode == "I" and picture.format == "PNG":
            values = values.astype(np.uint16)
    return RawImage(values[..., 0]) if picture.mode in ("LA", "La") else RawImage(values, colour=values.ndim == 3)


def _palette_values(picture: "Picture") -> NDArray[np.uint8]:
    """Grey values of a grey palette, else the indices."""
    indices = np.asarray(picture, np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    stored = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(stored)] = stored
    used = palette[np.unique(indices)]
    return palette[indices, 0] if (used == used[:, :1]).all() else indices


def _read_npy(path: Path) -> RawImage:
    """NumPy array, memory-mapped; never unpickles. ``(..., h, w, 3 | 4)`` uint8 is colour."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "bject" not in str(error):
            raise
        raise ValueError("it is not a plain array of numbers, and Python objects are never loaded") from error
    return RawImage(array, colour=is_colour(array))


def is_colour(array: DuckArray) -> bool:
    """Whether a bare array counts as RGB or RGBA: uint8 with 3 or 4 values on the last of at least 3 axes."""
    return len(array.shape) >= 3 and array.shape[-1] in (3, 4) and array.dtype == np.uint8


def _read_mrc(path: Path) -> RawImage:
    """MRC, memory-mapped. A pixel size of 0 in the header means not calibrated."""
    import mrcfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # permissive reading warns of every header that is not to the letter
        with mrcfile.mmap(path, mode="r", permissive=True) as mrc:
            header, data, voxel = mrc.header, mrc.data, mrc.voxel_size
            if data is None:
                raise ValueError("its header does not describe the data that follow")
            # mapped again below, so that no open mrcfile has to outlive this function
            offset, dtype, shape = 1024 + int(header.nsymbt), data.dtype, data.shape
            size = square_pixel_nm(float(voxel.y), float(voxel.x), "angstrom")
    return RawImage(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape), size)


def _read_zarr(path: Path) -> RawImage:
    """Zarr folder: a bare array, level 0 of an OME-Zarr image, or a group with one array."""
    import zarr

    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return RawImage(node, colour=is_colour(node))
    attributes = dict(node.attrs)
    images = dict(attributes.get("ome") or attributes).get("multiscales")
    if images:
        level = images[0]["datasets"][0]["path"]
        array = node[level]
        # time, channel and z are often there with length 1
        leading = tuple(n for n in array.shape[:-2] if n > 1) if array.ndim > 3 else None
        return RawImage(array, finest_pixel_size_nm(images[0]), leading=leading)
    arrays = [array for _, array in node.arrays()]
    if len(arrays) != 1:
        raise UserError(
            f"{path} holds {len(arrays)} arrays and no OME-Zarr image. Give the folder of the array you want."
        )
    return RawImage(arrays[0], colour=is_colour(arrays[0]))


def _read_em(path: Path) -> RawImage:
    """First image or image stack of a microscope maker's file; raises `UserError` where it holds spectra only."""
    from importlib import import_module

    plugin = {".ser": "tia", ".emd": "emd"}.get(path.suffix.lower(), "digitalmicrograph")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signals = import_module(f"rsciio.{plugin}").file_reader(str(path), lazy=True)
    for signal in signals:
        axes = signal["axes"]
        if _is_image_stack(axes):
            y, x = axes[-2], axes[-1]
            return RawImage(signal["data"], square_pixel_nm(y.get("scale"), x.get("scale"), x.get("units")))
    shapes = ", ".join(str(tuple(map(int, signal["data"].shape))) for signal in signals) or "nothing"
    raise UserError(
        f"{path} holds no image but a spectrum or a data cube of shape {shapes}. Export the image you want from it."
    )


class _SignalAxis(TypedDict, total=False):
    """One axis of a rosettasciio signal."""

    navigate: bool
    scale: float
    units: str | None


def _is_image_stack(axes: "list[_SignalAxis]") -> bool:
    """Whether rosettasciio's axes are those of an image or of a series of images."""
    signal = [axis for axis in axes if not axis.get("navigate")]
    energies = any("ev" in str(axis.get("units") or "").lower() for axis in axes)
    return len(signal) == 2 and len(axes) <= 3 and axes[-2:] == signal and not energies


def _read_hdf5(path: Path) -> RawImage:
    """Images, labels or maps of an HDF5 file."""
    return RawImage(H5Planes(path, find_dataset(path)))


Reader = Callable[[Path], RawImage]

READERS: dict[str, Reader] = {
    **dict.fromkeys((".tif", ".tiff"), _read_tiff),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), _read_picture),
    ".npy": _read_npy,
    **dict.fromkeys((".mrc", ".mrcs", ".map"), _read_mrc),
    ".zarr": _read_zarr,
    **dict.fromkeys(HDF5_SUFFIXES, _read_hdf5),
    **dict.fromkeys((".dm3", ".dm4", ".emd", ".ser"), _read_em),
}
"""Reader by file suffix, lower case."""

HINTS = {
    "rsciio": 'pip install "napari-emssl[em]"',
    "mrcfile": "pip install mrcfile",
    "zarr": 'pip install "zarr>=3"',
    "imagecodecs": "pip install imagecodecs",
}
"""How to get the package that a reader lacks, by module name."""
