"""The models that are here, damaged, or to be downloaded, as rows of a table. No Qt."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ...errors import UserError
from ...models.model_file import Card, count_parameters
from ...models.registry import Offer, RemoteModel
from ...models.tasks import task_of
from ...models.zoo import DamagedModel, ZooEntry, damaged_models, list_models
from ...networks.catalog import receptive_field_of

Origin = Literal["shipped", "own", "remote", "damaged"]
Action = Literal["apply", "fine-tune", "adapt", "export", "rename", "delete", "download"]

_HERE: dict[Action, str] = {
    "apply": "Apply it to an image: opens the dock 'EM SSL Apply model' with this model.",
    "fine-tune": "Train a model on a few painted particles, starting from this one: opens the dock 'EM SSL Fine-tune'.",
    "adapt": "Pretrain it further on your own images: opens the dock 'EM SSL Pretrain' with this start.",
    "export": "Write a copy to a file, for another computer or to publish it.",
    "rename": "Give it another name.",
    "delete": "Delete it, after asking.",
    "download": "Download it, check it and add it to your own models.",
}


@dataclass(frozen=True)
class ZooRow:
    """One model of the table."""

    name: str
    origin: Origin
    bytes: int
    task: str = ""
    network: str = ""
    receptive_field: int | None = None
    """Edge in pixels of what reaches one output pixel."""
    parameters: int | None = None
    date: str = ""
    """Day of its last training, ``2026-11-24``."""
    path: Path | None = None
    card: Card | None = None
    remote: RemoteModel | None = None
    trouble: str = ""
    """Why its file cannot be read."""

    @property
    def key(self) -> tuple[str, str]:
        """What it is found by when the table is read again."""
        return ("remote" if self.remote else str(self.path)), self.name

    @property
    def search_text(self) -> str:
        """What a search looks into, in lower case."""
        licence = self.card.licence if self.card else self.remote.licence if self.remote else ""
        words = (self.name, self.origin, self.task, self.network, self.description, licence)
        return " ".join(words).casefold()

    @property
    def description(self) -> str:
        """What its maker says of it."""
        return self.card.description if self.card else self.remote.description if self.remote else ""

    def hint(self, action: Action) -> str:
        """Return what an action does, or why it cannot be done with this model."""
        return self.refusal(action) or _HERE[action]

    def refusal(self, action: Action) -> str:
        """Return why an action cannot be done with this model; empty when it can."""
        if self.origin == "damaged":
            return "" if action == "delete" else "Its file cannot be read. It can only be deleted."
        if self.origin == "remote":
            return "" if action == "download" else "It is not on this computer yet. Download it first."
        return self._refusal_here(action)

    def _refusal_here(self, action: Action) -> str:
        generator = self.card is not None and task_of(self.card.task).is_pretext
        reasons: dict[Action, tuple[bool, str]] = {
            "download": (True, "It is already on this computer."),
            "rename": (self.origin == "shipped", "It came with the program and cannot be changed."),
            "delete": (self.origin == "shipped", "It came with the program and cannot be changed."),
            "apply": (generator, "A generator is a start for fine-tuning, not a finished model: fine-tune it first."),
            "adapt": (not generator, "Only generators are pretrained further. Fine-tune this model instead."),
        }
        holds, reason = reasons.get(action, (False, ""))
        return reason if holds else ""


def local_rows() -> list[ZooRow]:
    """Read the models on this computer, damaged files last; takes about a millisecond each."""
    return [*_rows_of(list_models()), *map(_damaged, damaged_models())]


def remote_rows(offer: Offer, here: Iterable[ZooRow]) -> list[ZooRow]:
    """Return the models that registries offer and that are not on this computer under the same name."""
    names = {row.name for row in here}
    return [_remote(model) for model in offer.models if model.name not in names]


def _rows_of(entries: Iterable[ZooEntry]) -> Iterator[ZooRow]:
    for entry in entries:
        with suppress(Exception):  # a file that is being taken away: the next reading tells
            yield _local(entry)


def _local(entry: ZooEntry) -> ZooRow:
    card = entry.card
    return ZooRow(
        name=entry.name,
        origin=entry.origin,
        bytes=entry.bytes,
        task=card.task,
        network=network_text(card.network.name, card.network.width),
        receptive_field=_reach(card.network.name, card.network.refine),
        parameters=count_parameters(entry.path),
        date=card.history[-1].date[:10] if card.history else _day(entry.path),
        path=entry.path,
        card=card,
    )


def _damaged(file: DamagedModel) -> ZooRow:
    return ZooRow(file.name, "damaged", file.bytes, path=file.path, trouble=file.reason)


def _remote(model: RemoteModel) -> ZooRow:
    return ZooRow(
        name=model.name,
        origin="remote",
        bytes=model.bytes,
        task=model.task,
        network=network_text(model.network, model.width),
        receptive_field=_reach(model.network, refine=False),
        parameters=model.parameters,
        remote=model,
    )


def network_text(name: str, width: int | None) -> str:
    """Return a network's name, and its width where it is not the usual one."""
    return name if width is None else f"{name} ×{width}"


def _reach(network: str, refine: bool) -> int | None:
    try:
        return receptive_field_of(network, refine)
    except UserError:
        return None


def _day(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d")
