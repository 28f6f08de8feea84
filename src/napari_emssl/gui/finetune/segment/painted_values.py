"""Which labels there are in Labels layers, kept up with while the user paints; read in a thread."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from ...layers.matching import shape_of
from .classes import labels_in

_CALM_MS = 250
_RESTS = 4
"""Reading takes at most a fifth of the time, however large the layers are."""


class PaintedValues(QObject):
    """Labels found in some Labels layers, read anew when one of them was edited.

    Signals
    -------
    changed(object)
        The labels found in any of the layers, in order, as a tuple; also when they are the same ones.

    """

    changed = Signal(object)
    _read = Signal(int, object, float)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers: tuple[Any, ...] = ()
        self._turn, self._reading, self._again = 0, False, False
        self._thread = ThreadPoolExecutor(1)
        self._timer = QTimer(self, singleShot=True, interval=_CALM_MS)
        self._timer.timeout.connect(self._begin)
        self._read.connect(self._on_read)

    def watch(self, layers: Sequence[Any]) -> None:
        """Watch these layers, and no others any more."""
        for layer in self._layers:
            for event in edit_events(layer):
                event.disconnect(self._on_edit)
        self._layers = tuple(layers)
        for layer in self._layers:
            for event in edit_events(layer):
                event.connect(self._on_edit)
        self._turn += 1
        self._timer.start(0)

    def _on_edit(self, event: Any = None) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _begin(self) -> None:
        """Read the layers in the thread; while it does, remember that there is more to read."""
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        arrays = [(layer.data[0] if layer.multiscale else layer.data, shape_of(layer)) for layer in self._layers]
        self._thread.submit(self._work, self._turn, arrays)

    def _work(self, turn: int, arrays: Sequence[tuple[Any, tuple[int, ...]]]) -> None:
        began = time.monotonic()
        found: set[int] = set()
        for data, shape in arrays:
            with suppress(OSError, ValueError, IndexError):  # a lazy layer that cannot be read shows no labels
                found |= labels_in(data, shape)
        with suppress(RuntimeError):  # the dock may be gone
            self._read.emit(turn, tuple(sorted(found)), time.monotonic() - began)

    def _on_read(self, turn: int, found: tuple[int, ...], seconds: float) -> None:
        self._reading = False
        self._timer.setInterval(max(_CALM_MS, round(1000 * seconds * _RESTS)))
        if turn == self._turn:
            self.changed.emit(found)
        if self._again:
            self._timer.start()


def edit_events(layer: Any) -> list[Any]:
    """Events that tell of edits; the slider sets them off, too, which is no reason to read a lazy layer anew."""
    lazy = not isinstance(layer.data, np.ndarray)
    names = ("paint", "data") if lazy else ("paint", "data", "labels_update", "set_data")
    return [getattr(layer.events, name) for name in names if hasattr(layer.events, name)]
