"""Image files that other programs open: ImageJ and OME TIFF, OME-Zarr, PNG; written whole or not at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ...atomic_files import check_free, replacing
from ...errors import UserError
from ..arrays import DuckArray
from ..formats.axes import PlaneAxis
from ..formats.ome_zarr import AXES, axis_letters, single_level
from ..formats.units import PixelSize, edges_of
from .own_results import RESULT_ATTRIBUTE, MadeBy

if TYPE_CHECKING:
    import zarr

_BIG_BYTES = 4_000_000_000
"""Above this a classic TIFF cannot address its own values."""
_CHUNK_PX = 1024
"""Largest edge of a chunk of a Zarr array."""


def write_image(
    path: Path | str,
    array: DuckArray | ArrayLike,
    pixel_size_nm: PixelSize = None,
    overwrite: bool = False,
    axes: Sequence[PlaneAxis] = (),
    made_by: MadeBy | None = None,
) -> Path:
    """Write an image plane by plane; the suffix says the format.

    ``.tif``/``.tiff``: ImageJ TIFF for uint8, uint16 and float32, else OME-TIFF; more than 4 GB as BigTIFF. ``.zarr``:
    OME-Zarr 0.5 with one level. ``.png``: one plane of uint8 or uint16. bool is written as uint8, float16 as float32,
    64-bit integers as 32-bit where they fit.

    Parameters
    ----------
    path
        The file to write; missing folders are made.
    array
        ``(h, w)``, ``(n, h, w)`` or ``(t, z, h, w)``: numpy, dask, zarr or anything with shape, dtype and ``[i]``.
    pixel_size_nm
        Written to the file, in nm, or height and width of pixels that are not square; None where it is not known. PNG
        has no place for it.
    overwrite
        Whether a file that is there may be replaced.
    axes
        What the axes before height and width count, and their steps; by default nothing is known of them.
    made_by
        Written into TIFF and OME-Zarr, so that a result is known for one; None for all other images.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UserError
        If the file exists and `overwrite` is false, the format cannot hold the array, or the disk is full.
    """
    path = Path(path)
    lazy = hasattr(array, "shape") and hasattr(array, "dtype")
    values: DuckArray = cast(DuckArray, array) if lazy else np.asarray(array)
    _check(path, values)
    with replacing(path, overwrite) as temporary:
        _WRITERS[path.suffix.lower()](temporary, values, pixel_size_nm, _axes_of(values.shape, axes), made_by)
    return path


def _check(path: Path, array: DuckArray) -> None:
    """Raise `UserError` where the format cannot hold the array."""
    if path.suffix.lower() not in _WRITERS:
        raise UserError(f"{path} has no suffix that can be written. Use one of {', '.join(_WRITERS)}.")
    if np.dtype(array.dtype).kind not in "biuf" or len(array.shape) not in AXES or 0 in array.shape:
        raise UserError(
            f"An array of shape {tuple(array.shape)} and type {array.dtype} cannot be written as {path.name}. "
            "Images are (h, w), (n, h, w) or (t, z, h, w) of real numbers."
        )


def _axes_of(shape: tuple[int, ...], axes: Sequence[PlaneAxis]) -> tuple[PlaneAxis, ...]:
    """Axes before height and width, as they are given, or unknown ones."""
    return tuple(axes) if len(axes) == len(shape) - 2 else (PlaneAxis(),) * (len(shape) - 2)


def _storage_dtype(array: DuckArray) -> np.dtype[np.generic]:
    """Type that other programs read, wide enough for every value."""
    dtype: np.dtype[np.generic] = np.dtype(array.dtype).newbyteorder("=")
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    if dtype.itemsize < 8:
        return dtype
    # ImageJ and most viewers know no integers of 64 bits
    low, high = (min(int(p.min()) for p in _planes(array)), max(int(p.max()) for p in _planes(array)))
    fitting = (t for t in (np.int32, np.uint32) if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    return np.dtype(next(fitting, np.float64))


def _planes(array: DuckArray, dtype: np.dtype[np.generic] | None = None) -> Iterator[NDArray[np.generic]]:
    """Planes of an array of 2 to 4 axes, one in memory at a time."""
    for index in np.ndindex(*array.shape[:-2]):
        plane = np.asarray(array[index[0]] if len(index) == 1 else array[index or ...])
        yield plane if dtype is None else np.ascontiguousarray(plane, dtype)


def _write_tiff(
    path: Path, array: DuckArray, pixel_size_nm: PixelSize, axes: Sequence[PlaneAxis], made_by: MadeBy | None
) -> None:
    """ImageJ TIFF where ImageJ can hold it, else OME-TIFF."""
    import tifffile

    dtype, letters = _storage_dtype(array), axis_letters(axes).upper()
    size = int(np.prod(array.shape)) * dtype.itemsize
    steps = {letter: axis.step for letter, axis in zip(letters, axes, strict=True) if axis.step}
    # tifffile cannot read back what it writes for ImageJ where images are one pixel wide
    known = dtype in (np.uint8, np.uint16, np.float32) and size < _BIG_BYTES and array.shape[-1] > 1
    imagej = known and _fits_imagej(letters, steps, pixel_size_nm)
    metadata = _imagej_steps(steps, pixel_size_nm) if imagej else _ome_steps(steps, pixel_size_nm)
    edges = edges_of(pixel_size_nm)
    calibration = {"resolution": (1 / edges.width, 1 / edges.height)} if imagej and edges else {}
    tifffile.imwrite(
        path,
        _planes(array, dtype),
        shape=tuple(array.shape),
        dtype=dtype,
        photometric="minisblack",
        imagej=imagej,
        ome=not imagej,
        bigtiff=size >= _BIG_BYTES,
        metadata={"axes": f"{letters}YX", **metadata},
        software=None if made_by is None else made_by.text(),
        **calibration,
    )


def _fits_imagej(letters: str, steps: Mapping[str, float], pixel_size_nm: PixelSize) -> bool:
    """Whether ImageJ has a place for the axes: it has one order, and one unit of length, so none for slices alone."""
    return letters == "".join(sorted(letters, key="TZC".index)) and ("Z" not in steps or pixel_size_nm is not None)


def _imagej_steps(steps: Mapping[str, float], pixel_size_nm: PixelSize) -> dict[str, str | float]:
    """ImageJ's names for what is known of the grid."""
    names = {"Z": "spacing", "T": "finterval"}
    found: dict[str, str | float] = {names[letter]: step for letter, step in steps.items()}
    return {**found, "unit": "nm"} if pixel_size_nm else found


