"""Live curves: losses on a logarithmic axis above, validation results below."""

import math
from collections.abc import Mapping
from typing import Any

import pyqtgraph as pg
from qtpy.QtWidgets import QWidget

from .plots import fill

_LOW, _HIGH = 150, 240
"""Least height in pixels, of the losses alone and with the validation below."""
_MOST_POINTS = 4000
_SMALLEST_LOSS = 1e-12
_ERRORS = ("loss", "l1", "l2")
"""Validation results that share the axis of the losses."""
_COLOURS = {  # Okabe & Ito's palette, safe for colour-blind eyes, in the shades that stand out on dark and on light
    False: ("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    True: ("#56B4E9", "#E69F00", "#2FC79E", "#CC79A7"),
}


class Curve:
    """Points of one line; when there are too many, every second one is dropped, so that memory stays flat."""

    def __init__(self, line: Any) -> None:
        self.line = line
        self.steps: list[float] = []
        self.values: list[float] = []
        self._stride, self._seen = 1, 0

    def add(self, step: float, value: float) -> None:
        """Take a point in and redraw."""
        self._seen += 1
        if not math.isfinite(value) or self._seen % self._stride:
            return
        self.steps.append(step)
        self.values.append(value)
        if len(self.steps) > _MOST_POINTS:
            del self.steps[::2], self.values[::2]
            self._stride *= 2
        self.line.setData(self.steps, self.values)


class LossPlot(QWidget):
    """Curves of a training job. The lower half appears with the first validation result."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = pg.GraphicsLayoutWidget()
        self.losses = self.view.addPlot(row=0, col=0)
        self.metrics = self.view.addPlot(row=1, col=0)
        self.curves: dict[str, Curve] = {}
        self._set_up()
        self.set_colours("#262930", "#f0f1f2")
        fill(self, self.view)
        self.setMinimumHeight(_LOW)

    def _set_up(self) -> None:
        self.losses.setLogMode(y=True)
        self.metrics.setXLink(self.losses)
        self.metrics.setYRange(0, 1)
        for plot, name in ((self.losses, "loss"), (self.metrics, "validation")):
            plot.setLabel("left", name)
            plot.getAxis("left").setWidth(48)
            plot.getAxis("left").enableAutoSIPrefix(False)
            plot.getAxis("bottom").enableAutoSIPrefix(False)
            plot.addLegend(offset=(-4, 4 if plot is self.losses else -4), labelTextSize="8pt", verSpacing=-6)
            plot.setMenuEnabled(True)
            plot.hideButtons()
        self.metrics.setLabel("bottom", "step")
        self.clear()

    def clear(self) -> None:
        """Forget all curves."""
        self.losses.clear()
        self.metrics.clear()
        self.curves = {}
        self.metrics.hide()
        self.setMinimumHeight(_LOW)
        self.losses.setLabel("bottom", "step")
        self.losses.getAxis("bottom").setStyle(showValues=True)

    def add(self, step: int, losses: Mapping[str, float], metrics: Mapping[str, float]) -> None:
        """Add the numbers of one `Progress` event."""
        same = {name: value for name, value in metrics.items() if name in _ERRORS}
        scores = {name: value for name, value in metrics.items() if name not in _ERRORS}
        for name, value in {**losses, **{f"validation {name}": value for name, value in same.items()}}.items():
            self._curve(self.losses, name).add(step, max(value, _SMALLEST_LOSS))
        if scores and not self.metrics.isVisible():
            self.metrics.show()
            self.setMinimumHeight(_HIGH)
            self.losses.setLabel("bottom", None)
            self.losses.getAxis("bottom").setStyle(showValues=False)
        for name, value in scores.items():
            self._curve(self.metrics, name).add(step, value)

    def _curve(self, plot: Any, name: str) -> Curve:
        key = f"{'loss' if plot is self.losses else 'validation'} {name}"
        if key not in self.curves:
            marks = {} if plot is self.losses else {"symbol": "o", "symbolSize": 5, "symbolPen": None}
            self.curves[key] = Curve(plot.plot(name=name, antialias=True, **marks))
            self._paint_curves()
        return self.curves[key]

    def set_colours(self, background: str, text: str) -> None:
        """Take over the theme's colours, given as ``#rrggbb``."""
        self._dark = pg.mkColor(background).lightness() < 128
        self.view.setBackground(background)
        for plot in (self.losses, self.metrics):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(text)
                plot.getAxis(side).setTextPen(text)
            plot.showGrid(x=True, y=True, alpha=0.15)
            plot.legend.setLabelTextColor(text)
        self._text = text
        self._paint_curves()

    def _paint_curves(self) -> None:
        """Give each curve its colour: losses from the first one on, everything validated from the second one on."""
        colours = _COLOURS[self._dark]
        seen = {(plot, validated): int(validated) for plot in ("loss", "validation") for validated in (False, True)}
        for key, curve in self.curves.items():
            kind = key.split()[0], "validation" in key
            colour = colours[seen[kind] % len(colours)]
            seen[kind] += 1
            curve.line.setPen(colour, width=2)
            curve.line.setSymbolBrush(colour)
