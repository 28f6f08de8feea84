"""The zoo: all models that can be picked, shipped with the package or the user's own.

Nothing here uses the network: `registry` lists what can be downloaded, and `fetch` downloads it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..atomic_files import move
from ..checksums import sha256_of
from ..data.images.user_folder import check_name, home, unused_path
from ..errors import UserError
from .model_file import Card, Model, Storage, read_card, read_model, save_model
from .tasks import task_of

SHIPPED = Path(__file__).with_name("shipped")
"""Folder of the models that came with the package."""
SUFFIX = ".safetensors"
_OWN = " (own)"
"""Stands behind the name of an own model that is called like a shipped one."""
RECOMMENDED = ("context-unet-4-200-w16", "unet-4-200")
"""The generators that come first: to segment with, and to restore with."""


@dataclass(frozen=True)
class ZooEntry:
    """A model that can be picked by name."""

    name: str
    path: Path
    card: Card
    bytes: int
    origin: Literal["shipped", "own"]


@dataclass(frozen=True)
class DamagedModel:
    """An own file that cannot be read, and why."""

    name: str
    path: Path
    bytes: int
    reason: str


def own_folder() -> Path:
    """Return the folder of the user's own models."""
    return home() / "models"


def curve_file(name: str) -> Path:
    """Return where the training curves of an own model are kept, as a table; few models have one."""
    return home() / "curves" / f"{name}.csv"


def list_models() -> list[ZooEntry]:
    """Return all models: the recommended start first, then shipped ones, then own ones, newest first.

    Files that cannot be read are left out.
    """
    shipped = sorted(_entries(SHIPPED, "shipped"), key=lambda entry: (_rank(entry), entry.name))
    own = sorted(_entries(own_folder(), "own"), key=lambda entry: entry.path.stat().st_mtime, reverse=True)
    return shipped + own


def damaged_models() -> list[DamagedModel]:
    """Return the own files that cannot be read, which `list_models` leaves out."""
    return [found for found in _files(own_folder(), "own") if isinstance(found, DamagedModel)]


def find_model(name: str | Path) -> Path:
    """Return the file of a model given by zoo name or path; raises `UserError` listing the names there are."""
    path = Path(name)
    if path.suffix == SUFFIX or path.is_file():
        return path
    entries = {entry.name: entry.path for entry in reversed(list_models())}
    if str(name) in entries:
        return entries[str(name)]
    known = ", ".join(entries) or "none yet"
    raise UserError(f"There is no model '{name}'. Models by name: {known}. Or give the path of a model file.")


def load_model(name: str | Path) -> Model:
    """Load a model by zoo name or path; raises `UserError` when there is none or its file is damaged."""
    path = find_model(name)
    model = read_model(path)
    return model.renamed(_name_of(path, model.card, _shipped_names()))


def resolve_model(model: Model | str | Path) -> Model:
    """Return a model as it is, or load it by zoo name or path; raises `UserError` as `load_model` does."""
    return model if isinstance(model, Model) else load_model(model)


def load_card(name: str | Path) -> Card:
    """Load the card alone of a model by zoo name or path; raises `UserError` as `load_model` does."""
    path = find_model(name)
    card = read_card(path)
    return card.model_copy(update={"name": _name_of(path, card, _shipped_names())})


def add_model(model: Model, overwrite: bool = False) -> Path:
    """Put a model into the user's zoo and return its file.

    Raises
    ------
    UserError
        When the name is no file name, or taken and `overwrite` is False.

    """
    place = save_model(model, new_model_file(model.name, overwrite))
    curve_file(model.name).unlink(missing_ok=True)  # those of an earlier model, which is gone only now
    return place


def import_model(path: str | Path, name: str | None = None, overwrite: bool = False) -> Path:
    """Check a model file and put a copy into the user's zoo.

    Parameters
    ----------
    path
        The model file.
    name
        Name in the zoo; by default the one on its card.
    overwrite
        Whether an own model of that name may be replaced.

    Returns
    -------
    Path
        The file in the zoo.

    Raises
    ------
    UserError
        As `read_model` and `add_model`.

    """
    model = read_model(path)
    return add_model(model if name is None else model.renamed(name), overwrite)


def adopt_file(path: Path, name: str, overwrite: bool = False) -> Path:
    """Move a checked model file into the user's zoo, byte for byte.

    Parameters
    ----------
    path
        The file; it lies on the same disk as the zoo, so that moving it is renaming it.
    name
        Name in the zoo.
    overwrite
        Whether an own model of that name may be replaced.

    Returns
    -------
    Path
        The file in the zoo.

    Raises
    ------
    UserError
        As `add_model`, or when the folder cannot be written to.

    """
    place = new_model_file(name, overwrite)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        move(path, place)
    except OSError as error:
        raise UserError(f"Cannot write '{place}': {error.strerror or error}. Make room or check its folder.") from error
    curve_file(name).unlink(missing_ok=True)
    return place