def _ome_steps(steps: Mapping[str, float], pixel_size_nm: PixelSize) -> dict[str, str | float]:
    """OME's names for what is known of the grid."""
    names = {"Z": ("PhysicalSizeZ", "nm"), "T": ("TimeIncrement", "s")}
    edges = edges_of(pixel_size_nm)
    sizes = [(f"PhysicalSize{axis}", edge, "nm") for axis, edge in zip("YX", edges or (), strict=False)]
    sizes += [(names[letter][0], step, names[letter][1]) for letter, step in steps.items()]
    return {key: value for name, step, unit in sizes for key, value in ((name, step), (f"{name}Unit", unit))}


def _write_png(
    path: Path, array: DuckArray, pixel_size_nm: PixelSize, axes: Sequence[PlaneAxis], made_by: MadeBy | None
) -> None:
    """One plane of 8 or 16 bits; PNG has no place for the pixel size of a microscope."""
    from PIL import Image as Pillow

    plane = np.asarray(array)
    plane = plane.astype(_storage_dtype(plane), copy=False)
    if plane.ndim != 2 or plane.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"PNG holds one plane of uint8 or uint16, not {plane.dtype} of shape {plane.shape}. Write a .tif instead."
        )
    Pillow.fromarray(plane).save(path, format="PNG")


def _write_zarr(
    path: Path, array: DuckArray, pixel_size_nm: PixelSize, axes: Sequence[PlaneAxis], made_by: MadeBy | None
) -> None:
    """OME-Zarr, plane by plane."""
    store = create_zarr(path, tuple(array.shape), _storage_dtype(array), pixel_size_nm, axes=axes, made_by=made_by)
    for index, plane in zip(np.ndindex(*array.shape[:-2]), _planes(array, store.dtype), strict=True):
        store[index or ...] = plane


def create_zarr(
    path: Path | str,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    pixel_size_nm: PixelSize = None,
    overwrite: bool = False,
    axes: Sequence[PlaneAxis] = (),
    made_by: MadeBy | None = None,
) -> "zarr.Array":
    """Make an OME-Zarr 0.5 image with one level, to be written plane by plane.

    Writes to `path` itself: use `replacing` around it where a half-written image must not be left behind.

    Parameters
    ----------
    path
        The folder to make.
    shape
        ``(h, w)``, ``(n, h, w)`` or ``(t, z, h, w)``; chunks hold one plane, or tiles of it up to 1024 px.
    dtype
        Type of the values.
    pixel_size_nm
        Written to the attributes, in nm; None where it is not known.
    overwrite
        Whether what is there may be replaced.
    axes
        What the axes before height and width count, and their steps.
    made_by
        Of a result that is not resumed, which records it in a way of its own.

    Returns
    -------
    zarr.Array
        The array, all zero.

    Raises
    ------
    UserError
        If `path` exists and `overwrite` is false.
    """
    import zarr

    path = Path(path)
    check_free(path, overwrite)
    known = _axes_of(shape, axes)
    attributes: dict[str, object] = {"ome": single_level(known, pixel_size_nm)}
    if made_by is not None:
        attributes[RESULT_ATTRIBUTE] = made_by.text()
    group = zarr.create_group(path, zarr_format=3, overwrite=overwrite, attributes=cast(Any, attributes))
    return group.create_array(
        "0",
        shape=shape,
        dtype=np.dtype(dtype),
        chunks=(*(1 for _ in shape[:-2]), *(min(_CHUNK_PX, n) for n in shape[-2:])),
        dimension_names=[*axis_letters(known), "y", "x"],
    )


_Writer = Callable[[Path, DuckArray, PixelSize, Sequence[PlaneAxis], MadeBy | None], None]
_WRITERS: dict[str, _Writer] = {
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".zarr": _write_zarr,
    ".png": _write_png,
}
