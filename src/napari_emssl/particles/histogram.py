"""The histogram of diameters as a picture, drawn with matplotlib, which is imported when it is needed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..atomic_files import replacing
from ..formatting import significant
from .statistics import Summary, histogram_of
from .table import ParticleTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _BARS, _FIT = "#333333", "#56B4E9", "#D55E00"


def write_histogram(path: Path | str, table: ParticleTable, overwrite: bool = False) -> Path:
    """Write a histogram of the equivalent diameters as PNG, with mean, median and the log-normal fit.

    A table that mixes calibrated and other images gets one panel for each unit.

    Parameters
    ----------
    path
        The file to write.
    table
        The particles.
    overwrite
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UserError
        If the file exists and `overwrite` is false, or it cannot be written.

    """
    from matplotlib.figure import Figure

    summaries = table.summaries()
    figure = Figure(figsize=(6.4 * len(summaries), 4.2), dpi=120, layout="constrained")
    for axes, summary in zip(figure.subplots(1, len(summaries), squeeze=False)[0], summaries, strict=True):
        _draw(axes, table, summary)
    with replacing(path, overwrite) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)


def _draw(axes: "Axes", table: ParticleTable, summary: Summary) -> None:
    axes.set_xlabel(f"equivalent diameter ({summary.unit})", color=_INK)
    axes.set_ylabel("particles", color=_INK)
    axes.set_title(f"{summary.count} particle{'' if summary.count == 1 else 's'}", fontsize=10, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    if not summary.count:
        return
    counts, edges = histogram_of(table.diameters(summary.unit))
    axes.stairs(counts, edges, fill=True, color=_BARS, alpha=0.7)
    mean, median = significant(summary.mean, 3), significant(summary.median, 3)
    axes.axvline(summary.mean, color=_INK, label=f"mean {mean} {summary.unit}")
    axes.axvline(summary.median, color=_INK, linestyle="--", label=f"median {median} {summary.unit}")
    if summary.fitted:
        x = np.linspace(edges[0], edges[-1], 300)
        y = summary.density(x) * summary.count * (edges[1] - edges[0])
        axes.plot(x, y, color=_FIT, label=f"log-normal, sigma {summary.lognormal_sigma:.3g}")
    if summary.count > 1:
        axes.plot([], [], " ", label=f"standard deviation {significant(summary.std, 3)} {summary.unit}")
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK)
