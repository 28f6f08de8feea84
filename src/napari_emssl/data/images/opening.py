"""Files and arrays in, images of grey planes out.

Formats, layouts and what counts as colour are described in ``docs/reference/data-formats.md``.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from ...errors import UserError
from ..arrays import DuckArray
from .image import DAMAGED, GreyPlanes, Image, ImageSource
from .readers import HINTS, READERS, RawImage, is_colour

FORMATS = "TIFF, PNG, JPEG, BMP, NPY, MRC, HDF5, OME-Zarr, dm3, dm4, emd, ser"
_JUNK = re.compile(r"^(\.|~\$|__MACOSX$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)


def find_images(paths: Iterable[Path | str] | Path | str) -> list[Path]:
    """Return the image files among files and folders (searched recursively), in natural order, each once.

    Hidden files, ``Thumbs.db`` and the like, and files of other formats inside folders are skipped; a ``.zarr``
    folder counts as one image.

    Raises
    ------
    UserError
        If a path does not exist, a folder holds no image, or a file that is named has no known format.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    found: dict[str, Path] = {}
    for path in map(Path, given):
        found.update((str(image.absolute()), image) for image in _images_at(path))
    return sorted(found.values(), key=natural_key)


def natural_key(path: Path | str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts ``img2`` before ``img10``."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def _images_at(path: Path) -> list[Path]:
    """Images that one path stands for, at least one."""
    if not path.exists():
        raise UserError(f"{path} does not exist. Check the path.")
    if path.is_file() or _is_zarr(path):
        _reader_suffix(path)
        return [path]
    images = list(_walk(path))
    if not images:
        raise UserError(f"There is no image in the folder {path}. Formats that can be read: {FORMATS}.")
    return images


def _is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr store."""
    return path.is_dir() and (
        path.suffix.lower() == ".zarr" or any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zarray"))
    )


def _reader_suffix(path: Path) -> str:
    """Key into the readers for a path, or an error that lists the formats."""
    suffix = ".zarr" if _is_zarr(path) else path.suffix.lower()
    if suffix not in READERS:
        raise UserError(f"{path} is not in a known image format. Formats that can be read: {FORMATS}.")
    return suffix


def _walk(root: Path) -> Iterator[Path]:
    """Images below a folder; links to folders are followed once."""
    seen: set[str] = set()
    for folder, names, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        stores = {name for name in names if not _JUNK.match(name) and name.lower().endswith(".zarr")}
        names[:] = [name for name in names if not _JUNK.match(name) and name not in stores]
        for name in (*files, *stores):
            if is_image_name(name):
                yield Path(folder, name)


def is_image_name(name: str) -> bool:
    """Whether a file or ``.zarr`` folder of this name counts as an image when a folder is searched."""
    return name[name.rfind(".") :].lower() in READERS and not _JUNK.match(name)


def is_junk(name: str) -> bool:
    """Whether a folder or file of this name is skipped when a folder is searched."""
    return bool(_JUNK.match(name))


def read_image(path: Path | str) -> Image:
    """Open an image file; stacks stay on disk and are read plane by plane.

    Raises
    ------
    UserError
        If it does not exist, is damaged, of an unknown format, no image (a spectrum), complex or empty, or if
        an optional package is needed to read it.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist. Check the path.")
    if path.is_dir() and not _is_zarr(path):
        raise UserError(f"{path} is a folder. Give one image file.")
    raw = _read_raw(path, _reader_suffix(path))
    name = re.sub(r"\.(ome\.)?[^.]+$", "", path.name, flags=re.IGNORECASE) or path.name
    return _to_image(raw, name, path)


def _read_raw(path: Path, suffix: str) -> RawImage:
    """Run the reader; whatever goes wrong becomes a `UserError` that names the file."""
    try:
        return READERS[suffix](path)
    except (UserError, MemoryError):
        raise
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        hint = HINTS.get(package, f"pip install {package}")
        raise UserError(f"Reading {path} needs a package that is not installed ({package}). Run: {hint}") from error
    except Exception as error:
        if "imagecodecs" in str(error):
            raise UserError(f"{path} is compressed. To read it run: {HINTS['imagecodecs']}") from error
        raise UserError(f"{path} cannot be read ({error}). {DAMAGED}") from error


def as_image(source: ImageSource | ArrayLike, name: str = "image") -> Image:
    """Return an `Image` of a path, an array or an `Image` (returned unchanged).

    Arrays are ``(h, w)``, ``(n, h, w)``, ``(t, z, h, w)`` or, in uint8 only, ``(..., h, w, 3 | 4)`` for RGB(A),
    which becomes grey; numpy, memmap, dask and zarr are all taken as they are, without copying.

    Raises
    ------
    UserError
        If the array is not an image: fewer than 2 axes, no pixel, complex or not numbers.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, (str, Path)):
        return read_image(source)
    array = cast(DuckArray, source)
    if not hasattr(source, "shape") or not isinstance(getattr(source, "dtype", None), np.dtype):
        try:
            array = np.asarray(source)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{name} is not an array of numbers ({error}). Give an array (h, w) or (n, h, w)."
            ) from error
    return _to_image(RawImage(array, colour=is_colour(array)), name, None)


def _to_image(raw: RawImage, name: str, path: Path | None) -> Image:
    """Check an array and lay its planes out as ``(n, h, w)``."""
    array, where = raw.array, str(path or name)
    _check_array(array, where, raw.colour)
    before = tuple(int(n) for n in array.shape[: len(array.shape) - (3 if raw.colour else 2)])
    leading = before if raw.leading is None else raw.leading
    planes: DuckArray
    if len(before) == 1 and not raw.colour:
        planes = array
    elif isinstance(array, np.ndarray) and not raw.colour:
        planes = array.reshape(-1, *array.shape[-2:])
    else:
        planes = GreyPlanes(array, leading, raw.colour)
    return Image(name, planes, leading, raw.pixel_size_nm, path)


def _check_array(array: DuckArray, where: str, colour: bool) -> None:
    """Raise `UserError` where an array is no image."""
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    if dtype.kind == "c":
        raise UserError(f"{where} holds complex numbers. Save its modulus or phase as an image, then try again.")
    if dtype.kind not in "biuf":
        raise UserError(f"{where} holds data of type {dtype}, not grey values. Save it as a grey image.")
    if len(shape) < (3 if colour else 2):
        raise UserError(f"{where} is no image but has the shape {shape} (a spectrum?). An image has two axes.")
    if 0 in shape:
        raise UserError(f"{where} holds no pixel: its shape is {shape}. Give an image of at least one pixel.")
