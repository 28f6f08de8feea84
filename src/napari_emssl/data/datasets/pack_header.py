"""The header of a pack, and the tables that it describes, checked before anything is done with them."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import UserError
from ...json_text import parse_json
from ..images.intensity_scaling import IntensityScaling

VERSION = 1
MARK = b"EMSSLPK\n"
HEADER_BYTES = 8192
ALIGNMENT = 64
AGAIN = "Make it again with 'napari-emssl pack'."
COLUMNS = {"offset": "<i8", "height": "<i4", "width": "<i4", "dtype": "S4", "black": "<f8", "white": "<f8"}
"""One value a plane; a plane that could not be read has the offset -1."""
CHECKSUMS, CHECKSUM_TYPE = "crc32", "<u4"
"""The column of the checksums of planes, which packs of earlier versions lack."""
_OF_IMAGES = {"planes": "<i4", "source": "<i4"}
_TEXTS = ("names", "sources")
_PLANE_TYPES = {f"{order}{kind}" for order in "|<" for kind in ("b1", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4",
                "u8", "i8", "f8")}  # fmt: skip
_LONGEST_NAME = 1 << 16

Tables = dict[str, NDArray[np.generic]]
"""Columns by name: one value a plane, or one an image."""
_Length = Annotated[int, Field(ge=0, lt=2**62)]


class _Described(BaseModel):
    """Part of a header: it never changes; fields of later versions are passed over."""

    model_config = ConfigDict(frozen=True, strict=True)


class TableLayout(_Described):
    """Where the tables lie."""

    offset: int = Field(ge=HEADER_BYTES, lt=2**62)
    bytes: _Length
    crc32: int = Field(ge=0, lt=2**32)
    columns: tuple[tuple[str, str, _Length], ...] = Field(max_length=100)
    """Name, numpy's name of the type, and length of each."""


class PackHeader(_Described):
    """The header of a pack."""

    bytes: _Length
    """Length of the whole file."""
    layouts: tuple[str, ...] = ()
    hot_pixels: float | None = Field(None, gt=0)
    scaling: IntensityScaling
    """The intensity scaling whose levels the tables hold."""
    tables: TableLayout

    @property
    def columns(self) -> dict[str, tuple[str, int, int]]:
        """Type, length and place in the file of each column."""
        found, at = {}, self.tables.offset
        for name, dtype, count in self.tables.columns:
            found[name] = (dtype, count, at)
            at += _bytes_in(dtype, count)
        return found


def write_header(content: Mapping[str, object]) -> bytes:
    """Return a header of fixed length with its own checksum in it."""
    text = MARK + json.dumps({**content, "crc32": _checksum(content)}).encode()
    return text.ljust(HEADER_BYTES - 1) + b"\n"


def read_header(path: Path) -> PackHeader:
    """Read the header of a pack; raises `UserError` unless it, the file's length and the tables are as written."""
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
        if not start.startswith(MARK):
            raise UserError(f"{path} is not a pack of napari-emssl. Give images, or make one with 'napari-emssl pack'.")
        header = _parse(path, start[len(MARK) :])
        size = path.stat().st_size
        if size != header.bytes:
            raise UserError(f"{path} has {size} bytes instead of {header.bytes}: it was cut short or changed. {AGAIN}")
        _check_columns(path, header)
        file.seek(header.tables.offset)
        if zlib.crc32(file.read(header.tables.bytes)) != header.tables.crc32:
            raise UserError(f"The tables of {path} are damaged. {AGAIN}")
    return header


def _parse(path: Path, text: bytes) -> PackHeader:
    try:
        raw = parse_json(text)
        if not isinstance(raw, dict):
            raise ValueError("it is no object")
        version, stated = raw.get("version"), raw.pop("crc32", None)
        if type(version) is int and version != VERSION:
            raise UserError(f"{path} is a pack of version {version}; this program reads {VERSION}. {AGAIN}")
        if version != VERSION or stated not in (None, _checksum(raw)):
            raise ValueError("its checksum is another")
        return PackHeader.model_validate_json(text)
    except UserError:
        raise
    except (ValueError, ValidationError, RecursionError) as error:
        raise UserError(f"The header of {path} is damaged. {AGAIN}") from error


