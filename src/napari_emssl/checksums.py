"""Checksums of a model file, beside its card: one of the card, one of the weights, since disks and copies flip bits.

A safetensors file is the length of its header (8 bytes), the header (JSON), and the weights. The checksums stand in the
header's metadata; files of earlier versions have none, and earlier versions pass over them.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from .errors import UserError

_KEY, _CARD, _METADATA = "napari_emssl_crc32", "napari_emssl", "__metadata__"
_PART = 1 << 24


def with_checksums(content: bytes) -> bytes:
    """Return the bytes of a model file with checksums in its header."""
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    card = header[_METADATA][_CARD]
    header[_METADATA] = {_CARD: card, _KEY: f"{_checksum_of(card, header)} {zlib.crc32(memoryview(content)[begin:])}"}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, memoryview(content)[begin:]])


def check_sum(path: Path, metadata: Mapping[str, str], with_weights: bool) -> None:
    """Raise `UserError` where a file that can be read is not as it was written.

    Parameters
    ----------
    path
        A safetensors file.
    metadata
        Its metadata.
    with_weights
        Whether the weights are compared too, for which the whole file is read.

    """
    words = metadata.get(_KEY, "").split()
    if not words:
        return
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        found = [str(_checksum_of(metadata.get(_CARD, ""), header))]
        if with_weights:
            total = 0
            while part := file.read(_PART):
                total = zlib.crc32(part, total)
            found.append(str(total))
    if words[: len(found)] != found:
        raise UserError(f"'{path}' is damaged: its contents do not match its checksum. Fetch or copy it again.")


def _checksum_of(card: str, header: Mapping[str, object]) -> int:
    """Checksum of the card and of what the header says of the arrays."""
    arrays = {name: described for name, described in header.items() if name != _METADATA}
    return zlib.crc32((card + json.dumps(arrays, sort_keys=True)).encode())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
