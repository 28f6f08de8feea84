"""The zoo: all models that can be picked, shipped with the package or the user's own."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import UserError
from .file import Card, Model, read_card, read_model, save_model

SHIPPED = Path(__file__).with_name("shipped")
SUFFIX = ".safetensors"
RECOMMENDED = "unet-3-96-w8"


@dataclass(frozen=True)
class ZooEntry:
    """A model that can be picked by name."""

    name: str
    path: Path
    card: Card
    bytes: int
    origin: Literal["shipped", "own", "remote"]


def home() -> Path:
    """Return the user's folder: ``$NAPARI_EMSSL_HOME`` or the platform's place for application data."""
    override = os.environ.get("NAPARI_EMSSL_HOME")
    if override:
        return Path(override)
    from platformdirs import user_data_path

    return user_data_path("napari-emssl", appauthor=False)


def own_folder() -> Path:
    """Return the folder of the user's own models."""
    return home() / "models"


def list_models() -> list[ZooEntry]:
    """Return all models: the recommended start first, then shipped ones, then own ones, newest first.

    Files that cannot be read are left out.
    """
    shipped = sorted(_entries(SHIPPED, "shipped"), key=lambda entry: (_rank(entry), entry.name))
    own = sorted(_entries(own_folder(), "own"), key=lambda entry: entry.path.stat().st_mtime, reverse=True)
    return shipped + own


def recommended_start() -> str:
    """Return the name of the generator to begin with, or ``scratch`` where none is shipped."""
    starts = [entry.name for entry in list_models() if entry.card.task == "reconstruct"]
    return starts[0] if starts else "scratch"


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
    return read_model(find_model(name))


def add_model(model: Model, overwrite: bool = False) -> Path:
    """Put a model into the user's zoo and return its file.

    Raises
    ------
    UserError
        When the name is no file name, or taken and `overwrite` is False.

    """
    if not re.fullmatch(r"[\w][\w .+()-]*", model.name):
        raise UserError(f"'{model.name}' is no name for a model. Use letters, digits, spaces, '-', '_' and '.'.")
    if any(entry.name == model.name for entry in _entries(SHIPPED, "shipped")):
        raise UserError(f"'{model.name}' is the name of a shipped model. Choose another name.")
    path = own_folder() / f"{model.name}{SUFFIX}"
    if path.exists() and not overwrite:
        raise UserError(f"There is a model '{model.name}' already. Choose another name.")
    return save_model(model, path)


def import_model(path: str | Path, overwrite: bool = False) -> Path:
    """Check a model file and put a copy into the user's zoo under the name on its card."""
    return add_model(read_model(path), overwrite)


def _entries(folder: Path, origin: Literal["shipped", "own"]) -> list[ZooEntry]:
    entries = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            card = read_card(path)
        except UserError:
            continue
        name = card.name if origin == "shipped" else path.stem
        entries.append(ZooEntry(name, path, card, path.stat().st_size, origin))
    return entries


def _rank(entry: ZooEntry) -> int:
    """Generators before finished models; among them the recommended one first."""
    if entry.card.task != "reconstruct":
        return 2
    return 0 if entry.name == RECOMMENDED else 1
