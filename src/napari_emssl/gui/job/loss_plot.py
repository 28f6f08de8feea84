"""Live curves: losses above, validation results below, with what is needed to read and to export them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyqtgraph as pg
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from ...errors import UserError
from ...jobs.events import Progress
from ...metrics import TITLES
from ..widgets.plotting import LogAxis, fill

_AXIS_PX, _TITLE_PX = 56, 18
"""Width of the axes, whose numbers have up to seven digits, and height of the names of the curves."""
_BETWEEN = "&nbsp;&nbsp; "
_LOW, _HIGH = 180, 270
"""Least height in pixels, of the losses alone and with the validation below."""
_MOST_POINTS = 4000
_FEW = 200
"""Up to this many points are drawn thick and marked; more cost time (thick lines ten times that of thin ones)."""
_SMALLEST_LOSS = 1e-12
_REDRAW_SECONDS = 0.1
_SHARE = 8
"""Drawing may take a share of the time: afterwards it rests for at least this many times as long."""
_ERRORS = ("loss", "l1", "l2")
"""Validation results that share the axis of the losses; the least is the best. Of all others it is the greatest."""
_HELP = "Drag to move, click and turn the wheel to zoom, drag with the right button to stretch."
_COLOURS = {  # Okabe & Ito's palette, safe for colour-blind eyes, in the shades that stand out on dark and on light
    False: ("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    True: ("#56B4E9", "#E69F00", "#2FC79E", "#CC79A7"),
}


class Curve:
    """Points of one line; when there are too many, every second one is dropped, so that memory stays flat."""

    def __init__(self, line: pg.PlotDataItem, marked: bool = False) -> None:
        self.line, self._marked, self._colour = line, marked, "w"
        self.line.opts["autoDownsampleFactor"] = 1.0  # a point a pixel will do
        self.steps: list[float] = []
        self.values: list[float] = []
        self.stale = False
        self._stride, self._seen = 1, 0

    def add(self, step: float, value: float) -> None:
        """Add a point, to be drawn by the next `draw`."""
        self._seen += 1
        if not math.isfinite(value) or self._seen % self._stride:
            return
        self.steps.append(step)
        self.values.append(value)
        self.stale = True
        if len(self.steps) > _MOST_POINTS:
            del self.steps[::2], self.values[::2]
            self._stride *= 2

    def draw(self) -> None:
        """Hand the points to the line, where there are new ones."""
        if self.stale:
            self.line.setData(self.steps, self.values)
            self._style()
            self.stale = False

    def paint(self, colour: str) -> None:
        """Take a colour."""
        self._colour = colour
        self._style()

    def _style(self) -> None:
        few = len(self.steps) <= _FEW
        self.line.setPen(self._colour, width=2 if few else 1)
        self.line.setSymbolBrush(self._colour)
        self.line.setSymbol("o" if few and self._marked else None)


class _CurveView(pg.GraphicsLayoutWidget):
    """A view in which the wheel zooms only after a click: until then it scrolls the dock, as everywhere else in it."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom, or leave the event to the dock."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class LossPlot(QWidget):
    """Curves of a training job. The lower half appears with the first validation result.

    Points that are added are drawn a little later, together, so that events never hold the viewer.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = _CurveView()
        self.losses = self.view.addPlot(row=0, col=0, axisItems={"left": LogAxis("left")})
        self.metrics = self.view.addPlot(row=1, col=0)
        self.curves: dict[str, Curve] = {}
        self._best: dict[str, float] = {}
        self._rows: Callable[[], Sequence[Progress]] = tuple
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.draw)
        self._rest = _REDRAW_SECONDS
        self._set_up()
        self._make_bar()
        self.clear()
        self.set_colours("#262930", "#f0f1f2")
        self._lay_out()

    def _set_up(self) -> None:
        self.losses.setLogMode(y=True)
        self.metrics.setXLink(self.losses)
        self.metrics.setLabel("bottom", "step")
        for plot in (self.losses, self.metrics):  # without names beside the axes: they stand above, in colour
            plot.getAxis("left").setWidth(_AXIS_PX)
            plot.getAxis("left").enableAutoSIPrefix(False)
            plot.getAxis("bottom").enableAutoSIPrefix(False)
            plot.setTitle("", size="8pt", justify="right")
            plot.titleLabel.setMaximumHeight(_TITLE_PX)
            plot.layout.setRowFixedHeight(0, _TITLE_PX)
            plot.setDownsampling(auto=True, mode="peak")
            plot.setClipToView(True)
            plot.hideButtons()

    def _make_bar(self) -> None:
        self.log = QCheckBox("log")
        self.log.setToolTip("Losses on a logarithmic axis.")
        self.log.setChecked(True)
        self.log.toggled.connect(self._set_log)
        self.all_button = QPushButton("View all")
        self.all_button.setToolTip(f"Show the whole curves again, and follow them as they grow. {_HELP}")
        self.all_button.clicked.connect(self.view_all)
        self.csv_button = QPushButton("CSV …")
        self.csv_button.setToolTip("Save the numbers of the curves as a table, one row per step.")
        self.csv_button.clicked.connect(self._ask_for_file)
        self.csv_button.hide()
        self.score = QLabel()
        self.score.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.score.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        for widget in (self.log, self.all_button, self.csv_button):
            bar.addWidget(widget)
        bar.addWidget(self.score, 1)
        fill(self, self.view).addLayout(bar)

    def clear(self) -> None:
        """Forget all curves."""
        self._timer.stop()
        self.losses.clear()
        self.metrics.clear()
        self.curves, self._best = {}, {}
        self.metrics.hide()
        self.setMinimumHeight(_LOW)
        self.losses.setLabel("bottom", "step")
        self.losses.getAxis("bottom").setStyle(showValues=True)
        self.score.setText("no validation")
        self.view_all()

    def add(self, step: int, losses: Mapping[str, float], metrics: Mapping[str, float]) -> None:
        """Add the numbers of one `Progress` event.

        Parameters
        ----------
        step
            Its step.
        losses
            By name.
        metrics
            What the validation at this step gave, by name; errors are drawn beside the losses. Empty without one.

        """
        same = {name: value for name, value in metrics.items() if name in _ERRORS}
        scores = {name: value for name, value in metrics.items() if name not in _ERRORS}
        for name, value in {**losses, **{f"validation {name}": value for name, value in same.items()}}.items():
            self._curve(self.losses, name).add(step, max(value, _SMALLEST_LOSS))
        if scores and not self.metrics.isVisible():
            self._show_metrics()
        for name, value in scores.items():
            self._curve(self.metrics, name).add(step, value)
        self._tell(metrics)
        if not self._timer.isActive():
            self._timer.start(round(1000 * self._rest))

    def show_rows(self, rows: Sequence[Progress]) -> None:
        """Show the curves of a training that is over."""
        self.clear()
        for row in rows:
            self.add(row.step, row.losses, row.metrics)
        self.draw()

    def _set_log(self, on: bool) -> None:
        self.losses.setLogMode(y=on)

    def draw(self) -> None:
        """Draw what was added since the last time; it runs automatically soon after `add`."""
        begin = time.perf_counter()
        for curve in self.curves.values():
            curve.draw()
        self.view.viewport().repaint()
        self._rest = max(_REDRAW_SECONDS, _SHARE * (time.perf_counter() - begin))

    def view_all(self) -> None:
        """Fit the axes to the curves, now and as they grow."""
        self.losses.enableAutoRange()
        self.metrics.enableAutoRange(x=True)
        self.metrics.setYRange(0, 1)

    def offer_csv(self, rows: Callable[[], Sequence[Progress]]) -> None:
        """Show the button that saves as a table what `rows` returns."""
        self._rows = rows
        self.csv_button.show()

    def save_csv(self, path: Path) -> None:
        """Write the numbers as a table; says in the viewer whether that worked."""
        from ...training.history import CurveTable

        try:
            CurveTable(path, self._rows())
        except (OSError, UserError) as error:
            show_error(str(error))
        else:
            show_info(f"The curves are in {path}.")

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the curves", "curves.csv", "Tables (*.csv)")
        if path:
            self.save_csv(Path(path).with_suffix(".csv"))

    def _show_metrics(self) -> None:
        self.metrics.show()
        self.setMinimumHeight(_HIGH)
        self.losses.setLabel("bottom", None)
        self.losses.getAxis("bottom").setStyle(showValues=False)

    def _tell(self, metrics: Mapping[str, float]) -> None:
        """Write out the last and the best result of the validation."""
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        if not finite:
            return
        name, value = next(((n, v) for n, v in finite.items() if n not in _ERRORS), next(iter(finite.items())))
        best = self._best[name] = (min if name in _ERRORS else max)(value, self._best.get(name, value))
        title = TITLES.get(name, name)
        shown = "" if name == "loss" else f"{title} "  # a loss alone may have many digits, and no room is left
        self.score.setText(f"{shown}{value:.3g}, best {best:.3g}")
        self.score.setToolTip(
            f"The last and the best {title} of the validation. "
            "On data that this training has not seen. Of painted objects that are left out in turn it is the mean; the "
            "model itself knows all of them."
        )

    def _curve(self, plot: pg.PlotItem, name: str) -> Curve:
        key = f"{'loss' if plot is self.losses else 'validation'} {name}"
        if key not in self.curves:
            line = plot.plot(antialias=True, symbolSize=5, symbolPen=None)
            self.curves[key] = Curve(line, marked="validation" in key)
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
        self._paint_curves()

    def _paint_curves(self) -> None:
        """Give each curve its colour: losses from the first one on, what is validated the ones after them."""
        colours = _COLOURS[self._dark]
        losses = sum("validation" not in key for key in self.curves)
        names: dict[str, list[str]] = {"loss": [], "validation": []}
        seen = {("loss", False): 0, ("loss", True): max(losses, 1), ("validation", True): 1}
        for key, curve in self.curves.items():
            kind = key.split()[0], "validation" in key
            colour = colours[seen[kind] % len(colours)]
            seen[kind] += 1
            curve.paint(colour)
            *words, name = key.split()[1:]
            names[kind[0]].append(f'<span style="color: {colour}">{" ".join([*words, TITLES.get(name, name)])}</span>')
        # above the curves, which a legend among them would hide or cross
        self.losses.setTitle(_BETWEEN.join(names["loss"]))
        self.metrics.setTitle(_BETWEEN.join(names["validation"]))
