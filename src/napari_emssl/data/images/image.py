"""Files and arrays in, grey planes out.

Formats, layouts and what counts as colour are described in ``docs/reference/data-formats.md``.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ...errors import UserError
from .arrays import DuckArray
from .readers import HINTS, READERS, RawImage, is_colour

FORMATS = "TIFF, PNG, JPEG, BMP, NPY, MRC, HDF5, OME-Zarr, dm3, dm4, emd, ser"
_JUNK = re.compile(r"^(\.|~\$|__MACOSX$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
_LUMINANCE = (0.299, 0.587, 0.114)
_CHECK = "It is damaged, or not what its name says. Save it again as TIFF in the program that made it."


@dataclass(frozen=True)
class Image:
    """An image as a list of grey planes.

    `planes` is indexed plane by plane, ``planes[i] -> (h, w)``, and may be numpy, a memory map, dask, zarr or
    a lazy view ``(n, h, w)``; `leading` is the shape before the plane axes: ``()`` for one plane, ``(n,)``,
    ``(t, z)``.
    """

    name: str
    planes: DuckArray
    leading: tuple[int, ...]
    pixel_size_nm: float | None = None
    path: Path | None = None

    def __len__(self) -> int:
        return int(self.planes.shape[0])

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of a plane in pixels."""
        return int(self.planes.shape[-2]), int(self.planes.shape[-1])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the values as they are stored; `plane` may widen it (bool to uint8)."""
        return np.dtype(self.planes.dtype)

    def plane(self, i: int) -> NDArray[np.number]:
        """Return plane `i` as a numpy array ``(h, w)`` of a real dtype, native byte order, contiguous.

        Of an array in memory this may be a view: do not write into it. Negative `i` count from the end.

        Raises
        ------
        IndexError
            If there is no such plane.
        UserError
            If the file is damaged there.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"{self.name} has {len(self)} planes, there is no plane {i}")
        try:
            return _plain(np.asarray(self.planes[i % len(self)]))
        except (UserError, MemoryError):
            raise
        except Exception as error:
            raise UserError(f"Plane {i} of {self.path or self.name} cannot be read ({error}). {_CHECK}") from error


class GreyPlanes:
    """Lazy view of ``(..., h, w[, samples])`` as grey planes ``(n, h, w)``, each made when it is asked for."""

    def __init__(self, array: DuckArray, leading: tuple[int, ...], colour: bool) -> None:
        self._array, self._colour = array, colour
        tail = 3 if colour else 2
        self._before = tuple(int(n) for n in array.shape[: len(array.shape) - tail])
        height, width = array.shape[len(self._before) : len(self._before) + 2]
        self.shape = (int(np.prod(leading, dtype=int)), int(height), int(width))
        self.ndim, self.dtype = 3, np.dtype(array.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"there are {len(self)} planes, not {i + 1}")
        index = tuple(int(k) for k in np.unravel_index(i % len(self), self._before)) if self._before else ()
        # a number where one is enough: not everything that is read by planes takes a tuple
        plane = np.asarray(self._array[index[0]] if len(index) == 1 else self._array[index or ...])
        return grey(plane) if self._colour else plane

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return np.stack([self[i] for i in range(len(self))]).astype(dtype or self.dtype, copy=False)


def grey(colour: NDArray[np.number]) -> NDArray[np.number]:
    """Return the luminance (ITU-R BT.601) of ``(..., 3 | 4)``, alpha ignored, in the dtype of the input.

    Where red, green and blue are equal, their value comes back exactly.
    """
    values = colour[..., :3]
    luminance = values.astype(np.float64) @ np.array(_LUMINANCE)
    rounded: NDArray[np.floating] = luminance if values.dtype.kind == "f" else np.rint(luminance)
    return rounded.astype(values.dtype)


def _plain(plane: NDArray[np.generic]) -> NDArray[np.number]:
    """Copy of a plane in native byte order, contiguous, writeable, bool as uint8, long double as float64.

    What is all that already is given back as it is.
    """
    dtype = plane.dtype.newbyteorder("=")
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    elif dtype.kind == "f" and dtype.itemsize > 8:
        dtype = np.dtype(np.float64)
    # torch warns of arrays that cannot be written to, and a view of a memory map would keep its file open
    if isinstance(plane, np.memmap) or not plane.flags.writeable:
        return np.array(plane, dtype=dtype, order="C")
    return np.ascontiguousarray(plane, dtype=dtype)


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
        raise UserError(f"{path} cannot be read ({error}). {_CHECK}") from error


ImageSource = Path | str | Image | DuckArray
"""What an image is given as: a file, one that is open already, or an array."""


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
