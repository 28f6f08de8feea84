"""An image as a list of grey planes, wherever they lie; opening one is `opening`'s work."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import UserError
from ..arrays import DuckArray
from ..formats.axes import PlaneAxis
from ..formats.contents import LUMINANCE
from ..formats.units import PixelNm
from ..read_watch import waiting

DAMAGED = "It is damaged, or not what its name says. Save it again as TIFF in the program that made it."
"""What to do about a file that cannot be read, as the end of a message."""


def denied(error: BaseException | None) -> PermissionError | None:
    """Return what says that a file may not be read, be it the error or what it came from."""
    while error is not None and not isinstance(error, PermissionError):
        error = error.__cause__
    return error


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
    """None where it is not known, or pixels are not square: then `notes` says so."""
    path: Path | None = None
    axes: tuple[PlaneAxis, ...] = ()
    """What each of the leading axes counts; empty where nothing is known of them."""
    notes: tuple[str, ...] = ()
    """Sentences for the user, about what was left out of the file, or its folder, and pixels that are not square."""
    choice: str = ""
    """A sentence about the other images of its file, where it was not said which of them to use."""
    label: str = ""
    """What its file calls it; empty where that holds one image."""
    of: int = 1
    """How many images its file holds."""
    meant: bool = True
    """Whether it is the one of its file that is taken when nobody says."""
    stretched: PixelNm | None = None
    """Height and width of pixels that are not square."""

    def __len__(self) -> int:
        return int(self.planes.shape[0])

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of a plane in pixels."""
        return int(self.planes.shape[-2]), int(self.planes.shape[-1])

    @property
    def pixel(self) -> PixelNm | None:
        """Height and width of a pixel in nm; None where they are not known."""
        return self.stretched if self.pixel_size_nm is None else PixelNm(self.pixel_size_nm, self.pixel_size_nm)

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
            with waiting():
                return _plain(np.asarray(self.planes[i % len(self)]))
        except (UserError, MemoryError):
            raise
        except Exception as error:
            if (closed := denied(error)) is not None:
                raise UserError(f"{self.path or self.name} cannot be read ({closed.strerror}). Allow it.") from error
            raise UserError(f"Plane {i} of {self.path or self.name} cannot be read ({error}). {DAMAGED}") from error

    def label_plane(self, i: int) -> NDArray[np.number]:
        """Return plane `i` of a mask, as `plane` does, but only where no two of its colours become one value.

        Raises
        ------
        UserError
            As `plane`, and where colours, or transparency, that tell labels apart would be lost.
        """
        plane = self.plane(i)
        if isinstance(self.planes, GreyPlanes) and (lost := self.planes.what_grey_loses(i)):
            raise UserError(
                f"{self.path or self.name} cannot be used as a mask. {lost} Save it with a number for each class."
            )
        return plane


@dataclass(frozen=True)
class ImageIn:
    """An image of a file, or of each file in a folder, that is not the one taken when nobody says."""

    path: Path
    image: str
    """A name, a number from 1 on, or ``all``, where several images may be given."""


def chosen_image(path: Path, image: str | None) -> "Path | ImageIn":
    """Return a file or folder, with the image of each file that is meant where one was named."""
    return path if image is None else ImageIn(path, image)


ImageSource = Path | str | Image | ImageIn | DuckArray
"""What an image is given as: a file, one that is open already, or an array."""


def distinct_names(names: Sequence[str], paths: Sequence[Path | None]) -> list[str]:
    """Return names of images, with the folder before those that several have.

    Parameters
    ----------
    names
        As they are used where they suffice.
    paths
        The files of the images, as far as there are some.
    """
    counts = Counter(names)
    files = [None if path is None else path.absolute() for path in paths]
    shared = shared_folder([file for file in files if file is not None])
    return [
        name if counts[name] == 1 or file is None else (file.parent.relative_to(shared) / name).as_posix()
        for name, file in zip(names, files, strict=True)
    ]


