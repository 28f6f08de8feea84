"""What all simulations write to their folder, once an earlier one is cleared away: how the images were made."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...atomic_files import replacing
from ...errors import UserError


def clear_folder(folder: Path, names: Iterable[str], ours: str, overwrite: bool) -> None:
    """Delete the images of an earlier simulation in a folder, where that is allowed.

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
        If there are files in a sub-folder and `overwrite` is false.

    """
    there = [path for name in names if (folder / name).is_dir() for path in sorted((folder / name).iterdir())]
    if there and not overwrite:
        raise UserError(f"{folder} holds images already ({there[0]}). Choose another folder, or allow overwriting.")
    for path in there:
        if re.fullmatch(ours, path.name):
            path.unlink()


def write_record(
    folder: Path, kind: str, count: int, settings: Mapping[str, object], seed: int, overwrite: bool
) -> None:
    """Write ``settings.json``: how the images of a folder were made.

    Parameters
    ----------
    folder
        The folder of the simulation.
    kind
        ``hrtem``, ``stem`` or ``collage``.
    count
        Number of images.
    settings
        Every setting, as JSON can hold them.
    seed
        Of everything random.
    overwrite
        Whether a file that is there may be replaced.

    Raises
    ------
    UserError
        If it is there and `overwrite` is false, or cannot be written.

    """
    record = {"simulate": kind, "count": count, "seed": seed, "settings": settings}
    write_text(folder / "settings.json", json.dumps(record, indent=2) + "\n", overwrite)


def write_text(path: Path, text: str, overwrite: bool) -> None:
    """Write a text file in UTF-8.

    Parameters
    ----------
    path
        The file to write.
    text
        What it holds.
    overwrite
        Whether a file that is there may be replaced.

    Raises
    ------
    UserError
        If it is there and `overwrite` is false, or cannot be written.

    """
    with replacing(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
