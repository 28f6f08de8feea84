"""A layer is added in a later turn of the event loop than the one in which another was removed.

The canvas is drawn in between, so that what the one held on the graphics card is freed before the other needs some:
where OpenGL runs in software, napari may crash otherwise.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer


class LayerTurns:
    """Knows whether a layer was removed in this turn, by whomever, and lets additions wait for the next one.

    Parameters
    ----------
    viewer
        The viewer whose layers are watched, as long as this object lives.

    """

    def __init__(self, viewer: "Viewer") -> None:
        self._waiting: list[Callable[[], object]] = []
        self._next = QTimer()
        self._next.setSingleShot(True)  # with no interval: after whatever is posted by then, redraws included
        self._next.timeout.connect(self._on_next)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def settled(self) -> bool:
        """Whether layers may be added now."""
        return not self._next.isActive()

    def when_settled(self, add: Callable[[], object]) -> None:
        """Call `add` now, or in the next turn where a layer was removed in this one."""
        if self.settled:
            add()
        else:
            self._waiting.append(add)

    def drop(self) -> None:
        """Add nothing of what waits."""
        self._waiting = []

    def _on_removed(self, event: "Event | None" = None) -> None:
        self._next.start(0)

    def _on_next(self) -> None:
        waiting, self._waiting = self._waiting, []
        for add in waiting:
            self.when_settled(add)
