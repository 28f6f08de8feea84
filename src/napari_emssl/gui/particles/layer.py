"""The layer of measured particles: one beside its source, updated in place, with the table as its features."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from ...errors import UserError
from ...particles.table import ParticleTable
from ..layers.camera import camera_of
from ..layers.layers import METADATA_KEY, LayerSnapshot, own_notes, pixel_at, place, point_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

_OPACITY = 0.7
_LARGEST_BYTES = 8 * 2**30
_KEY = "particles_of"
_DTYPE = np.uint16
"""Napari draws 16-bit labels in about two thirds of the time of 32-bit ones; more than 65535 particles get these."""


def is_particle_layer(layer: "Layer") -> bool:
    """Whether a layer was made here, and so is a result, not a source."""
    return _KEY in own_notes(layer)


def _name_for(source: LayerSnapshot) -> str:
    return f"{source.name} | particles"


class ParticleLayer:
    """Shows the particles of one source at a time; the user may rename, hide or delete the layer.

    Once something is painted into it, it is the user's: it becomes a layer like any other and is not written to again.
    """

    def __init__(self, viewer: "Viewer") -> None:
        self._viewer = viewer
        self.layer: Labels | None = None
        self._source: Labels | None = None
        self._filled: set[tuple[int, ...]] = set()

    def begin(self, source_layer: Labels, source: LayerSnapshot) -> None:
        """Get the layer of `source_layer` ready: the one that is there, or a new one once something is found."""
        if source_layer is not self._source:
            self.layer, self._source = None, source_layer
        if self.layer is None or self.layer not in self._viewer.layers or self.layer.data.shape != source.shape:
            self.layer, self._filled = self._earlier(source), set()
        if self.layer is not None:
            place(self.layer, source.placement)

    def put(self, source: LayerSnapshot, index: tuple[int, ...], instances: NDArray[np.int32], first: bool) -> None:
        """Show the particles of a plane.

        Parameters
        ----------
        source
            The labels that were measured.
        index
            Index of the plane; empty for a single one.
        instances
            Numbers ``(h, w)``, 0 on the background.
        first
            Whether this is the first plane of an answer: all other planes are emptied.

        Raises
        ------
        UserError
            When the layer would not fit into memory.

        """
        if self.layer is None:
            self.layer = self._add(source)
            self.layer.events.paint.connect(self._hand_over)
        if instances.max(initial=0) > np.iinfo(self.layer.data.dtype).max:
            self.layer.data = self.layer.data.astype(np.int32)
        if first:
            for other in self._filled - {index}:
                self.layer.data[other] = 0
            self._filled = set()
        self.layer.data[index or ...] = instances
        self._filled.add(index)
        self.layer.refresh()

    def describe(self, table: ParticleTable) -> None:
        """Put the table into the layer's features, where a row finds its label by the column ``index``."""
        if self.layer is None:
            return
        columns = {name: values for name, values in table.outside().items() if name not in ("file", "label")}
        self.layer.features = {"index": table.columns["label"], **columns}

    def go_to(self, label: int, index: tuple[int, ...], y: float, x: float) -> None:
        """Bring a particle into the middle of the view and select its label.

        Parameters
        ----------
        label
            Number of the particle.
        index
            Index of its plane; empty for a single one.
        y, x
            Its centre, in pixels.

        """
        if self.layer is None or self.layer not in self._viewer.layers:
            return
        point = point_of(self.layer, self._viewer, (*index, y, x))
        skipped = self._viewer.dims.ndim - self.layer.ndim
        for axis in range(len(index)):
            self._viewer.dims.set_point(axis + skipped, point[axis])
        camera_of(self._viewer).center = (0.0, *point[-2:])
        self.layer.selected_label = label
        self._viewer.layers.selection.active = self.layer

    def label_at(self, point: Sequence[float]) -> int:
        """Return the number of the particle at a point of the viewer's world; 0 where there is none."""
        if self.layer is None or self.layer not in self._viewer.layers or not self.layer.visible:
            return 0
        at = pixel_at(self.layer, self._viewer, point)
        inside = all(0 <= i < n for i, n in zip(at, self.layer.data.shape, strict=True))
        return int(self.layer.data[at]) if inside else 0

    def _hand_over(self, event: "Event") -> None:
        """The user has corrected a layer by hand: never write to it again."""
        layer = event.source
        layer.events.paint.disconnect(self._hand_over)
        layer.metadata.pop(METADATA_KEY, None)
        if layer is self.layer:
            self.layer = None

    def _earlier(self, source: LayerSnapshot) -> Labels | None:
        """Find the layer that another dock, or this one before, made of this source."""
        for layer in self._viewer.layers:
            same = is_particle_layer(layer) and layer.metadata[METADATA_KEY][_KEY] == source.identity
            if same and layer.name == _name_for(source) and getattr(layer.data, "shape", ()) == source.shape:
                layer.data[...] = 0
                layer.events.paint.connect(self._hand_over)
                return layer
        return None

    def _add(self, source: LayerSnapshot) -> Labels:
        """Add the layer above its source, which is hidden unless it is being painted: colours would mix."""
        if np.prod(source.shape, dtype=float) * np.dtype(_DTYPE).itemsize > _LARGEST_BYTES:
            raise UserError(
                f"'{source.name}' is too large to number its particles in memory. Measure it in the terminal with "
                "'napari-emssl measure', or duplicate a few of its planes into a layer of their own."
            )
        layers, active = self._viewer.layers, self._viewer.layers.selection.active
        layer = Labels(
            np.zeros(source.shape, _DTYPE), name=_name_for(source), opacity=_OPACITY,
            metadata={METADATA_KEY: {_KEY: source.identity}}, **source.placement,
        )  # fmt: skip
        source_layer = self._source
        if source_layer is not None and source_layer in layers:
            source_layer.visible = source_layer.mode != "pan_zoom"
            layers.insert(layers.index(source_layer) + 1, layer)
        else:
            layers.append(layer)
        if active is not None and active in layers:
            layers.selection.active = active
        return layer
