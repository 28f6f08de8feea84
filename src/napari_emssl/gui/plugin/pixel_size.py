"""Correcting a pixel size by hand, on every layer that lies on the same grid. No Qt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...data.formats.axes import PlaneAxis
from ...data.images.image import Image
from ...data.images.opening import read_images
from ...errors import UserError
from ..layers.camera import keep_in_view
from ..layers.layers import snapshot_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def set_pixel_size(viewer: "Viewer", layer: "Layer", pixel_size_nm: float) -> list[str]:
    """Write a pixel size into a layer and into all others on its grid.

    Layers are on one grid when their planes have the same shape and scale; they stay on top of each other.

    Parameters
    ----------
    viewer
        Holds the layers.
    layer
        An image or labels layer.
    pixel_size_nm
        Edge of a pixel in nm.

    Returns
    -------
    list of str
        The names of the layers that were changed.

    Raises
    ------
    UserError
        When this version of napari keeps no units with its layers.

    """
    if not hasattr(layer, "units"):
        raise UserError("This version of napari keeps no units with its layers. Update it to 0.7 or later.")
    grid, before = _grid_of(layer), viewer.layers.extent.world
    changed = [other for other in viewer.layers if _grid_of(other) == grid]
    for other in changed:
        factor = pixel_size_nm / np.asarray(other.scale[-2:], float)
        other.translate = [*other.translate[:-2], *(other.translate[-2:] * factor)]
        other.scale = [*other.scale[:-2], pixel_size_nm, pixel_size_nm]
        other.units = (*other.units[:-2], "nm", "nm")
    if len(changed) == len(viewer.layers):
        keep_in_view(viewer, before)
    else:
        viewer.reset_view()
    return [other.name for other in changed]


def take_pixel_size() -> None:
    """Write the pixel size stored in the active layer's file into the layer and all others on its grid.

    For TIFF and other files that napari reads itself, without their calibration. Shows in the viewer what was done.
    """
    from napari.utils.notifications import show_error, show_info
    from napari.viewer import current_viewer

    try:
        show_info(_pixel_size_taken(current_viewer()))
    except UserError as error:
        show_error(str(error))


def _pixel_size_taken(viewer: "Viewer | None") -> str:
    """Set the pixel size of the active layer from its file, and say so."""
    layer = viewer.layers.selection.active if viewer is not None else None
    path = getattr(getattr(layer, "source", None), "path", None)
    if path is None:
        raise UserError("No layer of a file is selected. Select a layer that was opened from a file, then try again.")
    image = _image_of(layer, path)
    size = image.pixel_size_nm
    if size is None:
        why = image.notes[-1] if image.stretched else f"'{path}' has no pixel size."
        raise UserError(f"{why} Enter it in the field of EM SSL Particles.")
    names = ", ".join(f"'{name}'" for name in set_pixel_size(viewer, layer, size))
    spaced = _space_planes(layer, image.axes)
    return f"The pixel size of {names} is now {size:.4g} nm.{spaced}"


def _image_of(layer: "Layer", path: str) -> Image:
    """The image of a file that a layer shows: of several the first one of its size."""
    shape = snapshot_of(layer).shape[-2:]
    images = sorted(read_images(path), key=lambda image: not image.meant)
    found = next((image for image in images if image.plane_shape == shape), None)
    if found is None:
        raise UserError(
            f"No image in '{path}' has the size of '{layer.name}'. Enter its pixel size in EM SSL Particles."
        )
    return found


def _space_planes(layer: "Layer", axes: Sequence[PlaneAxis]) -> str:
    """Write the distance of the planes of a stack into its layer, and say so where there is one."""
    before = list(layer.scale[:-2])
    if len(before) != len(axes) or not any(axis.step for axis in axes):
        return ""
    layer.scale = [*(axis.step or step for axis, step in zip(axes, before, strict=True)), *layer.scale[-2:]]
    units = [axis.unit or unit for axis, unit in zip(axes, layer.units[:-2], strict=True)]
    layer.units = (*units, *layer.units[-2:])
    steps = ", ".join(f"{axis.step:.4g} {axis.unit}" for axis in axes if axis.step)
    return f" The planes of '{layer.name}' are {steps} apart."


def _grid_of(layer: "Layer") -> tuple[int | float | str, ...] | None:
    """Shape, scale and units of the planes of an image or labels layer; None for others."""
    if not hasattr(layer, "multiscale"):
        return None
    try:
        shape = snapshot_of(layer).shape[-2:]
    except UserError:
        return None
    return (*shape, *np.round(layer.scale[-2:], 12).tolist(), *(str(unit) for unit in layer.units[-2:]))
