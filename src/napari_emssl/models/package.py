"""A model in a package of bioimage.io that this program wrote, as a folder or an archive."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..atomic_files import hidden_name, remove, sweep_once
from ..errors import UserError
from .model_file import read_card

MODEL_FILE = "model.safetensors"
"""The model as this program keeps it, beside the weights for others."""
DESCRIPTIONS = ("bioimageio.yaml", "rdf.yaml")
_MOST_RATIO = 200
"""Weights are hardly compressed at all; an archive that unpacks to more is no model but would fill the disk."""


@contextmanager
def model_file_in(path: Path) -> Iterator[Path]:
    """Give the model file in a package while the context is open; any other file is given as it is.

    Raises
    ------
    UserError
        When a folder or archive holds no model of this program, or an archive is damaged.

    """
    if path.is_dir():
        yield _in_folder(path)
    elif path.suffix.lower() == ".zip" and path.is_file():
        with _temporary_folder() as folder:
            yield _unpacked(path, folder / MODEL_FILE)
    elif path.name in DESCRIPTIONS:
        yield _in_folder(path.parent)
    else:
        yield path


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Give a private folder; that of a program that was killed is found by its name, and removed."""
    folder = hidden_name(Path(tempfile.gettempdir()) / "package")
    sweep_once(folder.parent)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        remove(folder)


def _in_folder(folder: Path) -> Path:
    if (folder / MODEL_FILE).is_file():
        return folder / MODEL_FILE
    foreign = any((folder / name).is_file() for name in DESCRIPTIONS)
    raise UserError(_lacks_model(folder) if foreign else f"'{folder}' is a folder without a model. Name a model file.")


def _unpacked(archive: Path, file: Path) -> Path:
    try:
        with zipfile.ZipFile(archive) as opened:
            # archives of whole folders have the package one level down
            found = [
                name for name in opened.namelist() if PurePosixPath(name).name == MODEL_FILE and name.count("/") < 2
            ]
            if not found:
                raise UserError(_lacks_model(archive))
            if opened.getinfo(found[0]).file_size > _MOST_RATIO * archive.stat().st_size:
                raise zipfile.BadZipFile("it claims more than weights can be compressed to")
            with opened.open(found[0]) as source, file.open("wb") as target:
                shutil.copyfileobj(source, target)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # zipfile and zlib raise errors of many kinds where an archive is damaged
        raise UserError(f"'{archive}' cannot be unpacked ({str(error)[:120]}). Fetch or copy it again.") from error
    try:
        read_card(file)
    except UserError as error:
        # its own message would name the temporary file
        raise UserError(f"{MODEL_FILE} in '{archive}' is damaged, or is not a model of this program.") from error
    return file


def _lacks_model(package: Path) -> str:
    return (
        f"'{package}' holds no {MODEL_FILE}: it was not exported by napari-emssl. If it holds the weights of one of "
        "the networks here, import their file with --network."
    )
