"""Which labels there are in Labels layers, kept up with while the user paints; read in a thread."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from qtpy.QtCore import QObject, Signal

from ....data.arrays import DuckArray
from ...layers.matching import shape_of
from ...threads.newest import NewestWins
from .classes import labels_in

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.utils.events import Event, EventEmitter

_CALM_MS = 250
_RESTS = 4
"""Reading takes at most a fifth of the time, however large the layers are."""

_Grids = list[tuple[DuckArray, tuple[int, ...]]]
"""Arrays, numpy or lazy, and their shapes ``(..., h, w)``."""


class _Reading(NamedTuple):
    values: tuple[int, ...]
    seconds: float


class PaintedValues(QObject):
    """Labels found in some Labels layers, read again when one of them was edited.

    Signals
    -------
    changed(object)
        The labels found in any of the layers, in order, as a tuple; also when they are the same ones.

    """

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers: tuple[Labels, ...] = ()
        self._edited = False
        """Whether there was an edit since the layers were last read."""
        self._read = NewestWins[_Grids, _Reading](_labels_of, _CALM_MS, self)
        self._read.answered.connect(self._on_read)
        self._read.busy_changed.connect(lambda busy: None if busy else self._catch_up())

    def watch(self, layers: "Sequence[Labels]") -> None:
        """Watch these layers only."""
        for layer in self._layers:
            for event in edit_events(layer):
                event.disconnect(self._on_edit)
        self._layers = tuple(layers)
        for layer in self._layers:
            for event in edit_events(layer):
                event.connect(self._on_edit)
        self._read.ask(self._grids())

    def _on_edit(self, event: "Event | None" = None) -> None:
        """Read soon, even while the user continues to paint; never abandon a reading, so that each one finishes."""
        self._edited = True
        if not self._read.busy:
            self._catch_up()

    def _catch_up(self) -> None:
        if self._edited:
            self._read.ask_when_calm(self._grids)

    def _grids(self) -> _Grids:
        self._edited = False
        return [(layer.data[0] if layer.multiscale else layer.data, shape_of(layer)) for layer in self._layers]

    def _on_read(self, reading: _Reading) -> None:
        self._read.calm_ms = max(_CALM_MS, round(1000 * reading.seconds * _RESTS))
        self.changed.emit(reading.values)


def _labels_of(grids: _Grids) -> Iterator[_Reading]:
    """Read the labels; called in a thread."""
    began = time.monotonic()
    found: set[int] = set()
    for data, shape in grids:
        with suppress(OSError, ValueError, IndexError):  # a lazy layer that cannot be read shows no labels
            found |= labels_in(data, shape)
    yield _Reading(tuple(sorted(found)), time.monotonic() - began)


def edit_events(layer: "Labels") -> "list[EventEmitter]":
    """Events that tell of edits; the slider sets them off, too, which is no reason to read a lazy layer again."""
    lazy = not isinstance(layer.data, np.ndarray)
    names = ("paint", "data") if lazy else ("paint", "data", "labels_update", "set_data")
    return [getattr(layer.events, name) for name in names if hasattr(layer.events, name)]