def remove_model(name: str) -> Path:
    """Delete an own model and return what was its file; raises `UserError` when there is no such own model."""
    path = own_file(name)
    _delete(path)
    curve_file(name).unlink(missing_ok=True)
    return path


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise UserError(f"Cannot remove '{path}': {error.strerror or error}. Close programs that use it.") from error


def rename_model(old: str, new: str) -> Path:
    """Give an own model another name, on its card too; raises `UserError` when that is taken or cannot be one."""
    path = own_file(old)
    renamed = add_model(read_model(path).renamed(new))
    try:
        _delete(path)
    except UserError:
        renamed.unlink()
        raise
    if curve_file(old).is_file():
        curve_file(old).replace(curve_file(new))
    return renamed


def export_model(name: str | Path, path: str | Path, storage: Storage | None = None, overwrite: bool = False) -> Path:
    """Write a copy of a model to a file for use elsewhere.

    Parameters
    ----------
    name
        Zoo name or path of the model.
    path
        The file to write.
    storage
        See `save_model`.
    overwrite
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UserError
        As `load_model` and `save_model`.

    """
    return save_model(load_model(name), path, overwrite, storage)


def own_file(name: str) -> Path:
    """Return the file of an own model, readable or not; raises `UserError` when there is none."""
    check_name(name)
    path = own_folder() / f"{name}{SUFFIX}"
    plain = name.removesuffix(_OWN)
    if not path.is_file() and plain in _shipped_names():
        path = own_folder() / f"{plain}{SUFFIX}" if plain != name else path
    if path.is_file():
        return path
    if name in _shipped_names():
        raise UserError(f"'{name}' came with the program and cannot be changed. Only your own models can.")
    own = ", ".join(entry.name for entry in _entries(own_folder(), "own")) or "none yet"
    raise UserError(f"You have no model of your own called '{name}'. Your own models: {own}.")


def own_with_checksum(sha256: str, name: str | None = None) -> Path | None:
    """Return the own model whose file has this SHA-256 (and this name), or None."""
    paths = [own_folder() / f"{name}{SUFFIX}"] if name else sorted(own_folder().glob(f"*{SUFFIX}"))
    return next((path for path in paths if path.is_file() and sha256_of(path) == sha256), None)


def new_model_file(name: str, overwrite: bool = False) -> Path:
    """Return the file for an own model of this name; raises `UserError` when the name is taken or cannot be one."""
    check_name(name)
    if name in _shipped_names():
        raise UserError(f"'{name}' is the name of a shipped model. Choose another name.")
    path = own_folder() / f"{name}{SUFFIX}"
    if path.exists() and not overwrite:
        raise UserError(f"There is a model '{name}' already. Choose another name, or replace it with --overwrite.")
    return path


def _shipped_names() -> frozenset[str]:
    return frozenset(entry.name for entry in _entries(SHIPPED, "shipped"))


def _entries(folder: Path, origin: Literal["shipped", "own"]) -> list[ZooEntry]:
    return [found for found in _files(folder, origin) if isinstance(found, ZooEntry)]


def _files(folder: Path, origin: Literal["shipped", "own"]) -> Iterator[ZooEntry | DamagedModel]:
    """Yield an entry for each model file of a folder; one that is deleted meanwhile has none."""
    taken = _shipped_names() if origin == "own" else frozenset()
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except OSError as error:
        if isinstance(error, PermissionError):
            yield DamagedModel(folder.name, folder, 0, f"The folder '{folder}' cannot be searched ({error.strerror}).")
        return
    for path in paths:
        try:
            size, card = path.stat().st_size, read_card(path)
        except (UserError, OSError) as error:
            if os.path.lexists(path):  # a link that leads nowhere, or to itself, is there too
                why = f"'{path}' cannot be read ({error.strerror})." if isinstance(error, OSError) else str(error)
                yield DamagedModel(path.stem, path, path.lstat().st_size, why)
            continue
        yield ZooEntry(_name_of(path, card, taken), path, card, size, origin)


def _name_of(path: Path, card: Card, shipped: frozenset[str]) -> str:
    """Name of a model: an own one is called as its file, whatever its card says; all others as on their card.

    Where a shipped model has that name, which a newer version of the program may bring, the own one is told from it.
    """
    if path.parent != own_folder():
        return card.name
    return f"{path.stem}{_OWN}" if path.stem in shipped else path.stem


def _rank(entry: ZooEntry) -> int:
    """Rank in the list: generators before finished models, and the recommended ones first of all."""
    if not task_of(entry.card.task).is_pretext:
        return 2
    return RECOMMENDED.index(entry.name) - len(RECOMMENDED) if entry.name in RECOMMENDED else 1


def free_name(wanted: str) -> str:
    """Return the name for an own model, with a number behind it where an own model has it already.

    Shipped models keep their names to themselves: theirs get ``(own)`` behind.
    """
    shipped = {entry.name for entry in list_models() if entry.origin == "shipped"}
    name = unused_path(own_folder(), f"{wanted}{_OWN}" if wanted in shipped else wanted, SUFFIX).stem
    return name if name not in shipped else free_name(f"{name}{_OWN}")
