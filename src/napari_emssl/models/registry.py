"""Models that can be downloaded: JSON lists of name, size, SHA-256 and addresses.

One list ships with the package; a lab adds its own as files in the folder ``registries`` of the user's folder, or names
files and addresses in ``$NAPARI_EMSSL_REGISTRIES``, separated by ``;``.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from ..checksums import sha256_of
from ..data.images.user_folder import check_name, home
from ..errors import UserError
from ..json_text import parse_json
from .card import Count, Record, Text
from .fetch import Download, check_sha256, check_url, is_url, read_document
from .model_file import count_parameters, read_card
from .tasks import TaskName
from .zoo import SHIPPED

FORMAT_VERSION: Literal[1] = 1
VARIABLE = "NAPARI_EMSSL_REGISTRIES"


class RemoteModel(Record):
    """A model that can be downloaded: what `models list` shows of it, and where its file is."""

    name: Annotated[str, AfterValidator(check_name)]
    task: TaskName
    network: Text
    width: int | None = Field(None, ge=1, le=10**6)
    parameters: Count
    bytes: int = Field(gt=0, le=10**15)
    sha256: Annotated[str, AfterValidator(check_sha256)]
    urls: tuple[Annotated[str, AfterValidator(check_url)], ...] = Field(min_length=1)
    """Mirrors, tried in this order."""
    licence: Text = "unknown"
    description: Text = ""

    def download(self, name: str | None = None) -> Download:
        """Return what to fetch, what it must be, and its name in the zoo, by default this one."""
        return Download(self.urls, self.sha256, name or self.name, self.bytes)


class Registry(Record):
    """A list of models that can be downloaded."""

    format_version: Literal[1] = FORMAT_VERSION
    models: tuple[RemoteModel, ...] = ()


@dataclass(frozen=True)
class Offer:
    """Everything all registries offer."""

    models: tuple[RemoteModel, ...]
    complaints: tuple[str, ...]
    """A sentence for each registry that cannot be read."""

    def find(self, name: str) -> RemoteModel:
        """Return the model of this name; raises `UserError` naming what there is."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models) or (
            "none; the page 'Manage models' of the documentation says how to add a registry"
        )
        count = len(self.complaints)
        unread = f" {count} {'registry' if count == 1 else 'registries'} could not be read." if count else ""
        raise UserError(f"No registry offers a model '{name}'. Models to download: {known}.{unread}")


def read_offer(timeout_seconds: float = 5.0) -> Offer:
    """Read all registries, the user's before the shipped one; the first of two models with one name counts."""
    models: dict[str, RemoteModel] = {}
    complaints = []
    for place in registry_places():
        try:
            registry = read_registry(place, timeout_seconds)
        except UserError as error:
            complaints.append(str(error))
            continue
        for model in registry.models:
            models.setdefault(model.name, model)
    return Offer(tuple(models.values()), tuple(complaints))


def registry_places() -> Iterator[str]:
    """Yield the files and addresses of all registries, the user's first."""
    yield from (word.strip() for word in os.environ.get(VARIABLE, "").split(";") if word.strip())
    yield from map(str, sorted((home() / "registries").glob("*.json")))
    yield str(SHIPPED / "registry.json")


def read_registry(place: str, timeout_seconds: float = 5.0) -> Registry:
    """Read one registry from a file or an address; raises `UserError` when it cannot be reached or is none.

    The checksums of the models are taken from it, so its address must be ``https``, or on this machine.
    """
    try:
        text = read_document(place, timeout_seconds) if is_url(place) else _read_file(Path(place))
        raw = parse_json(text)
        if not isinstance(raw, dict):
            raise ValueError("it is not an object")
        version = raw.get("format_version")
        if version != FORMAT_VERSION:
            raise UserError(
                f"Registry '{place}' has version {version}; this program reads version "
                f"{FORMAT_VERSION}. Update napari-emssl, or ask for a registry of that version."
            )
        return Registry.model_validate(raw)
    except OSError as error:
        raise UserError(f"Registry '{place}' cannot be read: {error.strerror or error}. Check its name.") from error
    except ValidationError as error:
        raise UserError(
            f"Registry '{place}' is damaged: {_first(error)}. Ask its provider for another copy."
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"Registry '{place}' is not a JSON document of a registry. Check its name.") from error


def _read_file(path: Path) -> bytes:
    """Read a file; a pipe or device, from which reading might never end, is none."""
    if path.exists() and not path.is_file():
        raise UserError(f"Registry '{path}' is not a file. Check its name.")
    return path.read_bytes()


def registry_entry(path: Path, urls: tuple[str, ...]) -> RemoteModel:
    """Return the entry of a model file for a registry; raises `UserError` when it is no model, or an address is bad."""
    card = read_card(path)
    return RemoteModel(
        name=check_name(card.name),
        task=card.task,
        network=card.network.name,
        width=card.network.width,
        parameters=count_parameters(path),
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        urls=tuple(check_url(url) for url in urls),
        licence=card.licence,
        description=card.description,
    )


def _first(error: ValidationError) -> str:
    """Say what is wrong first, and where."""
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg'].removeprefix('Value error, ')}"
