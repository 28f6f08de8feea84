"""Layers that show what a running job predicts for the plane in view: labels, restored intensities, uncertainty."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from ...models.tasks import TaskName, task_of
from .colours import outline_colours, outlined
from .layers import (
    METADATA_KEY,
    LayerSnapshot,
    Placement,
    appearance_of,
    own_notes,
    place,
    placement,
    placement_of_finer,
    placement_of_plane,
)
from .turns import LayerTurns
from .watched_layer import MOVES, WatchedLayer

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_MOST_COLOURS = 255
_OPACITY, _GAMMA = 0.5, 2.0
"""The image stays visible below what is nearly decided."""


class _PreviewBase:
    """A layer of one plane that comes with the first prediction of a run and is updated in place.

    It never changes what the user has selected, and stays away when the user deletes it during the run.
    """

    def __init__(self, viewer: "Viewer") -> None:
        self._viewer = viewer
        self._layer: Image | Labels | None = None
        self._source: LayerSnapshot | None = None
        self._below: Layer | None = None
        self._dismissed = False
        self._turns = LayerTurns(viewer)
        self._image_moves = WatchedLayer(self._follow, MOVES)
        for left in [layer for layer in viewer.layers if own_notes(layer).get("preview")]:
            viewer.layers.remove(left)  # of a dock that was closed: nobody keeps it up to date

    def remove(self) -> None:
        """Remove the layer."""
        self._take_away()

    def _begin(self, source: LayerSnapshot, goes_on: bool = False) -> None:
        """Get ready for a run; where it goes on from what is shown, that stays until there is something newer."""
        if not (goes_on and self._is_there()):
            self.remove()
        self._source, self._dismissed = source, False
        self._image_moves.watch(next((x for x in self._viewer.layers if str(x.unique_id) == source.identity), None))

    def _follow(self) -> None:
        """Lie where the image lies now."""
        image = self._image_moves.layer
        if image is None or self._source is None:
            return
        self._source = replace(self._source, placement=placement(image))
        if self._layer is not None and self._is_there():
            place(self._layer, self._place_of(self._source, self._layer))

    def _place_of(self, source: LayerSnapshot, layer: Image | Labels) -> Placement:
        return placement_of_plane(source.placement)

    def _goes_on(self, source: LayerSnapshot, below: "Layer | None") -> bool:
        """Whether a run is on the same image and painting as the one before."""
        before = self._source
        alike = before is not None and (before.identity, before.shape) == (source.identity, source.shape)
        return alike and below == self._below

    def _is_there(self) -> bool:
        return self._layer is not None and self._layer in self._viewer.layers

    def _waits(self, show: Callable[[NDArray[np.generic]], None], image: NDArray[np.generic]) -> bool:
        """Whether the layer cannot come in this turn of the event loop; then the newest image is shown in the next."""
        if self._layer is not None or self._turns.settled:
            return False
        self._turns.drop()
        self._turns.when_settled(partial(show, image))
        return True

    def _take_away(self) -> None:
        self._turns.drop()
        if self._is_there():
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _notice_deletion(self) -> None:
        if self._layer is not None and not self._is_there():
            self._layer, self._dismissed = None, True

    def _blank(self) -> None:
        if self._layer is not None and self._is_there():
            self._layer.data = np.zeros_like(self._layer.data)

    def _insert(self, layer: Image | Labels, position: int) -> None:
        """Add the layer and leave the brush selected."""
        layers = self._viewer.layers
        active = layers.selection.active
        self._layer = layer
        layers.insert(position, layer)
        if active is not None and active in layers:
            layers.selection.active = active

    def _place_below(self, layer: "Layer | None") -> int:
        layers = self._viewer.layers
        return int(layers.index(layer)) if layer in layers else len(layers)


class PreviewLayer(_PreviewBase):
    """The predicted labels of the plane in view, below the painting: contours with a light fill."""

    _layer_colours: tuple[int, ...] = ()

    def begin(self, source: LayerSnapshot, below: "Layer | None" = None) -> None:
        """Get ready for a run on `source`; the layer will lie below the layer `below`.

        What an earlier run on the same image has shown stays until there is something newer.
        """
        self._begin(source, self._goes_on(source, below))
        self._below = below

    def show(self, labels: NDArray[np.generic]) -> None:
        """Show predicted labels ``(h, w)``, unless the user has deleted the layer during this run."""
        self._notice_deletion()
        if self._dismissed or self._source is None or labels.shape != self._source.shape[-2:]:
            return
        if self._waits(self.show, labels):
            return
        if self._layer is None:
            self._layer_colours = ()
            self._insert(self._labels(self._source, outlined(labels)), self._place_below(self._below))
        else:
            self._layer.data = outlined(labels)
        if self._layer is not None:
            self._layer.editable = False  # what is painted on a preview is gone with the next one
        self._colour(labels)

    def _colour(self, labels: NDArray[np.generic]) -> None:
        """Give the labels the colours that they were painted with; new ones only, as the canvas takes time for them."""
        found = tuple(range(1, min(int(labels.max(initial=0)), _MOST_COLOURS) + 1))
        if self._layer is not None and len(found) > len(self._layer_colours):
            self._layer_colours = found
            self._layer.colormap = outline_colours(found, self._below if isinstance(self._below, Labels) else None)

    def blank(self) -> None:
        """Show nothing until the next prediction: the slider was moved."""
        self._blank()

    @staticmethod
    def _labels(source: LayerSnapshot, labels: NDArray[np.generic]) -> Labels:
        return Labels(
            labels, name=f"{source.name} | preview", opacity=1.0, metadata=_preview_metadata(),
            **placement_of_plane(source.placement),
        )  # fmt: skip


class UncertaintyLayer(_PreviewBase):
    """The uncertainty of a prediction on the plane in view, glowing where it is high; shown only while `wanted`."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__(viewer)
        self._latest: NDArray[np.generic] | None = None
        self._wanted = False

    def begin(self, source: LayerSnapshot, below: "Layer | None" = None) -> None:
        """Get ready for predictions of planes of `source`; the layer will lie below the layer `below`."""
        self._begin(source, self._goes_on(source, below))
        self._below = below

    def want(self, wanted: bool) -> None:
        """Show the layer from now on, at once where something is known, or take it away."""
        self._wanted, self._dismissed = wanted, False
        if not wanted:
            self._take_away()
        elif self._latest is not None:
            self.show(self._latest)

    def show(self, uncertainty: NDArray[np.generic]) -> None:
        """Show uncertainty ``(h, w)``, 0 sure to 1 undecided, unless it is unwanted or the user deleted the layer."""
        self._latest = uncertainty
        self._notice_deletion()
        if not self._wanted or self._dismissed or self._source is None:
            return
        if uncertainty.shape != self._source.shape[-2:] or self._waits(self.show, uncertainty):
            return
        if self._layer is None:
            self._insert(self._image(self._source, uncertainty), self._place_below(self._below))
        else:
            self._layer.data = uncertainty

    def blank(self) -> None:
        """Show nothing until the next prediction: the slider was moved."""
        self._latest = None
        self._blank()

    def remove(self) -> None:
        """Remove the layer and forget what it showed."""
        self._latest = None
        self._take_away()

    @staticmethod
    def _image(source: LayerSnapshot, uncertainty: NDArray[np.generic]) -> Image:
        return Image(
            uncertainty, name=f"{source.name} | where to paint next", colormap="inferno", blending="additive",
            opacity=_OPACITY, gamma=_GAMMA, contrast_limits=(0.0, 1.0), metadata=_preview_metadata(),
            **placement_of_plane(source.placement),
        )  # fmt: skip


