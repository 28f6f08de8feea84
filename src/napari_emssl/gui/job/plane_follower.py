"""Tells a running job which plane the user looks at."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ...jobs.events import Control
from ..layers.layers import Index, LayerSnapshot, plane_in_view
from ..threads.newest import NewestWins

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils.events import Event
    from napari.viewer import Viewer

_CALM_MS = 120


@dataclass(frozen=True)
class _PlaneInView:
    source: LayerSnapshot
    index: Index
    control: Control


class PlaneFollower(QObject):
    """Follows the sliders during a run; planes are read and sent in a thread, since lazy ones may take long.

    Parameters
    ----------
    viewer
        The viewer with the sliders.
    parent
        Owner in the sense of Qt.

    Signals
    -------
    moved()
        Another plane of the image came into view.

    """

    moved = Signal()

    def __init__(self, viewer: "Viewer", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None
        self._source: LayerSnapshot | None = None
        self._control = Control()
        self._index: Index | None = None
        self._sender = NewestWins[_PlaneInView, None](_send, _CALM_MS, self)
        viewer.dims.events.current_step.connect(self._on_dims)

    def begin(self, layer: "Image", source: LayerSnapshot, control: Control) -> None:
        """Send the plane in view now, and every later one.

        Parameters
        ----------
        layer
            The layer whose planes are viewed.
        source
            That layer as it was, from which planes are read.
        control
            The commands of the job that is notified of them.

        """
        self._layer, self._source, self._control = layer, source, control
        self._index = None
        plane = self._plane()
        if plane is not None:
            self._sender.ask(plane)

    def forget(self) -> None:
        """Release the layer."""
        self._layer = self._source = None
        self._sender.drop()

    def _on_dims(self, event: "Event | None" = None) -> None:
        if self._layer is not None:
            self._sender.ask_when_calm(self._plane)

    def _plane(self) -> _PlaneInView | None:
        """Return the plane in view, where it is another one than before."""
        if self._layer is None or self._source is None:
            return None
        index = plane_in_view(self._layer, self._viewer)
        if index == self._index:
            return None
        if self._index is not None:
            self.moved.emit()
        self._index = index
        return _PlaneInView(self._source, index, self._control)


def _send(plane: _PlaneInView) -> Iterable[None]:
    plane.control.show(plane.source.plane(plane.index))
    return ()
