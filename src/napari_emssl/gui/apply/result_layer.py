"""Arrays back into the viewer: results as layers that are updated in place."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from ...models.model_file import Card
from ...models.results import result_shape
from ...models.tasks import task_of
from ..layers.layers import METADATA_KEY, own_notes, placement_of_finer
from ..layers.lazy_array import LazyPlanes
from ..layers.previews import restored_appearance
from .request import Selection

if TYPE_CHECKING:
    import zarr
    from napari.viewer import Viewer

LayerArray: TypeAlias = "NDArray[np.generic] | LazyPlanes | zarr.Array"
"""What a result may come as."""

_OPACITY = 0.5
_LARGEST_EMPTY = 2**30
"""Of one plane of a larger stack only that plane is kept, not an array of zeros for all."""


def show_result(viewer: "Viewer", card: Card, file: str, selection: Selection, array: LayerArray) -> Image | Labels:
    """Show what a model made of an image.

    Labels of a segmentation model become a Labels layer, everything else an Image layer that looks like its source, on
    the field of the source and named ``<image> | <model>``. The layer of an earlier run of the same model on the same
    image is updated in place; of a single plane, only that plane.

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
    layer = _earlier(viewer, identity, shape, selection.index is not None)
    if layer is None:
        layer = _new_layer(selection, _whole(selection, array, card), card)
        layer.metadata[METADATA_KEY] = identity
        viewer.add_layer(layer)
    elif selection.index is None:
        layer.data = array
    else:
        _put(layer, selection.index, np.asarray(array))
    layer.metadata[METADATA_KEY] = identity
    layer.editable = isinstance(layer.data, np.ndarray)
    layer.visible = True
    return layer


def _identity(card: Card, file: str, selection: Selection) -> dict[str, Any]:
    """Return which model made a layer, in plain values."""
    last = card.history[-1] if card.history else None
    return {
        "image": selection.source.name,
        "model": card.name,
        "task": card.task,
        "network": card.network.name,
        "classes": [c.name for c in card.classes],
        "trained": last.date if last else "",
        "file": file,
    }


def _earlier(
    viewer: "Viewer", identity: dict[str, Any], shape: tuple[int, ...], one_plane: bool
) -> Image | Labels | None:
    """Find the layer of an earlier run, whatever it is called now; for one plane it must be one to write to."""
    for layer in viewer.layers:
        made_by = own_notes(layer)
        same = all(made_by.get(key) == identity[key] for key in ("image", "model", "file"))
        writable = not one_plane or isinstance(layer.data, np.ndarray | LazyPlanes)
        if same and writable and tuple(getattr(layer.data, "shape", ())) == shape:
            return layer
    return None


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


def _new_layer(selection: Selection, array: LayerArray, card: Card) -> Image | Labels:
    shared = {
        "name": f"{selection.source.name} | {card.name}",
        "multiscale": False,
        **placement_of_finer(selection.source.placement, card.upscale),
    }
    if task_of(card.task).gives_labels:
        return Labels(array, opacity=_OPACITY, **shared)
    return Image(array, rgb=False, **restored_appearance(selection.appearance, card.task), **shared)
