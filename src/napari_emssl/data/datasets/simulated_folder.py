"""What all simulations write alike: a folder cleared of an earlier one, and a record of how the images were made."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..images.writers import replacing


def clear_folder(folder: Path, names: Iterable[str], ours: str, overwrite: bool) -> None:
    """Refuse a folder that holds images in any of its sub-folders `names`, or delete those of an earlier simulation.

    Parameters
    ----------
    folder, names
        The folder to write to, and its sub-folders.
    ours
        Pattern of the file names that a simulation gives; other files stay.
    overwrite
        Whether an earlier simulation may be deleted.

    Raises
    ------
    UserError
        If there are files and `overwrite` is false.

    """
    there = [path for name in names if (folder / name).is_dir() for path in sorted((folder / name).iterdir())]
    if there and not overwrite:
        raise UserError(f"{folder} holds images already ({there[0]}). Choose another folder, or allow overwriting.")
    for path in there:
        if re.fullmatch(ours, path.name):
            path.unlink()


def write_record(folder: Path, kind: str, count: int, settings: dict[str, Any], seed: int, overwrite: bool) -> None:
    """Write ``settings.json``: how the images of a folder were made."""
    record = {"simulate": kind, "count": count, "seed": seed, "settings": settings}
    write_text(folder / "settings.json", json.dumps(record, indent=2) + "\n", overwrite)


def write_text(path: Path, text: str, overwrite: bool) -> None:
    """Write a text file in UTF-8; raises `UserError` when it is there and `overwrite` is false."""
    with replacing(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
