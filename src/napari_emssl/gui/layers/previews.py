"""Layers that show what a running job predicts for the plane in view: labels, restored intensities, uncertainty."""

from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from ...models.tasks import TaskName, task_of
from .layers import METADATA_KEY, LayerSnapshot, appearance_of, placement_of_finer, placement_of_plane


class RestoredPreview:
    """The prediction of a running job on the plane in view, shown as the source is."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._dismissed = self._blank = False

    def begin(self, layer: Any, source: LayerSnapshot, task: TaskName) -> None:
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


_OPACITY, _GAMMA = 0.5, 2.0
"""The image stays visible below what is nearly decided."""


class UncertaintyLayer:
    """The uncertainty of a prediction on the plane in view, glowing where it is high; shown only while `wanted`."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._source: LayerSnapshot | None = None
        self._latest: NDArray[Any] | None = None
        self._wanted = self._dismissed = False

    def begin(self, source: LayerSnapshot, below: Any = None) -> None:
        """Get ready for predictions of planes of `source`; the layer will lie below the layer `below`."""
        self.remove()
        self._source, self._below, self._dismissed = source, below, False

    def want(self, wanted: bool) -> None:
        """Show the layer from now on, at once where something is known, or take it away."""
        self._wanted, self._dismissed = wanted, False
        if not wanted:
            self._take_away()
        elif self._latest is not None:
            self.show(self._latest)

    def show(self, uncertainty: NDArray[Any]) -> None:
        """Show uncertainty ``(h, w)``, 0 sure to 1 undecided, unless it is unwanted or the user deleted the layer."""
        self._latest = uncertainty
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._layer, self._dismissed = None, True
        if not self._wanted or self._dismissed or self._source is None:
            return
        if uncertainty.shape != self._source.shape[-2:]:
            return
        if self._layer is None:
            self._add(self._source, uncertainty)
        else:
            self._layer.data = uncertainty

    def blank(self) -> None:
        """Show nothing until the next prediction: the slider was moved."""
        self._latest = None
        if self._layer is not None and self._layer in self._viewer.layers:
            self._layer.data = np.zeros_like(self._layer.data)

    def remove(self) -> None:
        """Take the layer away and forget what it showed."""
        self._latest = None
        self._take_away()

    def _take_away(self) -> None:
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _add(self, source: LayerSnapshot, uncertainty: NDArray[Any]) -> None:
        """Add the layer without taking the brush out of the user's hand."""
        active = self._viewer.layers.selection.active
        self._layer = Image(
            uncertainty, name=f"{source.name} | where to paint next", colormap="inferno", blending="additive",
            opacity=_OPACITY, gamma=_GAMMA, contrast_limits=(0.0, 1.0), metadata={METADATA_KEY: {"preview": True}},
            **placement_of_plane(source.placement),
        )  # fmt: skip
        layers = self._viewer.layers
        layers.insert(layers.index(self._below) if self._below in layers else len(layers), self._layer)
        if active is not None and active in layers:
            layers.selection.active = active


def restored_appearance(source: dict[str, Any], task: TaskName) -> dict[str, Any]:
    """Return limits and colours like those of the source; without its background, black lies at 0.

    Limits that are given also spare napari a look at all values.
    """
    looks = dict(source)
    low, high = looks.pop("contrast_limits", (0.0, 1.0))
    if not task_of(task).keeps_background:
        low, high = 0.0, high - low
    return {**looks, "contrast_limits": (float(low), float(high))}


class PreviewLayer:
    """The prediction of a running job on the plane in view, as one small layer below the painting."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._dismissed = False

    def begin(self, source: LayerSnapshot, below: Any = None) -> None:
        """Get ready for a run on `source`; the layer will lie below the layer `below`."""
        self.remove()
        self._source, self._below, self._dismissed = source, below, False

    def show(self, labels: NDArray[Any]) -> None:
        """Show predicted labels ``(h, w)``, unless the user has deleted the layer during this run."""
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._dismissed = True
        if self._dismissed or labels.shape != self._source.shape[-2:]:
            return
        if self._layer is None:
            self._add(labels)
        else:
            self._layer.data = labels

    def blank(self) -> None:
        """Show nothing until the next prediction: the slider was moved."""
        if self._layer is not None and self._layer in self._viewer.layers:
            self._layer.data = np.zeros_like(self._layer.data)

    def remove(self) -> None:
        """Take the layer away."""
        if self._layer is not None and self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _add(self, labels: NDArray[Any]) -> None:
        """Add the layer without taking the brush out of the user's hand."""
        active = self._viewer.layers.selection.active
        self._layer = Labels(
            labels, name=f"{self._source.name} | preview", opacity=_OPACITY,
            metadata={METADATA_KEY: {"preview": True}}, **placement_of_plane(self._source.placement),
        )  # fmt: skip
        layers = self._viewer.layers
        layers.insert(layers.index(self._below) if self._below in layers else len(layers), self._layer)
        if active is not None and active in layers:
            layers.selection.active = active