def _checksum(content: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _bytes_in(dtype: str, count: int) -> int:
    """Bytes that a column takes in the file, with what fills it up."""
    return -(-np.dtype(dtype).itemsize * count // ALIGNMENT) * ALIGNMENT


def _check_columns(path: Path, header: PackHeader) -> None:
    """Raise `UserError` unless the columns that are needed are there, of their types, and fill the tables exactly."""
    types = {name: dtype for name, dtype, _ in header.tables.columns}
    wanted = {**COLUMNS, **_OF_IMAGES, **dict.fromkeys(_TEXTS, "")}
    missing = next((name for name in wanted if name not in types), None)
    if missing:
        raise UserError(f"{path} lacks a table ({missing}). {AGAIN}")
    if CHECKSUMS in types:
        wanted[CHECKSUMS] = CHECKSUM_TYPE
    right = all(_is_of(types[name], dtype) for name, dtype in wanted.items()) and all(map(_is_type, types.values()))
    filled = sum(_bytes_in(dtype, count) for _, dtype, count in header.tables.columns) if right else 0
    inside = header.tables.offset + header.tables.bytes == header.bytes
    if not (right and inside and filled == header.tables.bytes and len(types) == len(header.tables.columns)):
        raise UserError(f"The header of {path} is damaged: its tables are not where it says. {AGAIN}")


def _is_type(name: str) -> bool:
    """Whether a type is one of numbers or texts of a length that can be."""
    return name.lstrip("|<") in {each.lstrip("|<") for each in _PLANE_TYPES} or _is_text(name)


def _is_text(name: str) -> bool:
    length = name.removeprefix("|").removeprefix("S")
    return name.lstrip("|")[:1] == "S" and length.isdecimal() and len(length) < 6 and 0 < int(length) <= _LONGEST_NAME


def _is_of(name: str, wanted: str) -> bool:
    return name.lstrip("|") == wanted if wanted else _is_text(name)


def check_tables(path: Path, header: PackHeader, tables: Tables, images: Tables) -> None:
    """Raise `UserError` where tables speak of planes or images that cannot be.

    Parameters
    ----------
    path
        The pack.
    header
        Its header.
    tables
        One value a plane in each.
    images
        One value an image: ``planes`` and ``source``; and ``sources``, the names that ``source`` counts.
    """
    offset, black, white = (tables[name].astype(np.float64) for name in ("offset", "black", "white"))
    lengths = {len(column) for column in tables.values()}
    sizes = np.array([_bytes_of(name) for name in tables["dtype"].tolist()], np.float64)
    edges = (tables["height"].astype(np.float64), tables["width"].astype(np.float64))
    ends = offset + edges[0] * edges[1] * sizes
    good = (sizes > 0) & (offset >= HEADER_BYTES) & (ends <= header.tables.offset) & (white > black)
    planes, source = images["planes"].astype(np.int64), images["source"].astype(np.int64)
    sound = (
        lengths == {len(offset)}
        and bool((np.minimum(*edges) >= 1).all() and (good | (offset == -1)).all())
        and bool((planes >= 1).all() and planes.sum() == len(offset))
        and len(planes) == len(source) == header.columns["names"][1]
        and bool(((source >= 0) & (source < len(images["sources"]))).all())
    )
    if not sound:
        raise UserError(f"The tables of {path} speak of planes that it cannot hold. {AGAIN}")


def _bytes_of(name: bytes) -> int:
    """Bytes of a value of a plane; 0 for what is no type of planes."""
    text = name.decode("ascii", "replace")
    return np.dtype(text).itemsize if text in _PLANE_TYPES else 0