def shared_folder(files: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all files; they are absolute, or relative to one folder."""
    return Path(os.path.commonpath([path.parent for path in files])) if files else Path()


def notes_of(images: Iterable[Image]) -> list[str]:
    """Return remarks on images, each sentence once; of files with several images the first one's."""
    opened = list(images)
    notes = _once([(note, str(image.path)) for image in opened for note in image.notes])
    choices = list(dict.fromkeys(image.choice for image in opened if image.choice))
    if not choices:
        return notes
    more = f" The same holds for {len(choices) - 1} more." if len(choices) > 1 else ""
    return [*notes, choices[0] + more]


def _once(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Sentences with the files they are of: of those that differ in the file alone the first, and how many more."""
    alike: dict[str, dict[str, None]] = {}
    for note, path in notes:
        alike.setdefault(note.replace(path, ""), {})[note] = None
    firsts = [(next(iter(same)), len(same) - 1) for same in alike.values()]
    return [f"{note} The same holds for {more} more." if more else note for note, more in firsts]


class GreyPlanes:
    """Lazy view of ``(..., h, w[, samples])`` as grey planes ``(n, h, w)``, each made when it is asked for.

    Parameters
    ----------
    array
        What is viewed; `dropped` are numbers of axes of length one that do not count.
    leading
        Lengths of the axes before height and width.
    colour
        Whether the last axis holds colours.
    """

    def __init__(self, array: DuckArray, leading: tuple[int, ...], colour: bool, dropped: Collection[int] = ()) -> None:
        self._array, self._colour, self._dropped = array, colour, frozenset(dropped)
        kept = [axis for axis in range(len(array.shape)) if axis not in self._dropped]
        plane = kept[-3:-1] if colour else kept[-2:]
        self._counting = kept[: kept.index(plane[0])]
        self._before = tuple(int(array.shape[axis]) for axis in self._counting)
        height, width = (int(array.shape[axis]) for axis in plane)
        self.shape = (int(np.prod(leading, dtype=int)), height, width)
        self.ndim, self.dtype = 3, np.dtype(array.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        plane = self._stored(i)
        return grey(plane) if self._colour else plane

    def what_grey_loses(self, i: int) -> str:
        """Return a sentence about what tells labels apart in plane `i` and would be lost in grey; empty: nothing."""
        return lost_in_grey(self._stored(i)) if self._colour else ""

    def _stored(self, i: int) -> NDArray[np.number]:
        """Plane `i` as it is stored, with its colours."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"there are {len(self)} planes, not {i + 1}")
        index = self._index(i % len(self))
        # a number where one is enough: not everything that is read by planes takes a tuple
        return np.asarray(self._array[index[0]] if len(index) == 1 else self._array[index or ...])

    def _index(self, i: int) -> tuple[int | slice, ...]:
        """Index of plane `i` in the array, without the full slices at its end."""
        at = dict(zip(self._counting, np.unravel_index(i, self._before), strict=True)) if self._before else {}
        index: list[int | slice] = [
            0 if axis in self._dropped else int(at[axis]) if axis in at else slice(None)
            for axis in range(len(self._array.shape))
        ]
        while index and index[-1] == slice(None):
            index.pop()
        return tuple(index)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return np.stack([self[i] for i in range(len(self))]).astype(dtype or self.dtype, copy=False)


def grey(colour: NDArray[np.number]) -> NDArray[np.number]:
    """Return the luminance (ITU-R BT.601) of ``(..., 3 | 4)``, alpha ignored, in the dtype of the input.

    Where red, green and blue are equal, their value comes back exactly.
    """
    values = colour[..., :3]
    luminance = values.astype(np.float64) @ np.array(LUMINANCE)
    rounded: NDArray[np.floating] = luminance if values.dtype.kind == "f" else np.rint(luminance)
    return rounded.astype(values.dtype)


def lost_in_grey(colour: NDArray[np.number]) -> str:
    """Return a sentence about what `grey` makes the same of ``(h, w, 3 | 4)``, empty where that is nothing."""
    if colour.shape[-1] == 4 and np.ptp(colour[..., 3]):
        hidden = colour[..., :3][colour[..., 3] == 0]
        if hidden.any() or not np.ptp(colour[..., :3], (0, 1)).any():
            return "What it shows is in its transparency, which does not count."
    values = grey(colour).ravel()
    order = np.argsort(values, kind="stable")
    sorted_values, pixels = values[order], colour.reshape(-1, colour.shape[-1])[order, :3]
    same = sorted_values[1:] == sorted_values[:-1]
    if (pixels[1:][same] != pixels[:-1][same]).any():
        return "Several of its colours have the same brightness."
    return ""


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