class RestoredPreview(_PreviewBase):
    """The restored plane in view, above its image and shown as the image is."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__(viewer)
        self._hidden = False
        """Whether the layer was hidden here; a layer that the user has hidden stays so."""

    def begin(self, layer: Image, source: LayerSnapshot, task: TaskName) -> None:
        """Get ready for a run.

        Parameters
        ----------
        layer
            The image layer that the preview will lie above.
        source
            Its planes.
        task
            What is learnt; without a background, black lies at 0.

        """
        self._begin(source)
        self._above = layer
        self._appearance = restored_appearance(appearance_of(layer), task)

    def show(self, restored: NDArray[np.generic]) -> None:
        """Show a restored plane, on a grid as fine or finer, unless the user has deleted the layer during this run."""
        self._notice_deletion()
        if self._dismissed or self._source is None:
            return
        factor = restored.shape[0] // self._source.shape[-2]
        if restored.shape != tuple(factor * n for n in self._source.shape[-2:]) or self._waits(self.show, restored):
            return
        if self._layer is None:
            self._insert(self._image(self._source, restored, factor), self._place_above())
        else:
            self._layer.data = restored
        if self._hidden and self._layer is not None:
            self._layer.visible, self._hidden = True, False

    def blank(self) -> None:
        """Show nothing until the next prediction: the slider was moved."""
        if self._layer is not None and self._is_there() and self._layer.visible:
            self._layer.visible, self._hidden = False, True

    def remove(self) -> None:
        """Remove the layer."""
        self._take_away()
        self._hidden = False

    def _place_of(self, source: LayerSnapshot, layer: Image | Labels) -> Placement:
        factor = layer.data.shape[0] // source.shape[-2]
        return placement_of_finer(placement_of_plane(source.placement), factor)

    def _image(self, source: LayerSnapshot, restored: NDArray[np.generic], factor: int) -> Image:
        return Image(
            restored, name=f"{source.name} | preview", metadata=_preview_metadata(), **self._appearance,
            **placement_of_finer(placement_of_plane(source.placement), factor),
        )  # fmt: skip

    def _place_above(self) -> int:
        layers = self._viewer.layers
        return int(layers.index(self._above)) + 1 if self._above in layers else len(layers)


def _preview_metadata() -> dict[str, object]:
    """By which pickers know a preview, to leave it out."""
    return {METADATA_KEY: {"preview": True}}


def restored_appearance(source: dict[str, Any], task: TaskName) -> dict[str, Any]:
    """Return limits and colours like those of the source; without its background, black lies at 0.

    Limits that are given also spare napari a look at all values.
    """
    looks = dict(source)
    low, high = looks.pop("contrast_limits", (0.0, 1.0))
    if not task_of(task).keeps_background:
        low, high = 0.0, high - low
    return {**looks, "contrast_limits": (float(low), float(high))}
