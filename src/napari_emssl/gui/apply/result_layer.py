"""Arrays back into the viewer: results and live previews, as layers that are updated in place."""

from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from ...models.model_file import Card
from ...models.results import result_shape
from ...models.tasks import task_of
from ..layers.layers import METADATA_KEY, placement_of_finer
from ..layers.lazy_array import LazyPlanes
from ..layers.previews import restored_appearance
from .request import ApplyRequest

_OPACITY = 0.5


_LARGEST_EMPTY = 2**30
"""Of one plane of a larger stack only that plane is kept, not an array of zeros for all."""


def show_result(viewer: Any, request: ApplyRequest, array: Any, card: Card) -> Any:
    """Show what a model made of an image and return the layer.

    Labels of a segmentation model become a Labels layer, everything else an Image layer that looks like its source, on
    the field of the source and named ``<image> | <model>``. The layer of an earlier run of the same model on the same
    image is updated in place; of a single plane, only that plane. `array` is numpy, `LazyPlanes` or a zarr array.
    """
    identity = _identity(request, card)
    layer = _earlier(viewer, identity, result_shape(request.source.shape, card), request.index is not None)
    if layer is None:
        layer = _new_layer(request, _whole(request, array, card), card)
        layer.metadata[METADATA_KEY] = identity
        viewer.add_layer(layer)
    elif request.index is None:
        layer.data = array
    else:
        _put(layer, request.index, array)
    layer.metadata[METADATA_KEY] = identity
    layer.editable = isinstance(layer.data, np.ndarray)
    layer.visible = True
    return layer


def _identity(request: ApplyRequest, card: Card) -> dict[str, Any]:
    """Tell which model made a layer, in plain values."""
    last = card.history[-1] if card.history else None
    return {
        "image": request.source.name,
        "model": card.name,
        "task": card.task,
        "network": card.network.name,
        "classes": [c.name for c in card.classes],
        "trained": last.date if last else "",
        "file": request.model,
    }


def _earlier(viewer: Any, identity: dict[str, Any], shape: tuple[int, ...], one_plane: bool) -> Any:
    """Find the layer of an earlier run, whatever it is called now; for one plane it must be one to write to."""
    for layer in viewer.layers:
        made_by = layer.metadata.get(METADATA_KEY, {})
        same = all(made_by.get(key) == identity[key] for key in ("image", "model", "file"))
        writable = not one_plane or isinstance(layer.data, np.ndarray | LazyPlanes)
        if same and writable and tuple(getattr(layer.data, "shape", ())) == shape:
            return layer
    return None


def _put(layer: Any, index: tuple[int, ...], plane: NDArray[Any]) -> None:
    """Write one plane into the data of a layer."""
    if isinstance(layer.data, LazyPlanes):
        layer.data.put(index, plane)
    else:
        layer.data[index] = plane
    layer.refresh()


def _whole(request: ApplyRequest, array: Any, card: Card) -> Any:
    """Put a single plane into an otherwise empty array of the whole grid."""
    if request.index is None:
        return array
    shape = result_shape(request.source.shape, card)
    if np.prod(shape, dtype=float) * array.dtype.itemsize > _LARGEST_EMPTY:
        sparse = LazyPlanes(shape, array.dtype)
        sparse.put(request.index, array)
        return sparse
    whole = np.zeros(shape, array.dtype)
    whole[request.index] = array
    return whole


def _new_layer(request: ApplyRequest, array: Any, card: Card) -> Any:
    shared = {
        "name": f"{request.source.name} | {card.name}",
        "multiscale": False,
        **placement_of_finer(request.source.placement, card.upscale),
    }
    if task_of(card.task).gives_labels:
        return Labels(array, opacity=_OPACITY, **shared)
    return Image(array, rgb=False, **restored_appearance(request.appearance, card.task), **shared)
