"""What the plots on screen have in common."""

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget


def fill(widget: QWidget, plot: QWidget) -> None:
    """Put a plot into a widget that has nothing else; the dock, not the plot, decides about its size."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(plot)
    plot.setMinimumSize(0, 0)
    plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
