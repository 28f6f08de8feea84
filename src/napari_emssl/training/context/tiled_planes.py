"""Planes cut into tiles, and what is computed of their tiles: those used last are kept."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.tiles import TileRegion, split

_TILE_PX, _WHOLE_PX = 512, 768
"""Edge of a tile, a multiple of every network's stride; planes up to the second one are one tile."""


@dataclass(frozen=True, eq=False)
class TiledPlane:
    """A plane that is looked at tile by tile."""

    key: bytes
    """Different for different planes."""
    padded: NDArray[np.float32]
    """The scaled image extended by reflection, as the network sees it."""
    shape: tuple[int, int]
    """Height and width of the image itself."""

    @property
    def image(self) -> NDArray[np.float32]:
        """The scaled image, ``(h, w)``."""
        return self.padded[: self.shape[0], : self.shape[1]]

    @cached_property
    def tiles(self) -> list[TileRegion]:
        """The tiles that it is computed in; together they cover the extended image."""
        height, width = self.padded.shape
        whole = TileRegion(0, height, 0, width)
        return [whole] if max(height, width) <= _WHOLE_PX else split(whole, _TILE_PX)

    def shown(self, tile: TileRegion) -> TileRegion:
        """Return the part of a tile that lies on the image."""
        return tile.clipped(*self.shape)


OfTile = Callable[[TiledPlane, TileRegion], Tensor]
"""Computes ``(c, h, w)`` of a tile, on the grid of `scale`."""


class TileTensors:
    """Tensors of tiles, computed when they are asked for and kept in 16 bits.

    Parameters
    ----------
    compute
        Computes that of a tile.
    most_bytes
        Memory for those that are kept, the ones used last.

    """

    def __init__(self, compute: OfTile, most_bytes: int) -> None:
        self._compute, self._most_bytes = compute, most_bytes
        self._kept: OrderedDict[tuple[bytes, TileRegion], Tensor] = OrderedDict()
        self._bytes = 0

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
        self._bytes = 0

    @torch.inference_mode()
    def of_tile(self, plane: TiledPlane, tile: TileRegion) -> Tensor:
        """Return the tensor of a tile, ``(c, h, w)`` float16."""
        key = plane.key, tile
        found = self._kept.pop(key, None)
        if found is None:
            found = self._compute(plane, tile).to(torch.float16, copy=True).contiguous()
            self._bytes += found.nbytes
        self._kept[key] = found
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return found

    @torch.inference_mode()
    def at(self, plane: TiledPlane, pixels: NDArray[np.int64], scale: float = 1.0) -> Tensor:
        """Return the values ``(c, n)``, float32, at pixels ``(n, 2)``: rows and columns.

        Parameters
        ----------
        plane
            On which they lie.
        pixels
            Of the image itself; at least one.
        scale
            Of the grid on which tiles are computed.

        """
        found: Tensor | None = None
        for tile in plane.tiles:
            corner, end = np.array([tile.top, tile.left]), np.array([tile.bottom, tile.right])
            inside = np.flatnonzero(((pixels >= corner) & (pixels < end)).all(1))
            if len(inside):
                values = self.of_tile(plane, tile)
                places = ((pixels[inside] - corner + 0.5) * scale).astype(np.int64)
                rows, columns = torch.from_numpy(places.T).to(values.device)
                if found is None:
                    found = torch.zeros(len(values), len(pixels), device=values.device)
                found[:, torch.from_numpy(inside)] = values[:, rows, columns].float()
        if found is None:
            raise ValueError("No pixel lies on the plane.")
        return found


def joined(plane: TiledPlane, region: TileRegion, of_tile: OfTile, scale: float = 1.0) -> Tensor:
    """Return what tiles hold for a region, ``(1, c, h, w)`` float32, joined from those it meets.

    Parameters
    ----------
    plane, region
        Where; the region may meet several tiles.
    of_tile
        Gives what a tile holds.
    scale
        Of the grid on which tiles are computed.

    """
    rows, columns = on_grid(region.within(TileRegion(region.top, 0, region.left, 0)), scale)
    whole: Tensor | None = None
    for tile in plane.tiles:
        common = TileRegion(
            max(tile.top, region.top), min(tile.bottom, region.bottom),
            max(tile.left, region.left), min(tile.right, region.right),
        )  # fmt: skip
        if common.top < common.bottom and common.left < common.right:
            part = of_tile(plane, tile)[(..., *on_grid(common.within(tile), scale))].float()
            if whole is None:
                whole = part.new_zeros((1, part.shape[0], rows.stop, columns.stop))
            whole[(0, ..., *on_grid(common.within(region), scale))] = part
    if whole is None:
        raise ValueError("The region lies beside the plane.")
    return whole


def on_grid(region: TileRegion, scale: float) -> tuple[slice, slice]:
    """Return where a region of the image lies on a grid that is finer by `scale`."""
    top, bottom, left, right = (round(edge * scale) for edge in region)
    return slice(top, bottom), slice(left, right)
