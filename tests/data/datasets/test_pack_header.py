"""Headers, tables and planes of packs are what was written, or the pack is refused in a sentence."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from napari_emssl.data.datasets.pack_file import PackedPlanes, write_pack
from napari_emssl.data.datasets.pack_header import HEADER_BYTES, MARK, write_header
from napari_emssl.data.datasets.plane_stores import ImagePlanes
from napari_emssl.data.images.opening import as_image
from napari_emssl.errors import UserError

PLANES = [np.arange(60, dtype=np.uint16).reshape(6, 10), np.full((4, 5), 0.5, np.float32)]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path, names = tmp_path / "a.pack", ["first", "second"]
    store = ImagePlanes([as_image(plane) for plane in PLANES])
    list(write_pack(path, store, (names, names, [1, 1]), {"layouts": ["array"], "hot_pixels": None}))
    return path


def outcome(path: Path) -> list[object]:
    """Everything a pack holds, or nothing where it is refused."""
    try:
        pack = PackedPlanes(path)
        return [pack.names, pack.origins, pack.counts.tolist(), *(pack.read(number).tolist() for number in range(2))]
    except UserError:
        return []


def test_no_flipped_byte_changes_what_is_read(pack: Path) -> None:
    content, rng = pack.read_bytes(), np.random.default_rng(0)
    whole, text = outcome(pack), len(content[:HEADER_BYTES].rstrip())
    places = [*rng.integers(8, text, 150), *rng.integers(HEADER_BYTES, len(content), 150)]
    refused = 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        pack.write_bytes(flipped)
        found = outcome(pack)
        assert found in ([], whole), f"byte {place}"
        refused += found == []
    assert refused > 150


FALSE_CLAIMS = [
    {"bytes": "9"},
    {"bytes": None},
    {"layouts": 3},
    {"hot_pixels": -1},
    {"scaling": {"low_percent": 99}},
    {"tables": []},
    {"tables": {"offset": 10**18}},
    {"tables": {"offset": 8192 + 64}},
    {"tables": {"bytes": 2**61}},
    {"tables": {"columns": [["offset", "<i8", 2**60]]}},
    {"tables": {"columns": [["offset", "|O", 2]]}},
]


@pytest.mark.parametrize("claim", FALSE_CLAIMS, ids=str)
def test_claims_that_cannot_be_are_refused(pack: Path, claim: dict[str, object]) -> None:
    content = pack.read_bytes()
    header = json.loads(content[len(MARK) : HEADER_BYTES])
    del header["crc32"]
    for name, value in claim.items():
        header[name] = header[name] | value if isinstance(value, dict) else value
    pack.write_bytes(write_header(header) + content[HEADER_BYTES:])
    with pytest.raises(UserError, match=r"a\.pack"):
        PackedPlanes(pack)


FALSE_TABLES = {"offset": -5, "height": 2**30, "width": 0, "dtype": b"|O", "white": np.nan, "planes": 9, "source": 2}


@pytest.mark.parametrize("column", FALSE_TABLES)
def test_tables_that_cannot_be_are_refused_though_their_checksum_is_right(pack: Path, column: str) -> None:
    content = bytearray(pack.read_bytes())
    header = json.loads(content[len(MARK) : HEADER_BYTES])
    _, dtype, count = next(each for each in header["tables"]["columns"] if each[0] == column)
    at = PackedPlanes(pack).header.columns[column][2]
    values = np.frombuffer(bytes(content), dtype, count, at).copy()
    values[0] = FALSE_TABLES[column]
    content[at : at + values.nbytes] = values.tobytes()
    tables = header["tables"]
    tables["crc32"] = zlib.crc32(content[tables["offset"] :])
    del header["crc32"]
    pack.write_bytes(write_header(header) + content[HEADER_BYTES:])
    # a plane that says -1 was damaged when it was packed; any other place outside of the file is refused
    with pytest.raises(UserError, match="cannot hold"):
        PackedPlanes(pack)


def test_packs_without_checksums_are_read(pack: Path) -> None:
    content = pack.read_bytes()
    header = json.loads(content[len(MARK) : HEADER_BYTES])
    del header["crc32"]
    pack.write_bytes((MARK + json.dumps(header).encode()).ljust(HEADER_BYTES) + content[HEADER_BYTES:])
    assert PackedPlanes(pack).read(0).tolist() == PLANES[0].tolist()
