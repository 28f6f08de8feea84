"""Files and arrays in, images of grey planes out.

Formats, layouts and what counts as colour are described in ``docs/reference/data-formats.md``.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from ...errors import UserError
from ..arrays import DuckArray
from ..formats.claims import check_memory
from ..formats.contents import RawImage, is_colour
from ..read_watch import waiting
from .choice import ALL, Choice
from .folder_rules import is_image_name, is_junk, is_regular, refuse_closed
from .image import DAMAGED, GreyPlanes, Image, ImageIn, ImageSource, denied
from .readers import HINTS, READERS, reader_of

FORMATS = "TIFF, PNG, JPEG, BMP, NPY, MRC, HDF5, OME-Zarr, dm3, dm4, emd, ser"
_CHANNELS, _ROWS = 4, 16
"""A last axis of at most so many values, behind two of more than so many, is one of channels."""


def find_images(paths: Iterable[Path | str] | Path | str) -> list[Path]:
    """Return the image files among files and folders (searched recursively), in natural order, each once.

    Hidden files, ``Thumbs.db`` and the like, and files of other formats inside folders are skipped; a ``.zarr``
    folder counts as one image.

    Raises
    ------
    UserError
        If a path does not exist, a folder holds no image or cannot be searched, or a file that is named has no known
        format.
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
    check_path(path)
    if path.is_file() or _is_zarr(path):
        _reader_suffix(path)
        return [path]
    with waiting():
        images = list(_walk(path))
    if not images:
        raise UserError(f"There is no image in the folder {path}. Formats that can be read: {FORMATS}.")
    return images


def check_path(path: Path) -> None:
    """Raise `UserError` for what is not there, and for pipes and devices, which may never come to an end."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} does not exist. Check the path.") from None
    except (OSError, ValueError) as error:  # a link to itself, a name that is too long or holds a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path} cannot be opened ({reason}). Check the path.") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UserError(f"{path} is a pipe or a device, not a file. Give an image file or a folder.")


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
    for folder, names, files in os.walk(root, onerror=refuse_closed, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        stores = {name for name in names if not is_junk(name) and name.lower().endswith(".zarr")}
        names[:] = [name for name in names if not is_junk(name) and name not in stores]
        for name in (*files, *stores):
            if is_image_name(name) and is_regular(path := Path(folder, name)):
                yield path


def read_image(path: Path | str, image: str | int | None = None) -> Image:
    """Open an image file; stacks stay on disk and are read plane by plane.

    Parameters
    ----------
    path
        A file, or a zarr folder.
    image
        Which image of a file with several: a name or a number from 1 on; by default the one of the HAADF detector, the
        one that is data rather than a picture of it, or the first by name. `Image.choice` then names the others.

    Returns
    -------
    Image
        Planes that are read when they are asked for.

    Raises
    ------
    UserError
        If it does not exist, is damaged, of an unknown format, no image (a spectrum), complex or empty, if it holds no
        such image, or if an optional package is needed to read it.
    """
    found = _read(Path(path), image)
    if len(found) != 1:
        raise UserError(f"{path} holds {len(found)} images, and one is needed here. Name one of them.")
    return found[0]


def read_images(path: Path | str) -> list[Image]:
    """Open all images of a file, at least one; raises `UserError` as `read_image` does."""
    return _read(Path(path), ALL)


def open_images(source: ImageSource | ArrayLike) -> list[Image]:
    """Return the images that an array, a file or a folder stands for, of each file the one that is meant, or all.

    Raises
    ------
    UserError
        As `read_image` and `find_images` do.
    """
    if isinstance(source, (str, Path, ImageIn)):
        path, wanted = (source.path, source.image) if isinstance(source, ImageIn) else (Path(source), None)
        return [image for file in find_images(path) for image in _read(file, wanted)]
    return [as_image(source)]


def _read(path: Path, wanted: str | int | None) -> list[Image]:
    """Open the images of a file that are wanted."""
    check_path(path)
    if path.is_dir() and not _is_zarr(path):
        raise UserError(f"{path} is a folder. Give one image file.")
    choice = Choice(path, wanted)
    found = _read_raw(path, _reader_suffix(path), choice)
    stem = re.sub(r"\.(ome\.)?[^.]+$", "", path.name, flags=re.IGNORECASE) or path.name
    if wanted is None or (len(found) == 1 and choice.count < 2):
        return [replace(_to_image(raw, stem, path), choice=choice.note, of=choice.count) for raw in found]
    images = [(_to_image(raw, f"{stem} {raw.name}".strip(), path), raw.name) for raw in found]
    every = choice.count == len(images)
    return [
        replace(one, label=name, of=choice.count, meant=every and number == choice.default)
        for number, (one, name) in enumerate(images)
    ]


def _read_raw(path: Path, suffix: str, choice: Choice) -> list[RawImage]:
    """Run the reader; whatever goes wrong becomes a `UserError` that names the file."""
    try:
        with waiting():
            return reader_of(suffix)(path, choice)
    except (UserError, MemoryError):
        raise
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        hint = HINTS.get(package, f"pip install {package}")
        raise UserError(f"Reading {path} needs a package that is not installed ({package}). Run: {hint}") from error
    except Exception as error:
        if (closed := denied(error)) is not None:
            raise UserError(f"{path} cannot be read ({closed.strerror}). Allow it, or leave the file out.") from error
        if "imagecodecs" in str(error):
            raise UserError(f"{path} is compressed. To read it run: {HINTS['imagecodecs']}") from error
        reason = "a text in it is damaged" if isinstance(error, UnicodeDecodeError) else error
        raise UserError(f"{path} cannot be read ({reason}). {DAMAGED}") from error


def as_image(source: ImageSource | ArrayLike, name: str = "image") -> Image:
    """Return an `Image` of a path, an array or an `Image` (returned unchanged).

    Arrays are ``(h, w)``, ``(n, h, w)``, ``(t, z, h, w)`` or, in uint8 only, ``(..., h, w, 3 | 4)`` for RGB(A),
    which becomes grey; axes of length one do not count. numpy, memmap, dask and zarr are all taken as they are, without
    copying.

    Raises
    ------
    UserError
        If the array is not an image: fewer than 2 axes, no pixel, complex or not numbers.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, (str, Path)):
        return read_image(source)
    if isinstance(source, ImageIn):
        return read_image(source.path, source.image)
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
    if raw.leading is None and not (raw.colour or raw.axes):
        _check_columns(tuple(array.shape), where)
    shape = tuple(int(n) for n in array.shape)
    # planes that are counted already: their own edges may have the length one
    dropped = _of_length_one(shape, raw.colour) if raw.leading is None else [0] * (shape[0] == 1)
    kept = [n for axis, n in enumerate(shape) if axis not in dropped]
    before = kept[: len(kept) - (3 if raw.colour else 2)]
    # of an array that is laid out already the axes stand apart
    lengths = shape[: len(shape) - (3 if raw.colour else 2)] if raw.leading is None else raw.leading
    leading = tuple(n for n in raw.leading if n > 1) if raw.leading is not None else tuple(before)
    axes = raw.axes if len(raw.axes) == len(lengths) else ()
    axes = tuple(axis for axis, n in zip(axes, lengths, strict=False) if n > 1)
    edge = None if raw.pixel is None else raw.pixel.edge
    notes = (*raw.notes, *_stretched(raw, where, edge))
    check_memory(where, int(np.prod(kept[-3:] if raw.colour else kept[-2:], dtype=object)) * array.dtype.itemsize)
    planes = _planes(array, leading, dropped, raw.colour)
    known = axes if len(axes) == len(leading) else ()
    return Image(name, planes, leading, edge, path, known, notes, stretched=None if edge else raw.pixel)


