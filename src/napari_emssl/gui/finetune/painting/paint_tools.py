"""What belongs to the painting that is picked: an offer to continue an earlier one, two brushes, and its keeping."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from .brushes import BrushRow
from .continue_row import ContinueRow
from .minute_saver import MinuteSaver, OpenPainting

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer


_PAINT_FEW = "Paint a few particles, whole and to the edge, then press Start."
_PAINT_ONE = "Paint one particle, whole and to the edge: everything like it is marked at once."
_CORRECT = (
    "Look at the outlines. Paint a particle that was missed with Particle, and what was found by mistake with Not "
    "particle. Then keep the result, or press Start to improve on it."
)


class PaintTools(QWidget):
    """Brushes, with the offer above them; the painting is saved every minute.

    Parameters
    ----------
    viewer
        The viewer with the layers.
    picked
        Returns what is picked now; None where nothing can be saved.

    Signals
    -------
    opened(object, object)
        A painting that was saved, and the Shapes layer of its regions or None.
    reported(str, bool)
        A sentence for the user, and whether something is wrong.
    painting_wanted()
        A brush is wanted, and there is no painting.

    """

    opened = Signal(object, object)
    reported = Signal(str, bool)
    painting_wanted = Signal()

    def __init__(self, viewer: "Viewer", picked: Callable[[], OpenPainting | None]) -> None:
        super().__init__()
        self._viewer = viewer
        self._painting: Labels | None = None
        self._guiding = False
        """Whether the user has a new painting, and was not told yet what comes after the first stroke."""
        self.earlier, self.brushes = ContinueRow(viewer), BrushRow(lambda: viewer.layers.selection.active)
        viewer.layers.selection.events.active.connect(self.brushes.refresh)
        self.saver = MinuteSaver(picked, self)
        self.earlier.opened.connect(self.opened)
        self.earlier.reported.connect(self.reported)
        self.brushes.wanted.connect(lambda _: self.painting_wanted.emit())
        self.brushes.taken.connect(self._select)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.earlier)
        column.addWidget(self.brushes)

    def watch(self, painting: "Labels | None") -> None:
        """Serve this painting from now on."""
        self._painting = painting
        self.brushes.watch(painting)
        self.saver.watch(painting)

    def guide(self, in_context: bool) -> None:
        """Say how a new painting is begun; in context one particle is enough."""
        self._guiding = in_context
        self.reported.emit(_PAINT_ONE if in_context else _PAINT_FEW, False)

    def on_answer(self) -> None:
        """Say what comes next, once, when the first answer to a new painting is there."""
        if self._guiding:
            self._guiding = False
            self.reported.emit(_CORRECT, False)

    def on_meant(self) -> None:
        """Respond to another meaning of what is painted: classes, regions, or unpainted pixels."""
        self.brushes.refresh()
        self.saver.note()

    def on_close(self) -> None:
        """Listen to no layer any more, and write nothing."""
        self.watch(None)
        self._viewer.layers.selection.events.active.disconnect(self.brushes.refresh)
        self.earlier.on_close()
        self.saver.on_close()

    def _select(self) -> None:
        """Brushes and their keys work in the selected layer."""
        if self._painting in self._viewer.layers:
            self._viewer.layers.selection.active = self._painting
