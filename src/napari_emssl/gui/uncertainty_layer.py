"""Where a prediction is undecided, and so where painting teaches most: one small image layer, updated in place."""

from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from .layers import METADATA_KEY, Source, placement_of_plane

_OPACITY, _GAMMA = 0.5, 2.0
"""The image stays visible below what is nearly decided."""


class UncertaintyLayer:
    """The uncertainty of a prediction on the plane in view, glowing where it is high; shown only while `wanted`."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._source: Source | None = None
        self._latest: NDArray[Any] | None = None
        self._wanted = self._dismissed = False

    def begin(self, source: Source, below: Any = None) -> None:
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

    def _add(self, source: Source, uncertainty: NDArray[Any]) -> None:
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
