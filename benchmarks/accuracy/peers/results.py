"""What was measured: kept in a file as it comes, scored, and told as Markdown."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, order=True)
class Result:
    """One score of one side."""

    part: str
    case: str
    side: str
    seconds: float
    """Processor seconds allowed; 0: none are needed."""
    seed: int
    score: float
    used: float = 0.0
    steps: int = 0


class ResultFile:
    """The results of a folder; a benchmark that was interrupted goes on where it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.results = [Result(**one) for one in json.loads(path.read_text("utf-8"))] if path.is_file() else []

    def add(self, *results: Result) -> None:
        """Keep results."""
        self.results += results
        self._path.write_text(json.dumps([asdict(one) for one in self.results], indent=1), encoding="utf-8")

    def missing(self, part: str, case: str, side: str, seed: int, seconds: Iterable[float]) -> list[float]:
        """Return the budgets that were not measured yet."""
        known = {
            one.seconds for one in self.results if (one.part, one.case, one.side, one.seed) == (part, case, side, seed)
        }
        return [one for one in seconds if one not in known]


def mean_dice(labels: NDArray[np.integer], truth: NDArray[np.integer]) -> float:
    """Return the Dice averaged over the foreground classes that an image has or is said to have, then over images."""
    return float(np.mean([_dice(*pair) for pair in zip(labels, truth, strict=True)]))


def _dice(labels: NDArray[np.integer], truth: NDArray[np.integer]) -> float:
    classes = np.union1d(labels, truth)
    found = [
        2 * np.sum((labels == one) & (truth == one)) / (np.sum(labels == one) + np.sum(truth == one))
        for one in classes[classes > 0]
    ]
    return float(np.mean(found)) if found else 1.0


def table(results: Iterable[Result], unit: str) -> str:
    """Return a Markdown table of one part: a row for each side, a column for each case and budget.

    Parameters
    ----------
    results
        Of one part.
    unit
        Of the scores.

    """
    rows = sorted(results, key=lambda one: (one.case, one.seconds))
    columns = list(dict.fromkeys((one.case, one.seconds) for one in rows))
    heads = [f"{case}, {seconds:g} s" if seconds else case for case, seconds in columns]
    lines = [f"| {unit} | {' | '.join(heads)} |", f"|---{'|---' * len(columns)}|"]
    for side, of_side in groupby(sorted(rows, key=lambda one: one.side), key=lambda one: one.side):
        here = list(of_side)
        cells = [_cell([one for one in here if (one.case, one.seconds) == column]) for column in columns]
        lines.append(f"| {side} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(results: list[Result]) -> str:
    """Tell the mean with its range, the seconds that were used, and the number of seeds where it is not one."""
    if not results:
        return ""
    scores = [one.score for one in results]
    spread = f" ({min(scores):.3g} to {max(scores):.3g})" if len(scores) > 1 else ""
    used = f"; {np.mean([one.used for one in results]):.0f} s" if results[0].used and results[0].seconds else ""
    return f"{np.mean(scores):.4g}{spread}{used}"
