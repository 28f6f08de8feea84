"""The curves of a training: one table, written row by row while it runs, and one picture of it.

Drawn with matplotlib, imported when needed.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atomic_files import replacing
from ..jobs.events import Progress
from ..metrics import TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#333333"
_SHARES = {"dice", "dice_adjusted", "dice_with_background", "objects_dice", "episode_dice"}
"""Validation results between 0 and 1 of which the greatest is the best; of all others the least is."""
_VALIDATION = "validation "

Series = dict[str, tuple[list[float], list[float]]]


class CurveTable:
    """A CSV file with one row per step, complete after every `add`.

    Parameters
    ----------
    path
        The file; what was there before is replaced.
    records
        Rows to begin with, in the order of their steps.

    """

    def __init__(self, path: Path, records: Sequence[Progress] = ()) -> None:
        self.path, self.records = path, _merged(records)
        self._columns = _columns(self.records)
        self._write()

    def add(self, record: Progress) -> None:
        """Write one row; two records of one step become one row. May raise OSError."""
        again = bool(self.records) and self.records[-1].step == record.step
        if again:
            self.records[-1] = _joined(self.records[-1], record)
        else:
            self.records.append(record)
        if again or not set(_columns([record])) <= set(self._columns):
            self._columns = _columns(self.records)
            self._write()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(_row(record, self._columns))

    def _write(self) -> None:
        with (
            replacing(self.path, overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(self._columns)
            writer.writerows(_row(record, self._columns) for record in self.records)


def read_table(path: Path) -> list[Progress]:
    """Return the rows of a CSV that `CurveTable` wrote; those cut short are left out, a missing file has none."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = csv.reader(line for line in file if line.endswith("\n"))
        columns = next(rows, [])
        if not {"step", "seconds"} <= set(columns):
            return []
        records = [_record(dict(zip(columns, row, strict=True))) for row in rows if len(row) == len(columns)]
    return [record for record in records if record is not None]


def write_curves(picture: Path, table: Path, records: Sequence[Progress]) -> None:
    """Write losses and validation results as a picture and as a table.

    Parameters
    ----------
    picture
        The PNG to write.
    table
        The CSV to write, with one row per step.
    records
        Events of the training, in their order.

    """
    draw_curves(picture, CurveTable(table, records).records)


def draw_curves(path: Path, records: Sequence[Progress]) -> None:
    """Draw the losses in one panel and each validation result in one of its own, against steps and epochs."""
    from matplotlib.figure import Figure

    losses, metrics = _series(records, "losses"), _series(records, "metrics")
    figure = Figure(figsize=(4.6 * (1 + len(metrics)), 3.9), dpi=120, layout="constrained")
    first, *others = figure.subplots(1, 1 + len(metrics), squeeze=False)[0]
    _draw_losses(first, losses)
    for axes, (name, (steps, values)) in zip(others, metrics.items(), strict=True):
        _draw_metric(axes, name, np.array(steps), np.array(values))
    for axes in (first, *others):
        axes.spines[["right"] if _steps_an_epoch(records) else ["top", "right"]].set_visible(False)
        axes.set_xlabel("step", color=_INK)
        _add_epochs(axes, _steps_an_epoch(records))
    with replacing(path, overwrite=True) as temporary:
        figure.savefig(temporary, format="png")


