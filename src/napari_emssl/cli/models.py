"""``napari-emssl models list | info | import``."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..models.file import Card, Stage, read_card, read_model
from ..models.zoo import ZooEntry, add_model, find_model, list_models
from .files import write_json

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def list_(
    *, json: Annotated[bool, Parameter(negative="", help="Print a JSON list of objects instead of a table.")] = False
) -> None:
    """List the models that can be picked by name, the recommended start first."""
    rows = [row_of(entry) for entry in list_models()]
    if json:
        write_json(Path("-"), rows)
    elif rows:
        _print_table(rows)
    else:
        print("There are no models yet. Pretrain one, or 'napari-emssl models import FILE'.")


def info_(
    model: Annotated[str, Parameter(help="A name of 'models list', or a model file.")],
    /,
    *,
    json: Annotated[bool, Parameter(negative="", help="Print the card as JSON.")] = False,
) -> None:
    """Show the card of a model: what it is and how it was made."""
    path = find_model(model)
    card = read_card(path)
    if json:
        write_json(Path("-"), card.model_dump(mode="json"))
        return
    print("\n".join(_lines_of(card, path)))


def import_(
    file: Annotated[Path, Parameter(help="The model file to copy.")],
    /,
    *,
    name: Annotated[str | None, Parameter(help="Name to pick it by; by default the name on its card.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an own model of that name.")] = False,
) -> None:
    """Copy a model file to the own models, so that it can be picked by name."""
    model = read_model(file)
    model = model if name is None else model.renamed(name)
    path = add_model(model, overwrite)
    print(f"Imported '{model.name}' to {path}.")


def row_of(entry: ZooEntry) -> dict[str, Any]:
    """Return what ``models list --json`` tells of one model."""
    return {
        "name": entry.name,
        "network": entry.card.network.name,
        "width": entry.card.network.width,
        "task": entry.card.task,
        "parameters": count_parameters(entry.path),
        "bytes": entry.bytes,
        "licence": entry.card.licence,
        "origin": entry.origin,
        "path": str(entry.path),
    }


def count_parameters(path: Path) -> int:
    """Return the number of trained parameters in a model file, from its header; norm statistics do not count."""
    from math import prod

    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        names = [name for name in file.keys() if not name.endswith(_STATISTICS)]  # noqa: SIM118
        return sum(prod(file.get_slice(name).get_shape()) for name in names)


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = ("name", "network", "task", "parameters", "size", "licence", "origin")
    table = [columns, *([str(_cell(row, column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(row: dict[str, Any], column: str) -> Any:
    return f"{row['bytes'] / 1e6:.2f} MB" if column == "size" else row[column]


def _lines_of(card: Card, path: Path) -> list[str]:
    network = card.network.name + (f", width {card.network.width}" if card.network.width else "")
    lines = [
        card.name,
        f"  file          {path} ({path.stat().st_size / 1e6:.2f} MB)",
        f"  task          {card.task}",
        f"  network       {network}, {count_parameters(path):,} parameters".replace(",", " ", 0),
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


def _lines_of_stage(number: int, stage: Stage) -> list[str]:
    scores = ", ".join(f"{name} {value:.4g}" for name, value in stage.metrics.items())
    lines = [f"  stage {number}       {stage.job} from {stage.start or 'scratch'}, {stage.steps} steps, {stage.date}"]
    lines += [f"    validation  {scores}"] if scores else []
    lines += (
        [f"    data        {', '.join(f'{key}: {value}' for key, value in stage.data.items())}"] if stage.data else []
    )
    return lines + ([f"    command     {stage.command}"] if stage.command else [])
