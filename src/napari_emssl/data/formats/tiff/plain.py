"""Headers of the plainest TIFFs: one grey image without compression, and no tag that says more about it.

Folders hold such files by the hundred thousand, and to open one as any TIFF takes tifffile and the rules for the pixel
sizes of makers about half a millisecond. Whatever is not that plain is left to them.
"""

import json
import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ..contents import ImageHeader
from ..sidecar import pixel_beside

_HEAD_BYTES = 4096
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_MOST_TAGS, _MOST_STRIPS = 40, 1 << 16
_NUMBERS = {3: "H", 4: "I"}
"""struct's letter for the types of tags that are read: 16 and 32 bits."""
_TEXT = 2
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_DESCRIPTION, _OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _COUNTS, _PLANAR = 270, 273, 274, 277, 278, 279, 284
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _SOFTWARE, _DATE, _SAMPLE_FORMAT = 282, 283, 296, 305, 306, 339
_USUAL = {_SUBFILE: 0, _COMPRESSION: 1, _PHOTOMETRIC: 1, _ORIENTATION: 1, _SAMPLES: 1, _PLANAR: 1}
"""What these tags say of a plain file; where they lack, they mean it."""
_PASSED_OVER = frozenset((_ROWS, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _DATE))
"""Without bearing on the image: a plain resolution is that of a printer."""
_READ = frozenset((_WIDTH, _HEIGHT, _BITS, _OFFSETS, _COUNTS, _SAMPLE_FORMAT, _DESCRIPTION, _SOFTWARE))
_KINDS = {(1, 8): "u1", (1, 16): "u2", (1, 32): "u4", (2, 8): "i1", (2, 16): "i2", (2, 32): "i4", (3, 32): "f4"}
"""numpy's type by sample format and bits."""
_SCANIMAGE = b"SI."
"""What the programs begin their names with whose files tifffile lays out in a way of its own."""


class _Tag(NamedTuple):
    kind: int
    length: int
    inline: bytes
    """The value, or where it lies, 4 bytes."""


def plain_header(path: Path) -> ImageHeader | None:
    """Return the header of a plain TIFF; None where it is not plain, or anything is odd about it."""
    with path.open("rb", buffering=0) as file:
        found = _Header(file).image()
    if found is None:
        return None
    pixel = pixel_beside(path)
    return found._replace(pixel_size_nm=None if pixel is None else pixel.edge)


class _Header:
    """The first directory of a TIFF."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._head = file.read(_HEAD_BYTES)
        self._order = _ORDERS.get(self._head[:4], "")

    def image(self) -> ImageHeader | None:
        """Return what the file holds, its pixel size left out; None where it is not plain."""
        tags = self._tags()
        if tags is None or not tags.keys() <= _USUAL.keys() | _PASSED_OVER | _READ:
            return None
        plain = all(self._numbers(tags[code]) == (usual,) for code, usual in _USUAL.items() if code in tags)
        if not plain or not self._is_silent(tags):
            return None
        kind = self._number(tags, _SAMPLE_FORMAT, 1), self._number(tags, _BITS, 1)
        height, width = self._number(tags, _HEIGHT), self._number(tags, _WIDTH)
        if kind not in _KINDS or height < 2 or width < 2:
            return None
        dtype = np.dtype(self._order + _KINDS[kind])
        offset = self._offset(tags, height * width * dtype.itemsize)
        return None if offset is None else ImageHeader(1, height, width, dtype.str, offset, None)

    def _tags(self) -> dict[int, _Tag] | None:
        """Tags of the first directory, if it is the only one."""
        if not self._order or len(self._head) < 8:
            return None
        (begin,) = struct.unpack_from(f"{self._order}I", self._head, 4)
        count = struct.unpack(f"{self._order}H", self._bytes(begin, 2) or b"\0\0")[0]
        entries = self._bytes(begin + 2, 12 * count + 4)
        if not 0 < count <= _MOST_TAGS or entries is None or any(entries[-4:]):
            return None
        found = struct.iter_unpack(f"{self._order}HHI4s", entries[:-4])
        return {code: _Tag(kind, number, inline) for code, kind, number, inline in found}

    def _is_silent(self, tags: dict[int, _Tag]) -> bool:
        """Whether the texts of a file say nothing of the image but, as tifffile writes it, its shape."""
        if _SOFTWARE in tags and _SCANIMAGE in (self._text(tags[_SOFTWARE]) or _SCANIMAGE):
            return False
        if _DESCRIPTION not in tags:
            return True
        try:
            said = json.loads((self._text(tags[_DESCRIPTION]) or b"").strip(b"\0 "))
        except ValueError:
            return False
        return bool(said == {"shape": [self._number(tags, _HEIGHT), self._number(tags, _WIDTH)]})

    def _offset(self, tags: dict[int, _Tag], needed: int) -> int | None:
        """Where the values begin, if they lie in one piece."""
        if _OFFSETS not in tags or _COUNTS not in tags:
            return None
        offsets, counts = self._numbers(tags[_OFFSETS]), self._numbers(tags[_COUNTS])
        if not offsets or len(offsets) != len(counts) or sum(counts) != needed or offsets[0] + needed > self._size:
            return None
        ends = (offset + count for offset, count in zip(offsets, counts, strict=True))
        return offsets[0] if all(end == begin for end, begin in zip(ends, offsets[1:], strict=False)) else None

    def _number(self, tags: dict[int, _Tag], code: int, default: int = 0) -> int:
        numbers = self._numbers(tags[code]) if code in tags else (default,)
        return numbers[0] if len(numbers) == 1 else 0

    def _numbers(self, tag: _Tag) -> tuple[int, ...]:
        """Values of a tag; none where they are no numbers, or the file ends before them."""
        if tag.kind not in _NUMBERS or not 0 < tag.length <= _MOST_STRIPS:
            return ()
        code = f"{self._order}{tag.length}{_NUMBERS[tag.kind]}"
        values = self._value(tag, struct.calcsize(code))
        return () if values is None else struct.unpack(code, values)

    def _text(self, tag: _Tag) -> bytes | None:
        return self._value(tag, tag.length) if tag.kind == _TEXT and tag.length < _HEAD_BYTES else None

    def _value(self, tag: _Tag, size: int) -> bytes | None:
        if size <= 4:
            return tag.inline[:size]
        return self._bytes(struct.unpack(f"{self._order}I", tag.inline)[0], size)

    def _bytes(self, begin: int, size: int) -> bytes | None:
        """Part of the file; None where it ends before."""
        if begin + size > len(self._head):
            self._file.seek(begin)
            found = self._file.read(size)
        else:
            found = self._head[begin : begin + size]
        return found if len(found) == size else None
