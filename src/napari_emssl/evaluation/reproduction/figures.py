"""The figures of a reproduction: curves of all starts over one another, and panels of what the networks make of images.

Drawn with matplotlib, imported when needed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...atomic_files import replacing
from ...jobs.events import Progress
from ..comparison.results import VALIDATION
from .plan import Plan, PlannedData, PlannedNetwork, PlannedRun
from .runs_folder import Panel, RunRecord, RunsFolder
from .tables import ReproducedTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROWS_INCH = 1.9
_RIGHT, _MISSED, _FALSE = (0.85, 0.85, 0.85), (0.2, 0.45, 0.9), (0.9, 0.35, 0.1)
"""Colours of what is found rightly, missed, and found falsely."""


def draw_curves(path: Path, table: ReproducedTable, records: Mapping[str, RunRecord], data: PlannedData) -> None:
    """Draw, for each network, the scores of all starts against epochs: of the test, and of the validation.

    Parameters
    ----------
    path
        The PNG to write.
    table
        Values of the test, and the paper's.
    records
        Complete runs by name.
    data
        The data set.

    """
    plan = table.plan
    figure, grid = _grid(2, len(plan.networks))
    for column, network in enumerate(plan.networks):
        tested, validated = grid[0][column], grid[1][column]
        for colour, start in enumerate(plan.starts):
            runs = [run for run in plan.runs() if (run.data, run.network, run.start) == (data, network, start)]
            there = [records[run.name] for run in runs if run.name in records]
            _draw(tested, [_test_series(table, record) for record in there], start.init, colour)
            _draw(validated, [_series(record, _validation_score(table)) for record in there], start.init, colour)
        tested.set_title(network.model, fontsize=9)
        for axes, what in ((tested, "test"), (validated, "validation")):
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_xlabel("epoch", fontsize=8)
            axes.set_ylabel(f"{what} {'L1' if table.gives_errors else 'Dice'}" if column == 0 else "", fontsize=8)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=max(len(labels), 1), fontsize=8, frameon=False)
    _save(figure, path)


def draw_panels(path: Path, results: RunsFolder, data: PlannedData, network: PlannedNetwork) -> bool:
    """Draw test images with their truth and what each start's network makes of them, after the first seed.

    Parameters
    ----------
    path
        The PNG to write.
    results
        Has the panels.
    data, network
        Of which runs.

    Returns
    -------
    bool
        Whether there was anything to draw.

    """
    plan = results.plan
    panels = {start.init: results.panels(PlannedRun(data, network, start, plan.seed)) for start in plan.starts}
    there = {init: found for init, found in panels.items() if found}
    if not there:
        return False
    first = next(iter(there.values()))
    figure, grid = _grid(len(first), 2 + len(there), _ROWS_INCH)
    for row, panel in enumerate(first):
        labels = panel.target.dtype.kind in "iu"
        _show(grid[row][0], panel.image, "image" if row == 0 else "")
        _show(grid[row][1], (panel.target.astype(int) > 1) if labels else panel.target, "truth" if row == 0 else "")
        for column, (init, found) in enumerate(there.items(), 2):
            made = _marked(found[row]) if labels else found[row].prediction
            _show(grid[row][column], made, init if row == 0 else "")
    _save(figure, path)
    return True


def draw_pretraining(path: Path, curves: Mapping[str, Sequence[Progress]]) -> None:
    """Draw the validation L1 of several pretrainings over one another.

    Parameters
    ----------
    path
        The PNG to write.
    curves
        Events with validation results, by the name of the start.

    """
    figure, grid = _grid(1, 1, 3.2)
    axes = grid[0][0]
    for name, events in curves.items():
        points = [(event.epoch or event.step, event.metrics["l1"]) for event in events if "l1" in event.metrics]
        axes.plot(*np.array(points).reshape(-1, 2).T, label=name, linewidth=1.4)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel="epoch", ylabel="validation L1", yscale="log")
    axes.legend(fontsize=8, frameon=False)
    _save(figure, path)


def _validation_score(table: ReproducedTable) -> str:
    return f"{VALIDATION}{table.column}"


def _test_series(table: ReproducedTable, record: RunRecord) -> dict[float, float]:
    return _series(record, "l1" if table.gives_errors else "dice_per_image")


def _series(record: RunRecord, score: str) -> dict[float, float]:
    return {row.epoch: row.scores[score] for row in record.rows if row.epoch is not None and score in row.scores}


def _draw(axes: "Axes", runs: Sequence[dict[float, float]], label: str, colour: int) -> None:
    """Draw the mean over seeds, and a band of one standard deviation where there are several."""
    shared = sorted(set.intersection(*map(set, runs))) if runs else []
    if not shared:
        return
    values = np.array([[run[epoch] for epoch in shared] for run in runs])
    middle = values.mean(axis=0)
    axes.plot(shared, middle, color=f"C{colour}", linewidth=1.4, label=label)
    if len(runs) > 1:
        spread = values.std(axis=0, ddof=1)
        axes.fill_between(shared, middle - spread, middle + spread, color=f"C{colour}", alpha=0.15, linewidth=0)


def _marked(panel: Panel) -> NDArray[np.float64]:
    """A segmentation in colours ``(h, w, 3)``: found rightly, missed, found falsely; black elsewhere."""
    truth, found = panel.target.astype(int) - 1, panel.prediction.astype(int)
    right, missed = (truth > 0) & (found == truth), (truth > 0) & (found != truth)
    picture = np.zeros((*truth.shape, 3))
    for where, colour in ((right, _RIGHT), (missed, _MISSED), ((truth == 0) & (found > 0), _FALSE)):
        picture[where] = colour
    return picture


def _show(axes: "Axes", picture: NDArray[np.generic], title: str) -> None:
    values = np.asarray(picture, np.float64)
    axes.imshow(values, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=8)
    axes.set_axis_off()


def _grid(rows: int, columns: int, inch: float = 2.4) -> "tuple[Figure, list[list[Axes]]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(inch * columns, 4), inch * rows + 0.4), dpi=120, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def _save(figure: "Figure", path: Path) -> None:
    with replacing(path, overwrite=True) as temporary:
        figure.savefig(temporary, format="png")


def drawn(results: RunsFolder, table: ReproducedTable, records: Mapping[str, RunRecord], folder: Path) -> list[Path]:
    """Draw all figures of a plan and return their files.

    Parameters
    ----------
    results
        Has the panels.
    table
        Has the values.
    records
        Complete runs by name.
    folder
        Gets the PNGs.

    """
    plan: Plan = results.plan
    found = []
    for data in plan.data:
        done = [run for run in plan.runs() if run.data == data and run.name in records]
        if not done:
            continue
        curves = folder / f"{data.key} curves.png"
        draw_curves(curves, table, records, data)
        found.append(curves)
        for network in plan.networks:
            panels = folder / f"{data.key} {network.model}.png"
            if draw_panels(panels, results, data, network):
                found.append(panels)
    return found
