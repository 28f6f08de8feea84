"""What the plots share: an axis with few, readable labels, also where it is logarithmic, and the room they take."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

_LABEL_PX = 22
"""Room that a label takes along the axis."""
_FEW_DECADES, _NARROW = 2.5, 0.7


def log_ticks(low: float, high: float, room: int) -> list[float]:
    """Choose round numbers for a logarithmic axis: powers of ten where there are many, 1, 2, 5 where there are few.

    Within one decade the numbers are at equal steps.

    Parameters
    ----------
    low, high
        Decadic logarithms of the ends of the axis.
    room
        About how many numbers there is room for.

    Returns
    -------
    list of float
        The decadic logarithms of the numbers, in order.

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
        self, low: float, high: float, size: float, levels: object
    ) -> list[tuple[float | None, Sequence[float]]]:
        """Return the ticks.

        Parameters
        ----------
        low, high
            Decadic logarithms of the ends of the axis.
        size
            Length of the axis in pixels.
        levels
            What pyqtgraph would take; not used.

        Returns
        -------
        list of tuple
            One level of ticks: its spacing, and the decadic logarithms of its numbers.

        """
        room = max(2, int(size / _LABEL_PX))
        return [(1.0, log_ticks(low, high, room))]

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Write the ticks as plain numbers.

        Parameters
        ----------
        values
            Decadic logarithms of the numbers.
        scale
            Factor of the axis' unit.
        spacing
            Distance of the ticks; not used.

        """
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
