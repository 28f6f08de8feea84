"""What is written of a reproduction: its table as CSV and Markdown, paired wins, figures and the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...atomic_files import replacing, write_text
from ...formatting import counted, duration
from ...jobs.events import Progress
from ...training.history import read_table
from ...training.provenance import versions
from .figures import draw_pretraining, drawn
from .page import write_page
from .runner import CURVES
from .runs_folder import RunsFolder
from .sources import Sources
from .tables import ReproducedTable

FIGURES, PAGE = "figures", "report.html"


@dataclass(frozen=True)
class Reproduction:
    """What there is of a plan."""

    folder: Path
    table: ReproducedTable
    complete: int
    total: int
    waiting: tuple[str, ...] = ()
    """Why runs were left out, in sentences."""


def write_tables(results: RunsFolder) -> ReproducedTable:
    """Write the table and the paired wins of the runs that are complete; returns the table."""
    plan = results.plan
    table = ReproducedTable(plan, results.records(), results.cells)
    for name, text in (
        (f"{plan.table}.csv", table.as_csv()),
        (f"{plan.table}.md", table.as_markdown()),
        (f"{plan.table}-wins.csv", table.wins_as_csv()),
    ):
        write_text(results.folder / name, text, overwrite=True)
    return table


def write_all(results: RunsFolder, sources: Sources, command: str) -> ReproducedTable:
    """Write tables, figures and the page.

    Parameters
    ----------
    results
        Has the runs.
    sources
        Where starts are; curves of their pretraining may be beside them.
    command
        The command line.

    Returns
    -------
    ReproducedTable
        The table.

    """
    table, records = write_tables(results), results.records()
    figures = drawn(results, table, records, results.folder / FIGURES)
    figures += _pretraining_figures(results, sources)
    trained = sum(record.seconds for record in records.values())
    facts = {
        "complete": f"{counted(len(records), 'run')}, {duration(trained)} of training",
        "command": command,
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "devices": ", ".join(sorted({record.device for record in records.values()})),
    }
    with replacing(results.folder / PAGE, overwrite=True) as temporary:
        write_page(temporary, table, records, figures, facts)
    return table


def _pretraining_figures(results: RunsFolder, sources: Sources) -> list[Path]:
    """Draw how the starts of each network were pretrained, where their curves are beside them."""
    found = []
    for network in results.plan.networks:
        curves: dict[str, Sequence[Progress]] = {}
        for start in results.plan.starts:
            path = sources.start(start, network)
            events = read_table(path.with_name(f"{path.stem}{CURVES}")) if path else []
            if any("l1" in event.metrics for event in events):
                curves[start.init] = events
        if curves:
            path = results.folder / FIGURES / f"pretraining {network.model}.png"
            draw_pretraining(path, curves)
            found.append(path)
    return found
