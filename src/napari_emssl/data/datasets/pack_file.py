"""The pack, one file for very many planes: their plain values one after the other, then tables that say where.

The file begins with a fixed mark and a JSON header of fixed length; ``docs/reference/data-formats.md`` describes both.
Planes are read, not memory-mapped: processes share them in the system's file cache just as well, memory stays flat, and
a file that is cut short while it is read raises a `UserError`, where a memory map would end the process.
"""

import threading
import zlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import BinaryIO, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...atomic_files import replacing
from ...errors import UserError
from ..images.intensity_scaling import IntensityScaling, Levels
from .pack_header import (
    AGAIN,
    ALIGNMENT,
    CHECKSUM_TYPE,
    CHECKSUMS,
    COLUMNS,
    HEADER_BYTES,
    MARK,
    VERSION,
    PackHeader,
    Tables,
    check_tables,
    read_header,
    write_header,
)
from .plane_stores import PlaneStore

SUFFIX = ".pack"


class PackFacts(TypedDict):
    """What else is known of the images."""

    layouts: list[str]
    hot_pixels: float | None


class PackedPlanes:
    """The planes of a pack.

    Parameters
    ----------
    path
        A file that `write_pack` made.

    Raises
    ------
    UserError
        If it is no pack, is damaged or cut short, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._attach(path, read_header(path))
        images = {name: self._column(name) for name in ("planes", "source", "sources")}
        check_tables(path, self.header, self._tables, images)

    def _attach(self, path: Path, header: PackHeader) -> None:
        """Load the tables of a file whose header has been checked: 40 bytes a plane."""
        self.path, self.header = path, header
        sums = [CHECKSUMS] * (CHECKSUMS in header.columns)  # packs of earlier versions have none
        self._tables = {name: self._column(name) for name in (*COLUMNS, *sums)}
        self._scaling = header.scaling
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of each plane, ``(n, 2)``."""
        return np.stack([self._tables["height"], self._tables["width"]], axis=1).astype(np.int64)

    @property
    def names(self) -> list[str]:
        """Name of each image, as it was found."""
        return [_text(name) for name in self._column("names").tolist()]

    @property
    def origins(self) -> list[str]:
        """Name of what each image was cut from; the tables hold each name once, as ``sources``."""
        names = [_text(name) for name in self._column("sources").tolist()]
        return [names[number] for number in self._column("source").tolist()]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of planes of each image."""
        return self._column("planes").astype(np.int64)

    def read(self, number: int, top: int = 0, bottom: int | None = None) -> NDArray[np.number]:
        """Return rows of a plane.

        Parameters
        ----------
        number, top, bottom
            As in `PlaneStore.read`.

        Raises
        ------
        UserError
            If the plane was damaged when it was packed, or the file has been cut short or changed since; whether it
            was changed is seen where the whole plane is read.
        """
        start, height, width = (int(self._tables[name][number]) for name in ("offset", "height", "width"))
        if start < 0:
            raise UserError(f"Plane {number} of {self.path} was damaged when it was packed.")
        dtype = np.dtype(self._tables["dtype"][number].decode())
        rows = (height if bottom is None else min(bottom, height)) - top
        with self._lock:  # seek and read are one step: threads share the file's position
            if self._file is None:
                # unbuffered: a buffer would read ahead, past the rows that are wanted
                self._file = self.path.open("rb", buffering=0)
            self._file.seek(start + top * width * dtype.itemsize)
            values = np.fromfile(self._file, dtype, rows * width)
        if len(values) < rows * width:
            raise UserError(f"{self.path} was cut short while it was read. {AGAIN}")
        if rows == height and CHECKSUMS in self._tables and zlib.crc32(values.data) != self._tables[CHECKSUMS][number]:
            raise UserError(f"Plane {number} of {self.path} is not what was packed: the file is damaged. {AGAIN}")
        return values.astype(dtype.newbyteorder("="), copy=False).reshape(rows, width)

    def levels(self, number: int, scaling: IntensityScaling) -> Levels | None:
        """Return the levels of a plane, if they were fitted by the same `scaling`."""
        if scaling != self._scaling:
            return None
        return Levels(float(self._tables["black"][number]), float(self._tables["white"][number]))

    def is_cheap(self, number: int) -> bool:
        """Return True: planes lie in the file as plain values."""
        return True

    def _column(self, wanted: str) -> NDArray[np.generic]:
        """Read one column of the tables."""
        dtype, count, at = self.header.columns[wanted]
        column = np.fromfile(self.path, dtype, count, offset=at)
        if len(column) < count:
            raise UserError(f"{self.path} was cut short while it was read. {AGAIN}")
        return column

    def __getstate__(self) -> "_State":
        return {"path": self.path, "header": self.header}

    def __setstate__(self, state: "_State") -> None:
        self._attach(state["path"], state["header"])

    def __del__(self) -> None:
        file: BinaryIO | None = getattr(self, "_file", None)  # missing where the constructor failed
        if file is not None:
            file.close()


class _State(TypedDict):
    """What is pickled: the copy opens the file and loads its tables for itself."""

    path: Path
    header: PackHeader


def _text(name: bytes) -> str:
    """Decode a name; bytes that are no UTF-8 survive the way there and back."""
    return name.decode(errors="surrogateescape")


def is_pack(path: Path) -> bool:
    """Whether a file is meant to be a pack, by its suffix or its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix.lower() == SUFFIX or file.read(len(MARK)) == MARK


