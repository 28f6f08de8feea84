"""Listening to what is in one layer, another one as soon as it is picked. No Qt."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event


class WatchedLayer:
    """Calls back when the data of a layer are edited or replaced.

    Parameters
    ----------
    edited
        Called at each edit, and when another layer is watched.

    """

    def __init__(self, edited: Callable[[], None]) -> None:
        self._edited = edited
        self._layer: Layer | None = None

    def watch(self, layer: "Layer | None") -> None:
        """Watch this layer only."""
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_data)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._on_data)
        self._edited()

    def _on_data(self, event: "Event | None" = None) -> None:
        self._edited()
