"""Responses of filters on whole planes, tile by tile; those of the tiles used last are kept."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.tiles import TileRegion, round_up
from ...jobs.devices import Device
from ...networks.filter_classifier import GRID_PX, RECEPTIVE_FIELD_PX, PixelFilters
from .tiled_planes import TiledPlane, TileTensors, joined

_MOST_BYTES = 2**27
"""Of responses that are kept: those of three megapixels."""
_HALO_PX = round_up(RECEPTIVE_FIELD_PX // 2, GRID_PX)


class PlaneFilters:
    """Responses of planes; those of the tiles used last are kept.

    Parameters
    ----------
    device
        Where they are computed.

    """

    def __init__(self, device: Device) -> None:
        self._device, self._filters = device, PixelFilters()
        self._kept = TileTensors(self._responses, _MOST_BYTES)

    def clear(self) -> None:
        """Forget the planes."""
        self._kept.clear()

    def compute(self, plane: TiledPlane, tile: TileRegion) -> Tensor:
        """Return the responses of a tile, ``(c, h, w)`` float16."""
        return self._kept.of_tile(plane, tile)

    def at(self, plane: TiledPlane, pixels: NDArray[np.int64]) -> Tensor:
        """Return the responses ``(c, n)``, float32, at pixels ``(n, 2)``: rows and columns; at least one."""
        return self._kept.at(plane, pixels)

    def of_region(self, plane: TiledPlane, region: TileRegion) -> Tensor:
        """Return the responses of a region, ``(1, c, h, w)`` float32."""
        return joined(plane, region, self.compute)

    def _responses(self, plane: TiledPlane, tile: TileRegion) -> Tensor:
        grown = tile.grown(_HALO_PX, *plane.padded.shape)
        image = torch.from_numpy(np.ascontiguousarray(plane.padded[grown.slices])).to(self._device.torch_device)
        found: Tensor = self._filters(image[None, None])[0]
        return found[(..., *tile.within(grown).slices)]
