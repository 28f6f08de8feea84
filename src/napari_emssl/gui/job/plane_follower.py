"""Tells a running job which plane the user looks at."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..layers.layers import LayerSnapshot, plane_in_view
from .runner import Handle

_CALM_MS = 120


class PlaneFollower(QObject):
    """Follows the sliders during a run; planes are read and sent in a thread, since lazy ones may take long.

    Signals
    -------
    moved()
        Another plane of the image came into view.

    """

    moved = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any = None
        self._source: LayerSnapshot | None = None
        self._handle = Handle()
        self._index: tuple[int, ...] | None = None
        self._thread = ThreadPoolExecutor(1)
        self._timer = QTimer(self, singleShot=True, interval=_CALM_MS)
        self._timer.timeout.connect(self._look)
        viewer.dims.events.current_step.connect(self._on_dims)

    def begin(self, layer: Any, source: LayerSnapshot, handle: Handle) -> None:
        """Send the plane in view now, and every later one; a handle whose job is over ignores them."""
        self._layer, self._source, self._handle = layer, source, handle
        self._index = None
        self._look()

    def forget(self) -> None:
        """Let go of the layer."""
        self._layer = self._source = None
        self._timer.stop()

    def _on_dims(self, event: Any = None) -> None:
        if self._layer is not None:
            self._timer.start()

    def _look(self) -> None:
        if self._layer is None or self._source is None:
            return
        index = plane_in_view(self._layer, self._viewer)
        if index == self._index:
            return
        if self._index is not None:
            self.moved.emit()
        self._index = index
        self._thread.submit(_send, self._source, index, self._handle)


def _send(source: LayerSnapshot, index: tuple[int, ...], handle: Handle) -> None:
    handle.show(source.plane(index))
