"""The table of a reproduction: a cell for each network, start and epoch, beside the paper's; and paired wins."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...models.tasks import task_of
from ..comparison.results import Mean, mean_of_seeds
from .plan import Plan, PlannedData, PlannedNetwork, paper_cells
from .runs_folder import RunRecord, ScoredStep

POINTS = 100.0
"""Dice is given in points, as in the paper."""
_DICE, _L1 = "dice_per_image", "l1"
"""The scores of the runs that cells are means of; the paper averages the Dice over images."""


class Place(NamedTuple):
    """Where a cell stands."""

    data: str
    """See `PlannedData.key`."""
    model: str
    init: str
    epoch: float


@dataclass(frozen=True)
class TableCell:
    """A cell of the table."""

    value: Mean
    """Over seeds."""
    paper: float | None = None
    """The paper's value, where it has one that can be read."""
    flag: str = ""
    """How surely that can be read."""

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        return None if self.paper is None or not self.value.count else self.value.mean - self.paper


@dataclass(frozen=True)
class PairedWins:
    """How often a pretrained start is better than random weights of the same network, seed and epoch."""

    data: str
    init: str
    epoch: float
    wins: int
    pairs: int
    gain: float
    """Mean of pretrained minus random, the sign turned where errors are scored: above 0 is better."""


