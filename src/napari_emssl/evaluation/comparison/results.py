"""The results of a comparison: scores against steps, and what each pretrained start gives against random weights."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...formatting import counted

MAIN_SCORES = ("dice", "l1")
"""The score that tables show first: of these the one that there is."""
VALIDATION = "validation_"
"""What the names of scores on the images for validation begin with."""
_ERRORS = ("l1", "loss")
"""Scores of which the least is the best."""
SummaryRow = dict[str, str | int | float]
"""A start, a score and a step, with what came of them, by the names of columns."""
_COLUMN = 15
_AHEAD = "  seeds ahead"


@dataclass(frozen=True)
class ResultRow:
    """The scores of one run at one step."""

    start: str
    kind: str
    """``pretrained`` or ``random``."""
    network: str
    seed: int
    step: int
    seconds: float
    """Spent on training up to here."""
    loss: float
    """Mean training loss since the last scoring; NaN at step 0."""
    scores: dict[str, float]
    epoch: float | None = None
    """Passes over the training images up to here; None where the run does not count them."""


@dataclass(frozen=True)
class Mean:
    """A mean over seeds."""

    count: int
    mean: float
    spread: float
    """Standard deviation between seeds; NaN for one."""

    @property
    def error(self) -> float:
        """Standard error of the mean; NaN for one seed."""
        return self.spread / math.sqrt(self.count) if self.count else math.nan


@dataclass(frozen=True)
class Gain:
    """Pretrained minus random of the same seeds."""

    difference: Mean
    wins: int
    """Seeds for which the pretrained start is better."""


def is_error(score: str) -> bool:
    """Whether the least value of a score is the best."""
    return score.removeprefix(VALIDATION) in _ERRORS


def mean_of_seeds(values: Iterable[float]) -> Mean:
    """Return mean and sample standard deviation."""
    array = np.fromiter(values, np.float64)
    spread = float(array.std(ddof=1)) if len(array) > 1 else math.nan
    return Mean(len(array), float(array.mean()) if len(array) else math.nan, spread)


@dataclass(frozen=True)
class Comparison:
    """All runs of a comparison that are complete."""

    rows: tuple[ResultRow, ...]

    @property
    def starts(self) -> list[str]:
        """Labels of the starts, in the order in which they were run."""
        return list(dict.fromkeys(row.start for row in self.rows))

    @property
    def steps(self) -> list[int]:
        """Steps at which runs were scored."""
        return sorted({row.step for row in self.rows})

    @property
    def scores(self) -> list[str]:
        """Names of the scores."""
        return list(dict.fromkeys(name for row in self.rows for name in row.scores))

    @property
    def main_score(self) -> str:
        """The score that counts most."""
        return next((name for name in MAIN_SCORES if name in self.scores), MAIN_SCORES[0])

    @property
    def times(self) -> dict[int, str]:
        """What each scored step is called: ``epoch 5`` where runs count epochs, else ``step 100``."""
        epochs = {row.step: row.epoch for row in self.rows if row.epoch is not None}
        return {step: f"epoch {epochs[step]:g}" if step in epochs else f"step {step}" for step in self.steps}

    @property
    def seeds(self) -> list[int]:
        """Seeds of complete runs, of any start."""
        return sorted({row.seed for row in self.rows})

    def runs(self) -> set[tuple[str, int]]:
        """Start and seed of every complete run."""
        return {(row.start, row.seed) for row in self.rows}

    def twin(self, start: str) -> str:
        """Return the start that is the same network from random weights; empty where there is none."""
        row = next(row for row in self.rows if row.start == start)
        same = (other.start for other in self.rows if other.kind == "random" and other.network == row.network)
        return next(same, "") if row.kind == "pretrained" else ""

    def values(self, start: str, step: int, score: str | None = None) -> dict[int, float]:
        """Return a score by seed.

        Parameters
        ----------
        start
            Label of a start.
        step
            At which it was scored.
        score
            Name of the score, see `scores`; None for the main one.

        """
        name = score or self.main_score
        rows = (row for row in self.rows if row.start == start and row.step == step)
        return {row.seed: row.scores[name] for row in rows if name in row.scores}

    def mean(self, start: str, step: int, score: str | None = None) -> Mean:
        """Return a score averaged over the seeds.

        Parameters
        ----------
        start, step, score
            As for `values`.

        """
        return mean_of_seeds(self.values(start, step, score).values())

    def gain(self, start: str, step: int, score: str | None = None) -> Gain | None:
        """Return pretrained minus random: a pretrained start's lead over its random twin, unless errors are scored.

        Parameters
        ----------
        start, step, score
            As for `values`.

        Returns
        -------
        Gain or None
            Of the seeds that both have; None where there are none.

        """
        ahead, behind = self.values(start, step, score), self.values(self.twin(start), step, score)
        differences = [ahead[seed] - behind[seed] for seed in ahead if seed in behind]
        if not differences:
            return None
        better = [-difference if is_error(score or self.main_score) else difference for difference in differences]
        return Gain(mean_of_seeds(differences), sum(difference > 0 for difference in better))

    def steps_to_match(self, start: str) -> int | None:
        """Return the first scored step at which a start is, on average, where its random twin ends; None if never."""
        twin = self.twin(start)
        if not twin:
            return None
        goal = self.mean(twin, self.steps[-1]).mean
        sign = -1 if is_error(self.main_score) else 1
        return next((step for step in self.steps if sign * self.mean(start, step).mean >= sign * goal), None)

    def summary(self) -> list[SummaryRow]:
        """Return plain data, a row for each start, score and step."""
        return [
            self._summary_row(start, score, step)
            for start in self.starts
            for score in self.scores
            for step in self.steps
        ]

    def _summary_row(self, start: str, score: str, step: int) -> SummaryRow:
        mean, gain = self.mean(start, step, score), self.gain(start, step, score)
        row: SummaryRow = {"start": start, "score": score, "step": step, "seeds": mean.count}
        row |= {"mean": mean.mean, "standard_deviation": mean.spread}
        values = list(self.values(start, step, score).values()) or [math.nan]
        row |= {"median": float(np.median(values)), "quantile_10": float(np.quantile(values, 0.1))}
        row["twin"] = self.twin(start)
        if gain is None:
            return row | {"gain": math.nan, "gain_standard_error": math.nan, "wins": 0, "pairs": 0}
        found = gain.difference
        return row | {"gain": found.mean, "gain_standard_error": found.error, "wins": gain.wins, "pairs": found.count}

    def table(self, score: str | None = None) -> str:
        """Return the means and the leads as text, a column for each step."""
        score = score or self.main_score
        width = max(len(start) for start in [*self.starts, _AHEAD]) + 2
        head = _line("start", width, list(self.times.values()))
        lines = [f"{score}: mean ± standard deviation over {counted(len(self.seeds), 'seed')}", head]
        for start in self.starts:
            means = (self.mean(start, step, score) for step in self.steps)
            lines.append(_line(start, width, [_shown(one.mean, one.spread, "") for one in means]))
        paired = [start for start in self.starts if self.twin(start)]
        if paired:
            lead = "difference from" if is_error(score) else "lead over"
            lines += ["", f"{lead} the same network from random weights: mean ± standard error", head]
        for start in paired:
            lines += self._leads(start, width, score)
        return "\n".join(lines)

    def _leads(self, start: str, width: int, score: str) -> list[str]:
        """Return two lines: the leads, and how many seeds are ahead."""
        gains = [self.gain(start, step, score) for step in self.steps]
        leads = [_shown(gain.difference.mean, gain.difference.error, "+") if gain else "" for gain in gains]
        ahead = [f"{gain.wins} of {gain.difference.count}" if gain else "" for gain in gains]
        return [_line(start, width, leads), _line(_AHEAD, width, ahead)]


def _line(first: str, width: int, cells: Iterable[str]) -> str:
    return first.ljust(width) + "".join(cell.rjust(_COLUMN) for cell in cells)


def _shown(mean: float, spread: float, sign: str) -> str:
    return format(mean, f"{sign}.3f") + ("" if math.isnan(spread) else f" ±{spread:.3f}")
