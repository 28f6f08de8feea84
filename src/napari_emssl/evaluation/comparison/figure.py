"""The picture of a comparison: scores against steps. Drawn with matplotlib, imported when needed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...atomic_files import replacing
from .results import VALIDATION, Comparison, is_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AXIS = "#333333"
_FEW = 3
"""Networks whose bands and legends leave the curves to be seen."""


def write_comparison(path: Path, found: Comparison, score: str | None = None) -> Path:
    """Draw a score against steps: pretrained starts solid, random ones dashed, and the leads beside them.

    Lines are means over seeds, bands reach one standard deviation up and down, bars one standard error. Bands are left
    out where there are more than three networks, and the legend is below.

    Parameters
    ----------
    path
        The PNG to write.
    found
        The comparison, with one complete run at least.
    score
        Name of the score; None for the main one.

    Returns
    -------
    Path
        The file written.

    """
    score = score or found.main_score
    from matplotlib.figure import Figure

    colours = {name: f"C{index % 10}" for index, name in enumerate(dict.fromkeys(row.network for row in found.rows))}
    crowded = len(colours) > _FEW
    figure = Figure(figsize=(10, 5.5 if crowded else 4), dpi=120, layout="constrained")
    levels, leads = figure.subplots(1, 2, width_ratios=(3, 2))
    marks = dict[str, int]()
    for start in found.starts:
        row = next(row for row in found.rows if row.start == start)
        number = marks[row.network] = marks.get(row.network, -1) + (row.kind == "pretrained")
        mark = "" if row.kind == "random" else "osD^v"[number % 5]
        _draw_means(levels, found, start, score, colours[row.network], mark, band=not crowded)
        if found.twin(start):
            _draw_leads(leads, found, start, score, color=colours[row.network], marker=mark)
    leads.axhline(0, color=_AXIS, linewidth=0.8)
    lead = "difference from random weights" if is_error(score) else "lead over random weights"
    for axes, title in ((levels, _title(score)), (leads, lead)):
        _dress(axes, found, title)
        if not crowded and axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)
    if crowded:
        handles, labels = levels.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    with replacing(path, overwrite=True) as temporary:
        figure.savefig(temporary, format="png")
    return path


def _draw_means(axes: "Axes", found: Comparison, start: str, score: str, color: str, marker: str, band: bool) -> None:
    means = [found.mean(start, step, score) for step in found.steps]
    middle, spread = np.array([one.mean for one in means]), np.nan_to_num([one.spread for one in means])
    style = "-" if marker else "--"
    axes.plot(found.steps, middle, style, color=color, marker=marker, markersize=4, linewidth=1.6, label=start)
    if band:
        axes.fill_between(found.steps, middle - spread, middle + spread, color=color, alpha=0.15, linewidth=0)


def _draw_leads(axes: "Axes", found: Comparison, start: str, score: str, color: str, marker: str) -> None:
    gains = {step: gain for step in found.steps if (gain := found.gain(start, step, score)) is not None}
    middle = [gain.difference.mean for gain in gains.values()]
    error = np.nan_to_num([gain.difference.error for gain in gains.values()])
    axes.errorbar(list(gains), middle, error, color=color, marker=marker, markersize=4, capsize=3, label=start)


def _title(score: str) -> str:
    """Say what the values are those of."""
    if score.startswith(VALIDATION):
        return f"{score.removeprefix(VALIDATION)}, validation"
    return f"{score}, test"


def _dress(axes: "Axes", found: Comparison, title: str) -> None:
    """Style the axes; the scale of steps has room for 0 and for every decade, that of epochs is even."""
    first, last = (found.steps[1], found.steps[-1]) if len(found.steps) > 1 else (1, 1)
    axes.spines[["top", "right"]].set_visible(False)
    by_epoch = found.times[found.steps[-1]].startswith("epoch")
    if not by_epoch:
        axes.set_xscale("symlog", linthresh=first, linscale=0.4)
        axes.set_xlim(-0.15 * first, 1.15 * last)
    axes.set_xticks(found.steps, [name.split()[1] for name in found.times.values()])
    axes.minorticks_off()
    axes.set(title=title, xlabel="epochs" if by_epoch else "training steps")
