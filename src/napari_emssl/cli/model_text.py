"""What the terminal tells of models: rows of a table, lines of a card."""

from pathlib import Path
from typing import Any

from ..models.model_file import Card, Stage, count_parameters
from ..models.registry import RemoteModel
from ..models.zoo import ZooEntry

_COLUMNS = ("name", "network", "task", "parameters", "size", "licence", "origin")


def row_of(entry: ZooEntry) -> dict[str, Any]:
    """Return what ``models list --json`` tells of a model that is here."""
    return {
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


def row_of_remote(model: RemoteModel) -> dict[str, Any]:
    """Return what ``models list --json`` tells of a model that can be downloaded."""
    fields = ("name", "network", "width", "task", "parameters", "bytes", "licence", "sha256", "description")
    return {name: getattr(model, name) for name in fields} | {"origin": "remote", "urls": list(model.urls)}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table."""
    table = [_COLUMNS, *([str(_cell(row, column)) for column in _COLUMNS] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(_COLUMNS))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(row: dict[str, Any], column: str) -> Any:
    return f"{row['bytes'] / 1e6:.2f} MB" if column == "size" else row[column]


def lines_of_remote(model: RemoteModel) -> list[str]:
    """Return what is known of a model before it is downloaded."""
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


def lines_of(card: Card, path: Path) -> list[str]:
    """Return what a card says, and of which file."""
    lines = [
        card.name,
        f"  file          {path} ({path.stat().st_size / 1e6:.2f} MB, weights as {card.storage})",
        f"  task          {card.task}",
        f"  network       {_network(card.network.name, card.network.width, count_parameters(path))}",
        f"  licence       {card.licence}",
    ]
    if card.classes:
        lines.append(f"  classes       {', '.join(item.name for item in card.classes)}")
    if card.pixel_size_nm:
        lines.append(f"  pixel size    {card.pixel_size_nm[0]:.3g} to {card.pixel_size_nm[1]:.3g} nm")
    if card.description:
        lines.append(f"  description   {card.description}")
    for number, stage in enumerate(card.history, start=1):
        lines += _lines_of_stage(number, stage)
    return lines


def _network(name: str, width: int | None, parameters: int) -> str:
    return name + (f", width {width}" if width else "") + f", {parameters} parameters"


def _lines_of_stage(number: int, stage: Stage) -> list[str]:
    scores = ", ".join(f"{name} {value:.4g}" for name, value in stage.metrics.items())
    lines = [f"  stage {number}       {stage.job} from {stage.start or 'scratch'}, {stage.steps} steps, {stage.date}"]
    lines += [f"    validation  {scores}"] if scores else []
    lines += (
        [f"    data        {', '.join(f'{key}: {value}' for key, value in stage.data.items())}"] if stage.data else []
    )
    return lines + ([f"    command     {stage.command}"] if stage.command else [])
