"""The page of a reproduction: one HTML file with tables, figures, settings, versions and digests."""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ...atomic_files import write_text
from .plan import PlannedData
from .runs_folder import RunRecord
from .tables import Place, ReproducedTable

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-size: 12px } img { max-width: 100% } .scroll { overflow-x: auto }
td, th { padding: 2px 7px; text-align: right; border-bottom: 1px solid #ddd } small { color: #777 }
td:first-child, th:first-child { text-align: left }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto; font-size: 12px }
"""


def write_page(
    path: Path,
    table: ReproducedTable,
    records: Mapping[str, RunRecord],
    figures: Sequence[Path],
    facts: Mapping[str, str],
) -> None:
    """Write the page; its pictures are in it, so that the one file can be sent.

    Parameters
    ----------
    path
        The file to write.
    table
        The cells.
    records
        Complete runs by name.
    figures
        Pictures (PNG), in their order.
    facts
        What else to tell: a word and a sentence each.

    """
    total = len(list(table.plan.runs()))
    plan = json.dumps(table.plan.model_dump(mode="json"), indent=1, ensure_ascii=False)
    grey = "; the paper's values are grey" if table.plan.paper else ""
    parts = [
        f"<!doctype html><meta charset='utf-8'><title>{escape(table.plan.title)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(table.plan.title)}</h1>",
        f"<p>{len(records)} of {total} runs are complete. Mean over seeds, ± standard deviation where there are "
        f"several{grey}.</p>",
        *(_table_of(table, data) for data in table.plan.data),
        _wins(table),
        *(f"<h2>{escape(figure.stem)}</h2><img alt='' src='{_inline(figure)}'>" for figure in figures),
        "<h2>How it was made</h2>",
        _rows([[escape(name), escape(text)] for name, text in facts.items()], ["", ""]),
        _runs(records),
        f"<h3>Plan</h3><pre>{escape(plan)}</pre>",
    ]
    write_text(path, "\n".join(parts), overwrite=True)


def _table_of(table: ReproducedTable, data: PlannedData) -> str:
    head = ["network", "start", *(f"{epoch:g}" for epoch in table.epochs)]
    lines = []
    for network in table.plan.networks:
        for start in table.plan.starts:
            cells = (_cell(table, Place(data.key, network.model, start.init, epoch)) for epoch in table.epochs)
            lines.append([escape(network.model), escape(start.init), *cells])
    what = "Test L1" if table.gives_errors else "Test Dice, in points,"
    return f"<h2>{escape(data.key)}</h2><p>{what} at each epoch.</p>{_rows(lines, head)}"


def _cell(table: ReproducedTable, place: Place) -> str:
    cell = table.cell(place)
    own = table.shown(cell).partition(" (")[0]
    grey = "" if cell.paper is None else f"<br><small>{cell.paper:g}</small>"
    return f"{own}{grey}"


def _wins(table: ReproducedTable) -> str:
    wins = table.wins()
    if not wins:
        return ""
    lines = [
        [escape(one.data), escape(one.init), f"{one.epoch:g}", f"{one.wins} of {one.pairs}", f"{one.gain:+.4g}"]
        for one in wins
    ]
    head = ["data set", "start", "epoch", "better than random weights", "mean gain"]
    return f"<h2>Pretrained against random weights</h2>{_rows(lines, head)}"


def _runs(records: Mapping[str, RunRecord]) -> str:
    head = ["run", "planes", "minutes", "device", "digest of targets", "digest of start", "torch"]
    lines = [
        [escape(name), " + ".join(map(str, one.planes)), f"{one.seconds / 60:.1f}", escape(one.device),
         one.data_digest[:12], escape(one.start_digest[:24]), escape(one.versions.get("torch", ""))]
        for name, one in records.items()
    ]  # fmt: skip
    return f"<h3>Runs</h3>{_rows(lines, head)}"


def _rows(lines: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Return an HTML table; cells are HTML already."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines)
    return f"<div class='scroll'><table><tr>{top}</tr>{body}</table></div>"


def _inline(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
