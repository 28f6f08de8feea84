"""The histogram of diameters on screen, with mean, median and the log-normal fit."""

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from ...particles.statistics import Summary, histogram_of
from ..widgets.plotting import fill

_HEIGHT, _AXIS_PX = 170, 58
"""The axis has room for five digits beside its name."""
_LEGEND_SHARE = 1.6
"""Height of the plot over what is highest in it, so that the legend stands above."""
_POINTS = 200
_BARS = {False: "#56B4E9", True: "#2F7DA8"}
_FIT = {False: "#D55E00", True: "#E69F00"}


class _CountAxis(pg.AxisItem):
    """An axis for numbers of particles, which are whole."""

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """Return the distances of the ticks; there are no half particles.

        Parameters
        ----------
        low, high
            Ends of the axis.
        size
            Its length in pixels of the screen.

        """
        levels = super().tickSpacing(low, high, size)
        return list(dict.fromkeys((max(round(step), 1), offset) for step, offset in levels))


class SizeHistogram(QWidget):
    """Counts of equivalent diameters."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = pg.PlotWidget(axisItems={"left": _CountAxis("left")})
        self._item = self.plot.getPlotItem()
        self._item.setMouseEnabled(x=False, y=False)
        self._item.setMenuEnabled(False)
        self._item.hideButtons()
        self._item.setLabel("left", "particles")
        self._item.getAxis("left").setWidth(_AXIS_PX)
        self._item.getAxis("bottom").setHeight(40)
        self._item.layout.setContentsMargins(1, 1, 1, 6)  # pyqtgraph hangs 5 px of the label out of its axis
        for side in ("left", "bottom"):
            self._item.getAxis(side).enableAutoSIPrefix(False)
        self._legend = self._item.addLegend(
            offset=(-2, 2), labelTextSize="8pt", colCount=3, horSpacing=12, verSpacing=-8
        )
        self._shown: tuple[NDArray[np.float64], Summary] | None = None
        self.set_colours("#262930", "#f0f1f2")
        fill(self, self.plot)
        self.setMinimumHeight(_HEIGHT)

    def show_sizes(self, diameters: NDArray[np.float64], summary: Summary) -> None:
        """Show these diameters ``(n,)`` and their summary."""
        self._shown = diameters, summary
        self._draw()

    def set_colours(self, background: str, text: str) -> None:
        """Take over the theme's colours, given as ``#rrggbb``."""
        self._dark, self._text = pg.mkColor(background).lightness() < 128, text
        self.plot.setBackground(background)
        for side in ("left", "bottom"):
            self._item.getAxis(side).setPen(text)
            self._item.getAxis(side).setTextPen(text)
        self._legend.setBrush(pg.mkBrush(background))  # the lines of mean and median would cross its text
        self._legend.setLabelTextColor(text)
        self._draw()

    def _draw(self) -> None:
        self._item.clear()
        diameters, summary = self._shown or (np.zeros(0), None)
        self._item.setLabel("bottom", f"equivalent diameter ({summary.unit if summary else 'px'})")
        if summary is None or not summary.count:
            return
        counts, edges = histogram_of(diameters)
        self._item.plot(edges, counts, stepMode="center", fillLevel=0, brush=_BARS[self._dark], pen=None)
        self._line("mean", summary.mean, Qt.PenStyle.SolidLine)
        self._line("median", summary.median, Qt.PenStyle.DashLine)
        highest = max(float(counts.max()), self._fit(summary, edges) if summary.fitted else 0.0)
        self._item.enableAutoRange()
        self._item.setYRange(0, _LEGEND_SHARE * highest, padding=0)

    def _line(self, name: str, value: float, style: Qt.PenStyle) -> None:
        pen = pg.mkPen(self._text, width=1.5, style=style)
        self._item.addItem(pg.InfiniteLine(value, pen=pen))
        self._item.plot([], [], pen=pen, name=name)

    def _fit(self, summary: Summary, edges: NDArray[np.float64]) -> float:
        """Draw the log-normal fit over the bars; returns its greatest height."""
        x = np.linspace(edges[0], edges[-1], _POINTS)
        y = summary.density(x) * summary.count * (edges[1] - edges[0])
        self._item.plot(x, y, pen=pg.mkPen(_FIT[self._dark], width=2), name="log-normal fit", antialias=True)
        return float(y.max())