def write_pack(
    path: Path,
    store: PlaneStore,
    images: tuple[Sequence[str], Sequence[str], Sequence[int]],
    facts: PackFacts,
    overwrite: bool = False,
) -> Generator[str | None, None, None]:
    """Write the planes of a store to one file, under a temporary name that is renamed at the end.

    Closing the iterator before its end leaves nothing behind.

    Parameters
    ----------
    path
        The file to write.
    store
        The planes.
    images
        Name, origin and number of planes of each image, in the order of the store's planes.
    facts
        What else to write into the header.
    overwrite
        Whether a file that is there may be replaced.

    Yields
    ------
    str or None
        For each plane None, or why it could not be read; such a plane keeps its number and is marked.

    Raises
    ------
    UserError
        If the file exists and may not be replaced, or cannot be written.
    """
    scaling = IntensityScaling()
    shapes = store.shapes
    types = {**COLUMNS, CHECKSUMS: CHECKSUM_TYPE}
    tables = {name: np.zeros(len(shapes), dtype) for name, dtype in types.items()}
    tables["height"], tables["width"] = shapes.astype("<i4").T
    with replacing(path, overwrite) as temporary, temporary.open("wb", buffering=1 << 20) as file:
        file.write(bytes(HEADER_BYTES))  # room for the header, which is known last
        for number in range(len(shapes)):
            problem = None
            try:
                _write_plane(file, store.read(number), number, tables, scaling)
            except UserError as error:
                tables["offset"][number] = -1
                problem = str(error)
            yield problem
        _write_tables(file, tables | _image_tables(*images), facts, scaling)


def _write_plane(
    file: BinaryIO, plane: NDArray[np.number], number: int, tables: Tables, scaling: IntensityScaling
) -> None:
    """Append one plane and note where it lies."""
    levels = scaling.fit(plane)
    stored = np.ascontiguousarray(plane, plane.dtype.newbyteorder("<"))
    file.write(bytes(-file.tell() % ALIGNMENT))
    entry = (file.tell(), stored.dtype.str.encode(), levels.black, levels.white, zlib.crc32(stored.data))
    for name, value in zip(("offset", "dtype", "black", "white", CHECKSUMS), entry, strict=True):
        tables[name][number] = value
    file.write(stored.data)


def _image_tables(names: Sequence[str], origins: Sequence[str], counts: Sequence[int]) -> Tables:
    """Names, origins and numbers of planes of the images as columns; the name of an origin is written once."""
    unique = list(dict.fromkeys(origins))
    place = {origin: number for number, origin in enumerate(unique)}
    return {
        "names": np.array([name.encode(errors="surrogateescape") for name in names], np.bytes_),
        "planes": np.array(counts, "<i4"),
        "source": np.array([place[origin] for origin in origins], "<i4"),
        "sources": np.array([origin.encode(errors="surrogateescape") for origin in unique], np.bytes_),
    }


def _write_tables(file: BinaryIO, tables: Tables, facts: PackFacts, scaling: IntensityScaling) -> None:
    """Append the tables and fill in the header."""
    file.write(bytes(-file.tell() % ALIGNMENT))
    start, checksum = file.tell(), 0
    columns = []
    for name, column in tables.items():
        content = column.tobytes()
        content += bytes(-len(content) % ALIGNMENT)
        checksum = zlib.crc32(content, checksum)
        file.write(content)
        columns.append((name, column.dtype.str, len(column)))
    end = file.tell()
    described = {"offset": start, "bytes": end - start, "crc32": checksum, "columns": columns}
    known = {**facts, "scaling": scaling.model_dump(exclude_none=True)}
    header = {"format": "napari-emssl pack", "version": VERSION, "bytes": end, "tables": described, **known}
    file.seek(0)
    file.write(write_header(header))
