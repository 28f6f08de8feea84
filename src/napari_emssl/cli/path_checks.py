"""The files a command reads and writes: flags that commands share, checks before any work, JSON written to a file."""

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..atomic_files import sweep_once, write_text
from ..errors import UserError
from ..training.file_lock import holds_something

ImageChoice = Annotated[
    str | None,
    Parameter(
        name="--image",
        help="Which image to use from files that hold several (detectors, series): its name, its number counted "
        "from 1, or all. Default: HAADF if there is one, otherwise recorded data rather than a picture of them, "
        "otherwise the first by name.",
    ),
]

Overwrite = Annotated[bool, Parameter(negative="", group="Output", help="Replace existing files.")]
Quiet = Annotated[bool, Parameter(negative="", group="Output", help="Show warnings only.")]
OutputFolder = Annotated[Path, Parameter(name=("--output", "-o"), group="Output", help="The folder to write to.")]


def require_existing(paths: Iterable[Path]) -> None:
    """Raise `UserError` for the first path that is not there."""
    for path in paths:
        if not path.exists():
            raise UserError(f"There is no file or folder '{path}'. Check the name.")


def require_no_folder(path: Path) -> None:
    """Raise `UserError` when a file is to be written where a folder is."""
    if path.is_dir():
        raise UserError(f"'{path}' is a folder. Name a file in it.")


def require_writable_file(path: Path, overwrite: bool = False) -> None:
    """Raise `UserError` unless `path` can be written, replacing nothing without permission; leaves nothing behind."""
    require_no_folder(path)
    if path.exists() and not path.is_file():
        raise UserError(f"'{path}' is a pipe or a device. Name a file.")
    if path.exists() and not overwrite:
        raise UserError(f"'{path}' exists. Choose another name, or pass --overwrite to replace it.")
    require_writable_folder(path.parent)


def require_writable_folder(folder: Path) -> None:
    """Raise `UserError` unless files can be made in `folder`, which need not exist; leaves nothing behind."""
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise UserError(f"'{there}' is a file, so nothing can be written to '{folder}'. Choose another folder.")
    try:
        # trying is the only sure way: permissions, quotas and read-only network drives all count
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UserError(f"Cannot write to '{there}': {error.strerror}. Choose another folder.") from error


def require_empty_folder(folder: Path, overwrite: bool) -> None:
    """Raise `UserError` when `folder` holds files that might be replaced."""
    require_writable_folder(folder)
    sweep_once(folder)  # a killed run leaves names that are nobody's files
    if not overwrite and holds_something(folder):
        raise UserError(f"Folder '{folder}' is not empty. Choose another, or pass --overwrite to replace its files.")


def check_distinct(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise `UserError` when an output would replace an input or another output.

    Parameters
    ----------
    outputs
        Files and folders to be written, there or not.
    inputs
        Files that are read, and folders, in which images are.

    """
    read = [Path(os.path.realpath(path)) for path in inputs]
    taken = set(read)
    for path in outputs:
        real = Path(os.path.realpath(path))
        if real in taken or _image_of(real, read):
            raise UserError(f"'{path}' would replace a file that is read or written here. Choose another name.")
        taken.add(real)


def _image_of(file: Path, folders: list[Path]) -> bool:
    """Whether `file` is there, in one of `folders`, and an image by its name."""
    if not file.is_file() or not any(folder in file.parents for folder in folders):
        return False
    from ..data.images.folder_rules import is_image_name  # late: it reads files of many formats

    return is_image_name(file.name)


def write_json(path: Path, content: object) -> None:
    """Write JSON to a file, or to stdout where `path` is ``-``; in ASCII where stdout cannot write every letter."""
    on_screen = str(path) == "-"
    letters = not on_screen or str(getattr(sys.stdout, "encoding", None)).lower().startswith("utf")
    text = json.dumps(finite(content), indent=2, ensure_ascii=not letters) + "\n"
    if on_screen:
        sys.stdout.write(text)
        return
    write_text(path, text, overwrite=True)  # whether it may be replaced was asked before the work


def finite(content: object) -> object:
    """Return `content` with None for NaN and infinities, which JSON cannot express."""
    if isinstance(content, Mapping):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