def _of_length_one(shape: tuple[int, ...], colour: bool) -> list[int]:
    """Numbers of the axes of length one, as long as two others stay: from the front, then from the end."""
    inner = shape[:-1] if colour else shape
    ones = [axis for axis, n in enumerate(inner) if n == 1]
    return ones[: max(len(inner) - 2, 0)]


def _planes(array: DuckArray, leading: tuple[int, ...], dropped: list[int], colour: bool) -> DuckArray:
    """Planes ``(n, h, w)`` of an array, itself where it is that already."""
    if isinstance(array, np.ndarray) and not colour:
        kept = [int(n) for axis, n in enumerate(array.shape) if axis not in dropped]
        return array.reshape(-1, *kept[-2:])
    if len(array.shape) == 3 and not (dropped or colour):
        return array
    return GreyPlanes(array, leading, colour, dropped)


def _stretched(raw: RawImage, where: str, edge: float | None) -> list[str]:
    """A sentence about pixels that are not square."""
    if raw.pixel is None or edge is not None:
        return []
    height, width = raw.pixel
    return [
        f"The pixels of {where} are {height:.4g} nm high and {width:.4g} nm wide, not square, so its sizes are in "
        "pixels. Resample it to square pixels, or give a pixel size."
    ]


def _check_array(array: DuckArray, where: str, colour: bool) -> None:
    """Raise `UserError` where an array is no image."""
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    if dtype.kind == "c":
        raise UserError(f"{where} holds complex numbers. Save its modulus or phase as an image, then try again.")
    if dtype.kind not in "biuf":
        raise UserError(f"{where} holds data of type {dtype}, not grey values. Save it as a grey image.")
    if len(shape) < (3 if colour else 2):
        raise UserError(f"{where} is not an image: it has the shape {shape} (a spectrum?). An image has two axes.")
    if 0 in shape:
        raise UserError(f"{where} holds no pixel: its shape is {shape}. Give an image of at least one pixel.")


def _check_columns(shape: tuple[int, ...], where: str) -> None:
    """Raise `UserError` where the last of at least three axes holds channels: no plane of many rows is so narrow."""
    long = [n for n in shape if n > 1]
    if len(long) > 2 and long[-1] <= _CHANNELS and min(long[-3:-1]) > _ROWS:
        raise UserError(
            f"{where} has the shape {shape}: its last axis holds {long[-1]} values per pixel (channels, colours?), not "
            "the columns of an image. Save the one you want, or all of them as planes (n, h, w)."
        )
