"""Putting a pixel size right by hand, on every layer that lies on the same grid. No Qt."""

from typing import Any

import numpy as np

from ..errors import UserError
from .layers import source_of


def set_pixel_size(viewer: Any, layer: Any, pixel_size_nm: float) -> list[str]:
    """Write a pixel size in nm into a layer and into all others on its grid, and return their names.

    Layers are on one grid when their planes have the same shape and scale; they stay on top of each other.

    Raises
    ------
    UserError
        When this version of napari keeps no units with its layers.

    """
    if not hasattr(layer, "units"):
        raise UserError("This version of napari keeps no units with its layers. Update it to 0.7 or later.")
    grid = _grid_of(layer)
    changed = [other for other in viewer.layers if _grid_of(other) == grid]
    for other in changed:
        factor = pixel_size_nm / np.asarray(other.scale[-2:], float)
        other.translate = [*other.translate[:-2], *(other.translate[-2:] * factor)]
        other.scale = [*other.scale[:-2], pixel_size_nm, pixel_size_nm]
        other.units = (*other.units[:-2], "nm", "nm")
    return [other.name for other in changed]


def _grid_of(layer: Any) -> Any:
    """Shape, scale and units of the planes of an image or labels layer; None for others."""
    if not hasattr(layer, "multiscale"):
        return None
    try:
        shape = source_of(layer).shape[-2:]
    except UserError:
        return None
    return (*shape, *np.round(layer.scale[-2:], 12).tolist(), *(str(unit) for unit in layer.units[-2:]))
