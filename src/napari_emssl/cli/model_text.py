"""Models in the terminal: rows of a table, lines of a card."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import NotRequired, TypedDict, cast

from ..formatting import counted
from ..models.card import context_of, more_on_data, objects_of
from ..models.model_file import Card, Stage, count_parameters
from ..models.registry import RemoteModel
from ..models.zoo import ZooEntry

_COLUMNS = ("name", "network", "task", "parameters", "size", "origin", "licence")
_LICENCE_WIDTH = 40
"""Licences of many sources would make every line wrap; `models info` shows them in full."""
_MOST_GROUPS = 20


class ListedModel(TypedDict):
    """What ``models list --json`` says of a model."""

    name: str
    network: str
    width: int | None
    task: str
    parameters: int
    bytes: int
    licence: str
    origin: str
    context: NotRequired[str]
    """Only of models in context: what they remember."""
    storage: NotRequired[str]
    path: NotRequired[str]
    """Only of models that are here, as `storage`."""
    sha256: NotRequired[str]
    description: NotRequired[str]
    urls: NotRequired[list[str]]
    """Only of models that can be downloaded, as `sha256` and `description`."""


def own_row(entry: ZooEntry) -> ListedModel:
    """Return the row of a model that is here."""
    context = context_of(entry.card)
    row: ListedModel = {
        "name": entry.name,
        "network": entry.card.network.name,
        "width": entry.card.network.width,
        "task": entry.card.task,
        "parameters": count_parameters(entry.path),
        "bytes": entry.bytes,
        "licence": entry.card.licence,
        "origin": entry.origin,
        "storage": entry.card.storage,
        "path": str(entry.path),
    }
    return {**row, "context": context} if context else row


def remote_row(model: RemoteModel) -> ListedModel:
    """Return the row of a model that can be downloaded."""
    return {
        "name": model.name,
        "network": model.network,
        "width": model.width,
        "task": model.task,
        "parameters": model.parameters,
        "bytes": model.bytes,
        "licence": model.licence,
        "sha256": model.sha256,
        "description": model.description,
        "origin": "remote",
        "urls": list(model.urls),
    }


def print_table(rows: list[ListedModel]) -> None:
    """Print the rows under their headings, columns aligned."""
    table = [_COLUMNS, *([_cell(row, column) for column in _COLUMNS] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(_COLUMNS))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(row: ListedModel, column: str) -> str:
    """Text of a cell; a size is given in MB, and a model in context is told from those that were trained."""
    if column == "task" and "context" in row:
        return f"{row['task']}, in context"
    if column == "licence":
        return shorten(row["licence"], _LICENCE_WIDTH, placeholder=" ...")
    return f"{row['bytes'] / 1e6:.2f} MB" if column == "size" else str(cast(dict[str, object], row)[column])


def remote_lines(model: RemoteModel) -> list[str]:
    """Return what is known of a model before it is downloaded, line by line."""
    lines = [
        model.name,
        f"  file          not downloaded yet: 'napari-emssl models pull {model.name}' ({model.bytes / 1e6:.2f} MB)",
        f"  task          {model.task}",
        f"  network       {_network(model.network, model.width, model.parameters)}",
        f"  licence       {model.licence}",
        f"  sha256        {model.sha256}",
        *(f"  address       {url}" for url in model.urls),
    ]
    return lines + ([f"  description   {model.description}"] if model.description else [])


def card_lines(card: Card, path: Path) -> list[str]:
    """Return what a card says, and the file it belongs to, line by line."""
    lines = [
        card.name,
        f"  file          {path} ({path.stat().st_size / 1e6:.2f} MB, weights as {card.storage})",
        f"  task          {card.task}",
        f"  network       {_network(card.network.name, card.network.width, count_parameters(path))}",
        f"  licence       {card.licence}",
    ]
    if card.classes:
        lines.append(f"  classes       {', '.join(item.name for item in card.classes)}")
    if card.network.painted:
        lines.append(f"  context       made in context; remembers {context_of(card)}")
    if adds := _added_to(card):
        lines.append(f"  result        {adds}")
    if card.pixel_size_nm:
        low, high = (f"{size:.3g}" for size in card.pixel_size_nm)
        lines.append(f"  pixel size    {low if low == high else f'{low} to {high}'} nm")
    if card.description:
        lines.append(f"  description   {card.description}")
    for number, stage in enumerate(card.history, start=1):
        lines += _lines_of_stage(number, stage)
    return lines


def _added_to(card: Card) -> str:
    """Say what a denoiser adds to; empty for any other model."""
    spec = card.network
    parts = [f"added to the image smoothed by a Gaussian of {spec.smoothing_px:g} px"] if spec.smoothing_px else []
    parts += [f"{spec.image_share:.0%} of it the noisy image itself"] if spec.image_share else []
    return ", ".join(parts)


def _network(name: str, width: int | None, parameters: int) -> str:
    return name + (f", width {width}" if width else "") + f", {parameters} parameters"


def _lines_of_stage(number: int, stage: Stage) -> list[str]:
    scores = ", ".join(f"{name} {value:.4g}" for name, value in stage.metrics.items())
    done = "nothing trained" if stage.job == "in_context" else counted(stage.steps, "step")
    lines = [f"  stage {number}       {stage.job} from {stage.start or 'scratch'}, {done}, {stage.date}"]
    more = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in more_on_data(stage).items())
    facts = {"validation": scores, "data": stage.data.get("summary"), "more": more, "objects": objects_of(stage)}
    lines += [f"    {name:<11} {fact}" for name, fact in facts.items() if fact]
    return lines + ([f"    command     {stage.command}"] if stage.command else [])


def grouped(names: Sequence[str], parts: int = 2) -> list[str]:
    """Return names in short: their first parts, and how many begin so; at most twenty groups.

    >>> grouped(["encoder.conv1.weight", "encoder.layer1.0.bn1.bias", "encoder.layer1.0.bn1.weight"])
    ['encoder.conv1 (1)', 'encoder.layer1 (2)']
    """
    counts = Counter(".".join(name.split(":")[0].split(".")[:parts]) for name in names)
    if len(counts) > _MOST_GROUPS and parts > 1:
        return grouped(names, parts - 1)
    shown = [f"{begin} ({count})" for begin, count in counts.most_common(_MOST_GROUPS)]
    return [*shown, f"and {len(counts) - len(shown)} more"] if len(counts) > len(shown) else shown
