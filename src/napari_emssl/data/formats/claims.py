"""Whether a file can hold what its header says: checked before anything of that size is made."""

from pathlib import Path

import psutil

from ...errors import UserError
from ...formatting import bytes_in_words

_FREE_BYTES = 64 << 20
"""Up to this size a file may claim what it likes: making the array costs nothing."""
_MOST_RATIO = 20_000
"""Images that are wholly black compress a thousandfold with zlib, ten thousandfold with zstd; none more than this."""


def check_claim(claimed: int, stored: int) -> None:
    """Raise `ValueError` where so many bytes cannot be stored in so few, however well they are compressed."""
    if claimed > _FREE_BYTES and claimed > stored * _MOST_RATIO:
        held = bytes_in_words(stored) if stored >= 1e6 else f"{stored} bytes"
        raise ValueError(f"its header claims {bytes_in_words(claimed)}, but it holds {held}")


def check_memory(path: Path | str, needed: int) -> None:
    """Raise `UserError` where a plane of so many bytes has no place in the memory of this computer."""
    total = psutil.virtual_memory().total
    if needed > total:
        raise UserError(
            f"One plane of {path} takes {bytes_in_words(needed)}, and this computer has {bytes_in_words(total)} of "
            "memory. Cut the image into parts, or open it on a larger computer."
        )
