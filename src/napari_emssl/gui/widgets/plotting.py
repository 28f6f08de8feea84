"""An axis of a plot whose labels are few and readable, also where it is logarithmic."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

_LABEL_PX = 22
"""Room that a label takes along the axis."""


_FEW_DECADES, _NARROW = 2.5, 0.7


def log_ticks(low: float, high: float, room: int) -> list[float]:
    """Return the decadic logarithms of at most about `room` round numbers between 10^low and 10^high.

    Powers of ten where there are many, 1, 2, 5 where there are few; within one decade numbers at equal steps.
    """
    if high - low < _NARROW:
        return _even(10.0**low, 10.0**high, room)
    decades = np.arange(np.floor(low), np.ceil(high) + 1)
    parts = np.log10([1, 2, 5]) if high - low < _FEW_DECADES else np.zeros(1)
    ticks = np.add.outer(decades, parts).ravel()
    ticks = ticks[(ticks >= low - 1e-9) & (ticks <= high + 1e-9)]
    if len(ticks) > room:
        ticks = decades[:: max(1, -(-len(decades) // max(room, 1)))]
    return [float(tick) for tick in ticks]


def _even(low: float, high: float, room: int) -> list[float]:
    """Logarithms of multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(room, 1)
    power = 10.0 ** np.floor(np.log10(max(rough, 1e-300)))
    step = power * next(n for n in (1, 2, 5, 10) if n * power >= rough * (1 - 1e-9))
    values = np.arange(np.ceil(low / step - 1e-6), np.floor(high / step + 1e-6) + 1) * step
    return [float(value) for value in np.log10(values[values > 0])]


class LogAxis(pg.AxisItem):
    """An axis that is pyqtgraph's own while it is linear."""

    def logTickValues(
        self, low: float, high: float, size: float, levels: Any
    ) -> list[tuple[float | None, Sequence[float]]]:
        """Return the ticks, all of one level."""
        room = max(2, int(size / _LABEL_PX))
        return [(1.0, log_ticks(low, high, room))]

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return plain numbers."""
        return [f"{10.0**value * scale:.6g}" for value in values]


def fill(widget: QWidget, plot: QWidget) -> QVBoxLayout:
    """Let a plot fill a widget and return its layout; the dock, not the plot, decides about the size."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(plot, 1)
    plot.setMinimumSize(0, 0)
    plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
    return layout


def theme_colours(viewer: Any) -> tuple[str, str]:
    """Return background and text colour of the viewer's theme as ``#rrggbb``."""
    from napari.utils.theme import get_theme

    theme = get_theme(viewer.theme)
    return _hex(theme.background), _hex(theme.text)


def _hex(colour: Any) -> str:
    """Write the colour of a theme, whichever class this napari uses for it, as ``#rrggbb``."""
    red, green, blue = colour.as_rgb_tuple()[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"