def _draw_losses(axes: "Axes", losses: Series) -> None:
    """Draw each loss faintly and its moving average clearly."""
    for name, (steps, values) in losses.items():
        span = max(1, len(values) // 40)
        smooth = np.convolve(values, np.ones(span) / span, mode="valid")
        (line,) = axes.plot(
            steps[span // 2 :][: len(smooth)],
            smooth,
            label=TITLES.get(name, name),
            linewidth=1.6,
            marker=_marker(values),
        )
        if span > 1:
            axes.plot(steps, values, color=line.get_color(), alpha=0.25, linewidth=0.7)
    axes.set_title("training losses", fontsize=11, color=_INK)
    axes.set_ylabel("loss", color=_INK)
    if losses:
        axes.legend(fontsize=8, frameon=False)
        _scale(axes, [value for _, values in losses.values() for value in values])


def _draw_metric(axes: "Axes", name: str, steps: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Draw one validation result and mark its best."""
    label = TITLES.get(name, name)
    best = int(values.argmax() if name in _SHARES else values.argmin())
    axes.plot(steps, values, color="#2a6f97", linewidth=1.6, marker=_marker(list(values)))
    text = f"best {values[best]:.4g} at step {steps[best]:.0f}"
    axes.plot(steps[best], values[best], "o", color="#d1495b", markersize=6, linestyle="none", label=text)
    axes.set_title(f"validation {label}", fontsize=11, color=_INK)
    axes.set_ylabel(label, color=_INK)
    axes.legend(fontsize=8, frameon=False)
    if name in _SHARES:
        axes.set_ylim(0, 1.02)
    else:
        _scale(axes, list(values))


def _marker(values: Sequence[float]) -> str | None:
    """Few values are shown one by one; a single one would be invisible as a line."""
    return "." if len(values) < 40 else None


def _scale(axes: "Axes", values: Sequence[float]) -> None:
    """Make the axis logarithmic where the values span much, with ticks that are plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if min(values) <= 0 or max(values) < 4 * min(values):
        return
    axes.set_yscale("log")
    subs = (1.0, 2.0, 5.0) if max(values) < 1e4 * min(values) else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(f"{axes.get_ylabel()} (log scale)", color=_INK)


def _add_epochs(axes: "Axes", steps_an_epoch: float) -> None:
    """Give the axes a second scale at the top, in epochs."""
    if steps_an_epoch:
        functions = (lambda step: step / steps_an_epoch, lambda epoch: epoch * steps_an_epoch)
        axes.secondary_xaxis("top", functions=functions).set_xlabel("epoch", color=_INK)


def _steps_an_epoch(records: Sequence[Progress]) -> float:
    """Steps in one epoch, or 0 where epochs are not counted."""
    last = next((record for record in reversed(records) if record.epoch), None)
    return last.step / last.epoch if last and last.epoch else 0.0


def _series(records: Sequence[Progress], kind: str) -> Series:
    """Collect steps and finite values by name of ``losses`` or ``metrics``."""
    found: Series = {}
    for record in records:
        for name, value in getattr(record, kind).items():
            if math.isfinite(value):
                steps, values = found.setdefault(name, ([], []))
                steps.append(record.step)
                values.append(value)
    return found


def _columns(records: Sequence[Progress]) -> list[str]:
    losses = dict.fromkeys(name for record in records for name in record.losses)
    metrics = dict.fromkeys(_VALIDATION + name for record in records for name in record.metrics)
    epoch = ["epoch"] if any(record.epoch is not None for record in records) else []
    return ["step", *epoch, "seconds", *losses, *metrics]


def _row(record: Progress, columns: Sequence[str]) -> list[str | float]:
    values: dict[str, str | float] = {"step": record.step, "seconds": round(record.seconds, 3)}
    values |= {} if record.epoch is None else {"epoch": round(record.epoch, 4)}
    values |= dict(record.losses) | {_VALIDATION + name: value for name, value in record.metrics.items()}
    return [values.get(column, "") for column in columns]


def _record(row: Mapping[str, str]) -> Progress | None:
    """Read one row; None when it is damaged."""
    try:
        numbers = {name: float(text) for name, text in row.items() if text}
        step, seconds, epoch = int(numbers.pop("step")), numbers.pop("seconds"), numbers.pop("epoch", None)
    except (ValueError, KeyError, OverflowError):
        return None
    metrics = {name.removeprefix(_VALIDATION): value for name, value in numbers.items() if name.startswith(_VALIDATION)}
    losses = {name: value for name, value in numbers.items() if not name.startswith(_VALIDATION)}
    return Progress(step, None, losses, metrics, seconds=seconds, epoch=epoch)


def _merged(records: Sequence[Progress]) -> list[Progress]:
    """Make one record of those of one step."""
    by_step: dict[int, Progress] = {}
    for record in records:
        by_step[record.step] = _joined(by_step.get(record.step, record), record)
    return list(by_step.values())


def _joined(before: Progress, after: Progress) -> Progress:
    losses, metrics = {**before.losses, **after.losses}, {**before.metrics, **after.metrics}
    return replace(after, losses=losses, metrics=metrics)