class ReproducedTable:
    """All cells that complete runs give, and those of the paper.

    Parameters
    ----------
    plan
        Says where each run stands.
    records
        Complete runs by name.
    cells
        The paper's table as CSV; empty where there is none.

    """

    def __init__(self, plan: Plan, records: Mapping[str, RunRecord], cells: str = "") -> None:
        self.plan, self._records = plan, records
        self._paper = _paper_cells(plan, cells)
        self._values = self._collected()

    @property
    def gives_errors(self) -> bool:
        """Whether the least value is the best."""
        return not task_of(self.plan.data[0].task).gives_labels

    @property
    def column(self) -> str:
        """What the values are called."""
        return "l1" if self.gives_errors else "dice"

    @property
    def epochs(self) -> list[float]:
        """Epochs of which there are cells, ours or the paper's; 0, the weights at the start, is not in the table."""
        return sorted({place.epoch for place in (*self._values, *self._paper) if place.epoch > 0})

    def cell(self, place: Place) -> TableCell:
        """Return a cell; without a value where no run is complete."""
        paper, flag = self._paper.get(place, (None, ""))
        return TableCell(mean_of_seeds(self._values.get(place, {}).values()), paper, flag)

    def values(self, place: Place) -> dict[int, float]:
        """Return the values of a cell by seed."""
        return self._values.get(place, {})

    def wins(self) -> list[PairedWins]:
        """Return paired wins for each data set, pretrained start and epoch."""
        random = next((start.init for start in self.plan.starts if start.file is None), "")
        found = []
        for data in self.plan.data:
            for start in self.plan.starts:
                if start.file is not None and random:
                    found += [self._wins(data, start.init, random, epoch) for epoch in self.epochs]
        return [one for one in found if one.pairs]

    def _wins(self, data: PlannedData, init: str, random: str, epoch: float) -> PairedWins:
        sign = -1 if self.gives_errors else 1
        gains = []
        for network in self.plan.networks:
            ahead, behind = (self.values(Place(data.key, network.model, one, epoch)) for one in (init, random))
            gains += [sign * (ahead[seed] - behind[seed]) for seed in ahead if seed in behind]
        mean = sum(gains) / len(gains) if gains else math.nan
        return PairedWins(data.key, init, epoch, sum(gain > 0 for gain in gains), len(gains), mean)

    def as_csv(self) -> str:
        """Return the table in the layout of the paper's, with the spread over seeds, its cell and the difference."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._lines())
        return text.getvalue()

    def wins_as_csv(self) -> str:
        """Return the paired wins, a row for each data set, pretrained start and epoch."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["dataset", "init", "epoch", "pairs", "wins", "mean_gain"])
        writer.writerows(
            [one.data, one.init, f"{one.epoch:g}", one.pairs, one.wins, f"{one.gain:.6g}"] for one in self.wins()
        )
        return text.getvalue()

    def as_markdown(self) -> str:
        """Return the table for reading: networks and starts down, epochs across, the paper's cells in brackets."""
        parts = [f"# {self.plan.title}", ""]
        for data in self.plan.data:
            parts += [f"## {data.key}", "", self._markdown_of(data), ""]
        wins = self.wins()
        if wins:
            head = ["data set", "start", "epoch", "better than random", "mean gain"]
            lines = [_row(head), _row(["---"] * len(head)), *map(self._win_line, wins)]
            parts += ["## Pretrained against random weights", "", *lines, ""]
        return "\n".join(parts)

    def _win_line(self, one: PairedWins) -> str:
        return _row([one.data, one.init, f"{one.epoch:g}", f"{one.wins} of {one.pairs}", self._number(one.gain, "+")])

    def shown(self, cell: TableCell) -> str:
        """Return a cell for reading: mean, spread over seeds, the paper's in brackets."""
        mean = self._number(cell.value.mean) if cell.value.count else "-"
        spread = "" if math.isnan(cell.value.spread) else f" ± {self._number(cell.value.spread)}"
        return mean + spread + ("" if cell.paper is None else f" ({self._number(cell.paper)})")

    def _number(self, value: float, sign: str = "") -> str:
        return format(value, f"{sign}.5f" if self.gives_errors else f"{sign}.2f")

    def _markdown_of(self, data: PlannedData) -> str:
        head = ["network", "start", *(f"{epoch:g}" for epoch in self.epochs)]
        lines = [_row(head), _row(["---"] * len(head))]
        for network in self.plan.networks:
            for start in self.plan.starts:
                places = [Place(data.key, network.model, start.init, epoch) for epoch in self.epochs]
                lines.append(_row([network.model, start.init, *(self.shown(self.cell(place)) for place in places)]))
        return "\n".join(lines)

    def _columns(self) -> list[str]:
        own = ["task", "model"] if self._has_labels else ["model", "blocks", "rf"]
        return ["dataset", *own, "init", "epoch", self.column, "flag", "spread", "seeds", "paper", "difference"]

    @property
    def _has_labels(self) -> bool:
        return any(data.label for data in self.plan.data)

    def _lines(self) -> Iterable[dict[str, object]]:
        for data in self.plan.data:
            for network in self.plan.networks:
                for start in self.plan.starts:
                    for epoch in self.epochs:
                        yield self._line(data, network, start.init, epoch)

    def _line(self, data: PlannedData, network: PlannedNetwork, init: str, epoch: float) -> dict[str, object]:
        cell = self.cell(Place(data.key, network.model, init, epoch))
        own = {"task": data.label or "", "model": network.model}
        if not self._has_labels:
            own = {"model": network.model, "blocks": _plain(network.blocks), "rf": _plain(network.rf)}
        return {
            "dataset": data.dataset, **own, "init": init, "epoch": f"{epoch:g}",
            self.column: _digits(cell.value.mean), "flag": cell.flag, "spread": _digits(cell.value.spread),
            "seeds": cell.value.count, "paper": _digits(cell.paper), "difference": _digits(cell.difference),
        }  # fmt: skip

    def _collected(self) -> dict[Place, dict[int, float]]:
        """Values by place and seed."""
        found: dict[Place, dict[int, float]] = {}
        for run in self.plan.runs():
            record = self._records.get(run.name)
            for row in record.rows if record else ():
                if row.epoch is not None:
                    place = Place(run.data.key, run.network.model, run.start.init, row.epoch)
                    found.setdefault(place, {})[run.seed] = self._value(row)
        return found

    def _value(self, row: ScoredStep) -> float:
        return row.scores[_L1] if self.gives_errors else POINTS * row.scores[_DICE]


def _paper_cells(plan: Plan, text: str) -> dict[Place, tuple[float | None, str]]:
    """The paper's cells by place; None where one cannot be read."""
    found: dict[Place, tuple[float | None, str]] = {}
    keys = {(data.dataset, data.label or ""): data.key for data in plan.data}
    for cell in paper_cells(text):
        key = keys.get((cell.dataset, cell.task))
        if key is not None:
            found[Place(key, cell.model, cell.init, cell.epoch)] = (cell.value, cell.flag)
    return found


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(value: int | None) -> str:
    return "" if value is None else str(value)


def _digits(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"
