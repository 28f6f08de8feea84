"""Listening to one layer, another one as soon as it is picked. No Qt."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event, EventEmitter

EDITS = ("data",)
MOVES = ("scale", "translate", "rotate", "shear", "affine", "units")
"""Names of events."""


class WatchedLayer:
    """Calls back when something happens to a layer.

    Parameters
    ----------
    happened
        Called at each of the events, and when another layer is watched.
    events
        What is listened to: that its data are edited or replaced, or that it lies elsewhere.

    """

    def __init__(self, happened: Callable[[], None], events: tuple[str, ...] = EDITS) -> None:
        self._happened, self._events = happened, events
        self.layer: Layer | None = None

    def watch(self, layer: "Layer | None") -> None:
        """Watch this layer only."""
        if layer == self.layer:  # napari hands plugins proxies of layers, another one each time
            return
        for event in self._emitters():
            event.disconnect(self._on_event)
        self.layer = layer
        for event in self._emitters():
            event.connect(self._on_event)
        self._happened()

    def _emitters(self) -> "list[EventEmitter]":
        """Return what tells of the events, as far as this napari has it."""
        if self.layer is None:
            return []
        return [getattr(self.layer.events, name) for name in self._events if hasattr(self.layer.events, name)]

    def _on_event(self, event: "Event | None" = None) -> None:
        self._happened()
