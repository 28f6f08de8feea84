"""What the plots on screen have in common."""

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget


def fill(widget: QWidget, plot: QWidget) -> QVBoxLayout:
    """Let a plot fill a widget and return its layout; the dock, not the plot, decides about the size."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(plot, 1)
    plot.setMinimumSize(0, 0)
    plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
    return layout
