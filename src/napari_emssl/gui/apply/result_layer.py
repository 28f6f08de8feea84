"""Arrays back into the viewer: results as layers that are updated in place."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from ...models.model_file import Card
from ...models.results import result_shape
from ...models.tasks import task_of
from ..layers.colours import result_colours
from ..layers.layers import METADATA_KEY, Placement, own_notes, place, placement, placement_of_finer
from ..layers.lazy_array import LazyPlanes
from ..layers.previews import restored_appearance
from .request import Selection

if TYPE_CHECKING:
    import zarr
    from napari.utils.events import Event
    from napari.viewer import Viewer

LayerArray: TypeAlias = "NDArray[np.generic] | LazyPlanes | zarr.Array"
"""What a result may come as."""

_OPACITY = 0.5
_CORRECTED = "corrected"
"""Planes of a result that were painted on, in its notes."""
_LARGEST_EMPTY = 2**30
"""Of one plane of a larger stack only that plane is kept, not an array of zeros for all."""


def show_result(viewer: "Viewer", card: Card, file: str, selection: Selection, array: LayerArray) -> Image | Labels:
    """Show what a model made of an image.

    Labels of a segmentation model become a Labels layer, everything else an Image layer that looks like its source,
    named ``<image> | <model>`` and on the field of the source, where that lies now. The layer of an earlier run of the
    same model on the same image layer is updated in place; of a single plane, only that plane. One whose labels were
    corrected by hand where they would be replaced stays as it is beside a new one.

    Parameters
    ----------
    viewer
        Gets the layer.
    card
        Of the model that made it.
    file
        The model's name in the zoo, or path.
    selection
        The planes that it was made of.
    array
        The result, of the shape of these planes (finer where the model makes them so).

    Returns
    -------
    Image or Labels
        The layer, a new one or the one of an earlier run.

    """
    identity = _identity(card, file, selection)
    shape = result_shape(selection.source.shape, card)
    where = placement_of_finer(_place_of(viewer, selection), card.upscale)
    layer = _earlier(viewer, identity, shape, selection.index)
    if layer is None:
        layer = _new_layer(selection, _whole(selection, array, card), where, card)
        layer.metadata[METADATA_KEY] = identity
        viewer.add_layer(layer)
        _watch_corrections(layer)
    elif selection.index is None:
        layer.data = array
        place(layer, where)
    else:
        _put(layer, selection.index, np.asarray(array))
        place(layer, where)
    layer.metadata[METADATA_KEY] = {**own_notes(layer), **identity}
    layer.editable = isinstance(layer.data, np.ndarray)
    layer.visible = True
    return layer


def _identity(card: Card, file: str, selection: Selection) -> dict[str, Any]:
    """Return which model made a layer, in plain values."""
    last = card.history[-1] if card.history else None
    return {
        "image": selection.source.name,
        "layer": selection.source.identity,
        "model": card.name,
        "task": card.task,
        "network": card.network.name,
        "classes": [c.name for c in card.classes],
        "trained": last.date if last else "",
        "file": file,
    }


def _place_of(viewer: "Viewer", selection: Selection) -> Placement:
    """Where the image lies now; where it lay when it was read, if it is gone."""
    source = selection.source
    found = next((layer for layer in viewer.layers if str(layer.unique_id) == source.identity), None)
    if found is None or found.ndim != len(source.shape):
        return source.placement
    return placement(found)


def _earlier(
    viewer: "Viewer", identity: dict[str, Any], shape: tuple[int, ...], index: tuple[int, ...] | None
) -> Image | Labels | None:
    """Find the layer of an earlier run, whatever it is called now; for one plane it must be one to write to."""
    for layer in viewer.layers:
        made_by = own_notes(layer)
        same = all(made_by.get(key) == identity[key] for key in ("layer", "model", "file"))
        writable = index is None or isinstance(layer.data, np.ndarray | LazyPlanes)
        corrected = made_by.get(_CORRECTED, ())
        kept = bool(corrected) if index is None else list(index) in corrected
        if same and writable and not kept and tuple(getattr(layer.data, "shape", ())) == shape:
            return layer
    return None


def _watch_corrections(layer: Image | Labels) -> None:
    """Note the planes of a result on which somebody paints."""
    if not isinstance(layer, Labels):
        return

    def note(event: "Event") -> None:
        noted = own_notes(layer)
        planes = np.zeros(layer.data.shape[:-2], bool)
        for plane in noted.get(_CORRECTED, ()):
            planes[tuple(plane)] = True
        for change in event.value:  # a box with a mask in it, or indices, old values and new ones
            box = getattr(change, "slice_key", None)
            planes[tuple(change[0] if box is None else box)[:-2]] = True
        layer.metadata[METADATA_KEY] = {**noted, _CORRECTED: np.argwhere(planes).tolist()}

    layer.events.paint.connect(note)


def _put(layer: Image | Labels, index: tuple[int, ...], plane: NDArray[np.generic]) -> None:
    """Write one plane into the data of a layer."""
    if isinstance(layer.data, LazyPlanes):
        layer.data.put(index, plane)
    else:
        layer.data[index] = plane
    layer.refresh()


def _whole(selection: Selection, array: LayerArray, card: Card) -> LayerArray:
    """Put a single plane into an otherwise empty array of the whole grid."""
    if selection.index is None:
        return array
    shape = result_shape(selection.source.shape, card)
    if np.prod(shape, dtype=float) * array.dtype.itemsize > _LARGEST_EMPTY:
        sparse = LazyPlanes(shape, array.dtype)
        sparse.put(selection.index, np.asarray(array))
        return sparse
    whole = np.zeros(shape, array.dtype)
    whole[selection.index] = array
    return whole


def _new_layer(selection: Selection, array: LayerArray, where: Placement, card: Card) -> Image | Labels:
    shared = {
        "name": f"{selection.source.name} | {card.name}",
        "multiscale": False,
        **where,
    }
    if task_of(card.task).gives_labels:
        return Labels(array, opacity=_OPACITY, colormap=result_colours(), **shared)
    return Image(array, rgb=False, **restored_appearance(selection.appearance, card.task), **shared)
