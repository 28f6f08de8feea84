"""The restored plane in view, while a restoration is learnt: one small image layer above its source."""

from typing import Any

from napari.layers import Image
from numpy.typing import NDArray

from .layers import METADATA_KEY, Source, placement_of_finer, placement_of_plane
from .requests import appearance_of
from .results import restored_appearance


class RestoredPreview:
    """The prediction of a running job on the plane in view, shown as the source is."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._dismissed = self._blank = False

    def begin(self, layer: Any, source: Source, task: str) -> None:
        """Get ready for a run on `source`, the planes of `layer`; the preview will lie above it."""
        self.remove()
        self._above, self._source, self._dismissed = layer, source, False
        self._look = restored_appearance(appearance_of(layer), task)

    def show(self, restored: NDArray[Any]) -> None:
        """Show a restored plane, on a grid as fine or finer, unless the user has deleted the layer during this run."""
        height = self._source.shape[-2]
        factor = restored.shape[0] // height
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._dismissed = True
        if self._dismissed or restored.shape != tuple(factor * n for n in self._source.shape[-2:]):
            return
        if self._layer is None:
            self._add(restored, factor)
        else:
            self._layer.data = restored
        if self._blank:
            self._layer.visible, self._blank = True, False

    def blank(self) -> None:
        """Show nothing until the next prediction: the slider was moved."""
        if self._layer in self._viewer.layers and self._layer.visible:
            self._layer.visible, self._blank = False, True

    def remove(self) -> None:
        """Take the layer away."""
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer, self._blank = None, False

    def _add(self, restored: NDArray[Any], factor: int) -> None:
        """Add the layer without changing what the user has selected."""
        layers = self._viewer.layers
        active = layers.selection.active
        self._layer = Image(
            restored, name=f"{self._source.name} | preview", metadata={METADATA_KEY: {"preview": True}}, **self._look,
            **placement_of_finer(placement_of_plane(self._source.placement), factor),
        )  # fmt: skip
        layers.insert(layers.index(self._above) + 1 if self._above in layers else len(layers), self._layer)
        if active is not None and active in layers:
            layers.selection.active = active
