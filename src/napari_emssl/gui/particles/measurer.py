"""Measuring in a thread while the sliders move: the newest request wins, older answers are dropped."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.qt.threading import create_worker
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from ...errors import UserError
from ...jobs.settings import MeasureSettings
from ...particles.instances import Particles, is_mask, measure_plane, plain_labels
from ...particles.measure import with_place
from ...particles.split_touching import Fragments, cut_at_necks
from ..layers.layers import LayerSnapshot

_CALM_MS = 60
_MOST_CACHED_BYTES = 1 << 29
_PER_PIXEL = 4
"""Bytes that the fragments of a mask take for a pixel."""


@dataclass(frozen=True)
class MeasureRequest:
    """What the dock wants to see measured."""

    labels: LayerSnapshot
    intensity: LayerSnapshot | None
    indices: tuple[tuple[int, ...], ...]
    """Planes to measure, in order."""
    settings: MeasureSettings
    pixel_size_nm: float | None
    mask: bool | None = None
    """Whether the values are classes; None finds out."""


@dataclass(frozen=True)
class FoundPlane:
    """The particles of one plane of a request, numbered on from those of the planes before."""

    request: MeasureRequest
    index: tuple[int, ...]
    particles: Particles
    done: int
    """Number of planes measured so far, this one included."""


class Finder(QObject):
    """Answers requests, one at a time, plane by plane.

    Signals
    -------
    found(FoundPlane)
        A plane of the newest request is measured.
    failed(str)
        Why a request cannot be answered, as a sentence.
    busy(bool)
        Whether a request is being worked on.

    """

    found = Signal(object)
    failed = Signal(str)
    busy = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cuts: dict[tuple[int, ...], Fragments] = {}
        self._worker: Any = None
        self._next: MeasureRequest | None = None
        self._timer = QTimer(self, singleShot=True, interval=_CALM_MS)
        self._timer.timeout.connect(self._begin)

    @property
    def running(self) -> bool:
        """Whether an answer is still to come."""
        return self._worker is not None or self._next is not None

    def ask(self, request: MeasureRequest) -> None:
        """Measure soon; what was asked for before is dropped."""
        self._next = request
        if self._worker is not None:
            self._worker.quit()
        self._timer.start()

    def forget(self) -> None:
        """The labels have changed: what is known of them no longer holds."""
        self._cuts = {}

    def drop(self) -> None:
        """Answer nothing more of what was asked for."""
        self._timer.stop()
        self._next = None
        if self._worker is not None:
            self._worker.quit()

    def close(self) -> None:
        """Drop everything, what is known of the labels too."""
        self.drop()
        self.forget()

    def _begin(self) -> None:
        if self._next is None or self._worker is not None:
            return
        request, self._next = self._next, None
        self._worker = create_worker(_measure, request, self._cuts)
        self._worker.yielded.connect(self._on_found)
        self._worker.errored.connect(self._on_error)
        self._worker.finished.connect(self._on_end)
        self.busy.emit(True)
        self._worker.start()

    def _on_found(self, found: FoundPlane) -> None:
        if self._next is None:
            self.found.emit(found)

    def _on_error(self, error: BaseException) -> None:
        self.failed.emit(str(error) if isinstance(error, UserError) else f"Measuring failed: {error!r}.")

    def _on_end(self) -> None:
        self._worker = None
        if self._next is not None:
            self._begin()
        else:
            self.busy.emit(False)


def _measure(request: MeasureRequest, cuts: dict[tuple[int, ...], Fragments]) -> Iterator[FoundPlane]:
    """Measure plane after plane; runs in a thread and is left at the next plane when it is no longer wanted."""
    mask, count = _is_mask(request), 0
    for done, index in enumerate(request.indices, start=1):
        plane = plain_labels(request.labels.plane(index), f"'{request.labels.name}'")
        intensity = None if request.intensity is None else request.intensity.plane(_fitting(request.intensity, index))
        known = _Cuts(cuts, index, plane.size)
        particles = measure_plane(plane, mask, request.settings, intensity, request.pixel_size_nm, known)
        number = int(np.ravel_multi_index(index, request.labels.leading)) if index else 0
        particles = with_place(particles, request.labels.name, number).numbered_from(count + 1)
        count += len(particles.table)
        yield FoundPlane(request, index, particles, done)


def _is_mask(request: MeasureRequest) -> bool:
    """Look at all planes in memory; of lazily read layers, at those that are measured anyway."""
    if request.mask is not None and request.settings.labels == "auto":
        return request.mask
    labels = request.labels
    indices = labels.indices() if isinstance(labels.data, np.ndarray) else request.indices
    return is_mask((labels.plane(index) for index in indices), request.settings)


def _fitting(intensity: LayerSnapshot, index: tuple[int, ...]) -> tuple[int, ...]:
    """Index of the plane of the image that belongs to a plane of the labels; one plane may serve all."""
    return index[len(index) - len(intensity.leading) :]


class _Cuts:
    """Cuts a plane unless that was done before."""

    def __init__(self, known: dict[tuple[int, ...], Fragments], index: tuple[int, ...], size: int) -> None:
        self._known, self._index = known, index
        self._most = max(_MOST_CACHED_BYTES // (_PER_PIXEL * size), 1)

    def __call__(self, plane: NDArray[Any]) -> Fragments:
        if self._index not in self._known:
            while len(self._known) >= self._most:
                self._known.pop(next(iter(self._known)))
            self._known[self._index] = cut_at_necks(plane)
        return self._known[self._index]
