"""The zoo: all models that can be picked, shipped with the package or the user's own.

Nothing here goes to the network: what can be downloaded stands in `registry`, and `remote` fetches it.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..data.images.user_folder import home as home
from ..data.images.user_folder import unused_path
from ..errors import UserError
from .model_file import Card, Model, Storage, read_card, read_model, save_model
from .tasks import task_of

SHIPPED = Path(__file__).with_name("shipped")


SUFFIX = ".safetensors"


RECOMMENDED = "unet-4-200"


_RESTORERS = {
    "denoise": "stem-denoise",
    "remove-background": "stem-remove-background",
    "super-resolve": "stem-super-resolve",
}


_WHY = {"segment": "of those that ship, level with the best on small particles and ahead on large ones"}
"""Measured in docs/measurements/few-labels.md."""


_WHY_RESTORER = "it does the task already, and goes on from there"
"""Measured in docs/measurements/restoration.md."""


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
    """Return where the curves of the training of an own model are kept, as a table; few models have one."""
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


def recommended_start(task: str = "segment") -> str:
    """Return the name of the shipped model that learning a task had best begin with; ``scratch`` if there is none."""
    entries = [entry for entry in list_models() if entry.origin == "shipped"]
    if _RESTORERS.get(task) in [entry.name for entry in entries]:
        return _RESTORERS[task]
    starts = [entry.name for entry in entries if task_of(entry.card.task).is_pretext]
    return starts[0] if starts else "scratch"


def why_recommended(task: str) -> str:
    """Return why `recommended_start` names what it does, as part of a sentence."""
    return _WHY.get(task, _WHY_RESTORER)


def find_model(name: str | Path) -> Path:
    """Return the file of a model given by zoo name or path; raises `UserError` naming what there is."""
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
    return model.renamed(_name_of(path, model.card))


def load_card(name: str | Path) -> Card:
    """Load the card alone of a model by zoo name or path; raises `UserError` as `load_model` does."""
    path = find_model(name)
    card = read_card(path)
    return card.model_copy(update={"name": _name_of(path, card)})


def add_model(model: Model, overwrite: bool = False) -> Path:
    """Put a model into the user's zoo and return its file.

    Raises
    ------
    UserError
        When the name is no file name, or taken and `overwrite` is False.

    """
    return save_model(model, _place_without_curves(model.name, overwrite))


def import_model(path: str | Path, name: str | None = None, overwrite: bool = False) -> Path:
    """Check a model file and put a copy into the user's zoo under `name`, by default the one on its card."""
    model = read_model(path)
    return add_model(model if name is None else model.renamed(name), overwrite)


def adopt_file(path: Path, name: str, overwrite: bool = False) -> Path:
    """Move a checked model file into the user's zoo, byte for byte; raises `UserError` as `add_model` does."""
    place = _place_without_curves(name, overwrite)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return path.replace(place)
    except OSError as error:
        raise UserError(f"Cannot write '{place}': {error.strerror or error}.") from error


def remove_model(name: str) -> Path:
    """Delete an own model and return the file that was; raises `UserError` when it is not there or not the user's."""
    path = own_file(name)
    try:
        path.unlink()
    except OSError as error:
        raise UserError(f"Cannot remove '{path}': {error.strerror or error}.") from error
    curve_file(name).unlink(missing_ok=True)
    return path


def rename_model(old: str, new: str) -> Path:
    """Give an own model another name, on its card too; raises `UserError` when it is taken or no name."""
    path = own_file(old)
    renamed = add_model(read_model(path).renamed(new))
    path.unlink()
    if curve_file(old).is_file():
        curve_file(old).replace(curve_file(new))
    return renamed


def export_model(name: str | Path, path: str | Path, storage: Storage | None = None, overwrite: bool = False) -> Path:
    """Write a copy of a model to a file for use elsewhere; `storage` as in `save_model`."""
    return save_model(load_model(name), path, overwrite, storage)


def own_file(name: str) -> Path:
    """Return the file of an own model, readable or not; raises `UserError` when there is none."""
    check_name(name)
    path = own_folder() / f"{name}{SUFFIX}"
    if path.is_file():
        return path
    if name in _shipped_names():
        raise UserError(f"'{name}' came with the program and stays as it is. Only own models can be changed.")
    own = ", ".join(entry.name for entry in _entries(own_folder(), "own")) or "none yet"
    raise UserError(f"There is no own model '{name}'. Own models: {own}.")


def own_with_checksum(sha256: str, name: str | None = None) -> Path | None:
    """Return the own model whose file has this SHA-256 (and this name), or None."""
    paths = [own_folder() / f"{name}{SUFFIX}"] if name else sorted(own_folder().glob(f"*{SUFFIX}"))
    return next((path for path in paths if path.is_file() and checksum(path) == sha256), None)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_name(name: str) -> str:
    """Return `name`; raises `UserError` when a model cannot be called so."""
    if not re.fullmatch(r"[\w][\w .+()-]*", name):
        raise UserError(f"'{name}' is no name for a model. Use letters, digits, spaces, '-', '_' and '.'.")
    return name


def free_place(name: str, overwrite: bool = False) -> Path:
    """Return the file that an own model of this name goes to; raises `UserError` when the name will not do."""
    check_name(name)
    if name in _shipped_names():
        raise UserError(f"'{name}' is the name of a shipped model. Choose another name.")
    path = own_folder() / f"{name}{SUFFIX}"
    if path.exists() and not overwrite:
        raise UserError(f"There is a model '{name}' already. Choose another name, or replace it with --overwrite.")
    return path


def _place_without_curves(name: str, overwrite: bool) -> Path:
    """Return the place of a new model; curves that one of its name has left there are not its own."""
    place = free_place(name, overwrite)
    curve_file(name).unlink(missing_ok=True)
    return place


def _shipped_names() -> set[str]:
    return {entry.name for entry in _entries(SHIPPED, "shipped")}


def _entries(folder: Path, origin: Literal["shipped", "own"]) -> list[ZooEntry]:
    return [found for found in _files(folder, origin) if isinstance(found, ZooEntry)]


def _files(folder: Path, origin: Literal["shipped", "own"]) -> Iterator[ZooEntry | DamagedModel]:
    """Yield what each model file of a folder is; one that is taken away meanwhile is none."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError):
            size = path.stat().st_size
            try:
                card = read_card(path)
            except UserError as error:
                if path.exists():
                    yield DamagedModel(path.stem, path, size, str(error))
                continue
            yield ZooEntry(_name_of(path, card), path, card, size, origin)


def _name_of(path: Path, card: Card) -> str:
    """An own model is called by its file, whatever stands on its card; all others by their card."""
    return path.stem if path.parent == own_folder() else card.name


def _rank(entry: ZooEntry) -> int:
    """Generators before finished models; among them the recommended one first."""
    if not task_of(entry.card.task).is_pretext:
        return 2
    return 0 if entry.name == RECOMMENDED else 1


def free_name(wanted: str) -> str:
    """Return the name, with a number behind it where it is taken."""
    shipped = {entry.name for entry in list_models() if entry.origin == "shipped"}
    name = unused_path(own_folder(), wanted, ".safetensors").stem if wanted not in shipped else f"{wanted} (own)"
    return name if name not in shipped else free_name(f"{name} (own)")
