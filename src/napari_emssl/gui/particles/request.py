"""What the dock wants measured, and the particles of each of its planes. No Qt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...jobs.settings import MeasureSettings
from ...particles.instances import Particles, meaning_of, measure_plane, plain_labels
from ...particles.measure import with_place
from ...particles.split_touching import Fragments, cut_at_necks
from ..layers.layers import LayerSnapshot

Cuts = dict[tuple[int, ...], Fragments]
"""Planes that were cut into fragments before, by their index: that takes longest and depends on the labels alone."""

_MOST_CACHED_BYTES = 1 << 29
_PER_PIXEL = 4
"""Bytes that the fragments of a mask take for a pixel."""


@dataclass(frozen=True)
class FoundPlane:
    """The particles of one plane of a request, numbered consecutively after those of the planes before."""

    request: "MeasureRequest"
    index: tuple[int, ...]
    particles: Particles
    done: int
    """Number of planes measured so far, this one included."""


@dataclass(frozen=True)
class MeasureRequest:
    """What is measured, read off the dock: nothing that is done to the dock afterwards changes it.

    No job is made of it: the answer to the newest request is followed plane by plane, and that to an older one is
    dropped.
    """

    labels: LayerSnapshot
    intensity: LayerSnapshot | None
    indices: tuple[tuple[int, ...], ...]
    """Planes to measure, in order."""
    settings: MeasureSettings
    pixel_size_nm: float | None
    mask: bool | None = None
    """Whether the values are classes; None detects it."""

    def measure(self, cuts: Cuts) -> Iterator[FoundPlane]:
        """Measure plane after plane; called in a thread, and closed at the next plane when it is no longer wanted.

        Parameters
        ----------
        cuts
            What is known of these very labels; new cuts are added, the oldest go when they take too much memory.

        Raises
        ------
        UserError
            When a plane holds something else than labels.

        """
        mask, count = self._is_mask(), 0
        for done, index in enumerate(self.indices, start=1):
            plane = plain_labels(self.labels.plane(index), f"'{self.labels.name}'")
            known = _KnownCuts(cuts, index, plane.size)
            shown = self._intensity(index)
            particles = measure_plane(plane, mask, self.settings, shown, self.pixel_size_nm, known)
            number = int(np.ravel_multi_index(index, self.labels.leading)) if index else 0
            particles = with_place(particles, self.labels.name, number).numbered_from(count + 1)
            count += len(particles.table)
            yield FoundPlane(self, index, particles, done)

    def _is_mask(self) -> bool:
        """Look at all planes in memory; of lazily read layers, at those that are measured anyway."""
        if self.mask is not None and self.settings.labels == "auto":
            return self.mask
        indices = self.labels.indices() if isinstance(self.labels.data, np.ndarray) else self.indices
        planes = (self.labels.plane(index) for index in indices)
        return meaning_of(planes, self.settings, f"'{self.labels.name}'").mask

    def _intensity(self, index: tuple[int, ...]) -> NDArray[Any] | None:
        """Return the plane of the image that belongs to a plane of the labels; one plane may serve all."""
        if self.intensity is None:
            return None
        return self.intensity.plane(index[len(index) - len(self.intensity.leading) :])


class _KnownCuts:
    """Cuts a plane unless that was done before."""

    def __init__(self, known: Cuts, index: tuple[int, ...], size: int) -> None:
        self._known, self._index = known, index
        self._most = max(_MOST_CACHED_BYTES // (_PER_PIXEL * size), 1)

    def __call__(self, plane: NDArray[np.integer[Any]]) -> Fragments:
        if self._index not in self._known:
            while len(self._known) >= self._most:
                self._known.pop(next(iter(self._known)))
            self._known[self._index] = cut_at_necks(plane)
        return self._known[self._index]
