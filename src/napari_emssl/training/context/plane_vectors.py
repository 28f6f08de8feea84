"""Vectors of whole planes, tile by tile: computed when they are asked for, and those used last kept.

The network runs over a plane once; whatever is painted afterwards costs only comparing and drawing.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...inference.tiles import TileRegion, default_halo, padded, round_up
from ...jobs.devices import Device
from ...networks.attention import class_logits
from ...networks.filter_classifier import GRID_PX, shares_of
from ...networks.in_context import InContextNetwork
from .network import remember
from .plane_filters import PlaneFilters
from .tiled_planes import OfTile, TiledPlane, TileTensors, joined, on_grid

_MOST_BYTES = 2**29
"""Of vectors that are kept: 16 megapixels with 16 numbers each."""


class PlaneVectors:
    """Vectors and probabilities of planes by one network; the vectors of the tiles used last are kept.

    Parameters
    ----------
    network
        Gives vectors, and logits once it remembers painted pixels; on the device.
    device
        Where it runs.
    most_bytes
        Memory for vectors, which are kept in 16 bits.

    """

    def __init__(self, network: InContextNetwork, device: Device, most_bytes: int = _MOST_BYTES) -> None:
        self.network = network
        self._device = device
        self._least = 1 if network.filters is None else GRID_PX
        self._kept = TileTensors(self._vectors, most_bytes)
        self.filters = PlaneFilters(device)
        self._compared: dict[tuple[bytes, TileRegion], Tensor] = {}
        """Of tiles of the plane looked at last, with what the network remembers."""

    def remember(self, context: Sequence[Tensor]) -> None:
        """Let the network remember the vectors of painted pixels, see `network.remember`."""
        self._compared.clear()
        remember(self.network, context)

    def look_at(self, scale: float) -> bool:
        """Look at planes enlarged by `scale`; return whether that is new. Then planes have to be made again."""
        if scale == self.network.scale:
            return False
        self.network.look_at(scale)
        self._kept.clear()
        self._compared.clear()
        self.filters.clear()
        return True

    def plane(self, image: NDArray[np.float32], key: bytes) -> TiledPlane:
        """Return a scaled image ``(h, w)`` as a plane of this network; other images need other keys."""
        return TiledPlane(key, padded(image, self._multiple), (image.shape[0], image.shape[1]))

    @property
    def _multiple(self) -> int:
        """Edges of planes and regions are multiples of it: network and filters can look at them."""
        return max(self.network.stride, self._least)

    def compute(self, plane: TiledPlane, tile: TileRegion) -> Tensor:
        """Return the vectors of a tile, ``(c, h, w)`` float16 on the grid that the network looks at."""
        return self._kept.of_tile(plane, tile)

    def at(self, plane: TiledPlane, pixels: NDArray[np.int64]) -> Tensor:
        """Return the unit vectors ``(c, n)``, float32, of pixels ``(n, 2)``: rows and columns; at least one."""
        return self._kept.at(plane, pixels, self.network.scale)

    @torch.inference_mode()
    def classes_at(self, plane: TiledPlane, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class, background 0, whose remembered pixels are most like each of some pixels ``(n, 2)``."""
        painted = [functional.normalize(vectors, dim=0) for vectors in self.network.context]
        logits = class_logits(self.at(plane, pixels), painted, self.network.sharpness)
        classes: NDArray[np.int64] = logits.argmax(0).cpu().numpy()
        return classes

    def region(self, plane: TiledPlane, middle: Sequence[int], edge: int) -> TileRegion:
        """Return a square of about `edge` pixels around a pixel that the network can look at alone.

        Parameters
        ----------
        plane
            The square lies on it, extended as the network sees it.
        middle
            Row and column.
        edge
            Pixels; rounded up to a multiple of the stride.

        """
        stride = self._multiple
        sides = [min(round_up(edge, stride), size) for size in plane.padded.shape]
        starts = [
            min(max(0, at - side // 2) // stride * stride, size - side)
            for at, side, size in zip(middle, sides, plane.padded.shape, strict=True)
        ]
        return TileRegion(starts[0], starts[0] + sides[0], starts[1], starts[1] + sides[1])

    @torch.inference_mode()
    def logits(self, plane: TiledPlane, region: TileRegion, context: Sequence[Tensor]) -> NDArray[np.float32]:
        """Return what the network would draw in a region if it remembered other pixels, its threshold 0.

        Parameters
        ----------
        plane, region
            From `region`; what lies around it is not looked at.
        context
            For each class, background first, unit vectors of painted pixels ``(c, n)``.

        Returns
        -------
        numpy.ndarray
            For each class but the background its log-odds, ``(classes - 1, h, w)`` float32, on the part of the region
            that lies on the image.

        """
        vectors = self._joined(plane, region, self.compute)
        compared = class_logits(vectors[0].flatten(1), context, self.network.sharpness)
        with self._device.autocast():
            drawn = self.network.drawn(self._scaled(plane, region), vectors, compared.view(1, -1, *vectors.shape[-2:]))
            found = self.network.unscaled(drawn)[0].float() + self.network.threshold
        odds = found if len(found) == 1 else found[1:] - found[:1]
        kept: NDArray[np.float32] = odds[(..., *plane.shown(region).within(region).slices)].cpu().numpy()
        return kept

    @torch.inference_mode()
    def probabilities(self, plane: TiledPlane, tile: TileRegion) -> NDArray[np.float32]:
        """Return the probability of each class, background first, for the part of a tile on the image."""
        grown = self._grown_to_draw(plane, tile)
        vectors = self._joined(plane, grown, self.compute)
        return self._drawn(plane, tile, grown, vectors, self._joined(plane, grown, self._compare))

    @torch.inference_mode()
    def probabilities_near(self, plane: TiledPlane, region: TileRegion) -> NDArray[np.float32]:
        """Return the same for a small region, from `region`, without comparing the whole tiles that it meets."""
        grown = self._grown_to_draw(plane, region)
        vectors = self._joined(plane, grown, self.compute)
        return self._drawn(plane, region, grown, vectors, self.network.compared(vectors))

    def _grown_to_draw(self, plane: TiledPlane, region: TileRegion) -> TileRegion:
        decoder = self.network.mask_decoder
        alone = decoder is None and self.network.scale == 1
        return region if alone else self._grown(plane, region, decoder.receptive_field if decoder else 1)

    def _drawn(
        self, plane: TiledPlane, region: TileRegion, grown: TileRegion, vectors: Tensor, compared: Tensor
    ) -> NDArray[np.float32]:
        with self._device.autocast():
            drawn = self.network.drawn(self._scaled(plane, grown), vectors, compared)
            logits = self.network.unscaled(drawn)[0].float()
        logits = logits[(None, ..., *region.within(grown).slices)]
        if self.network.filters is None:
            shares = shares_of(logits)
        else:
            found = self.network.filters.classified(self.filters.of_region(plane, region))
            shares = self.network.filters.mixed(found, logits)
        shown = shares[0][(..., *plane.shown(region).within(region).slices)]
        probabilities: NDArray[np.float32] = shown.cpu().numpy()
        return probabilities

    def _vectors(self, plane: TiledPlane, tile: TileRegion) -> Tensor:
        grown = self._grown(plane, tile, int(self.network.trunk.receptive_field))  # type: ignore[arg-type]
        with self._device.autocast():
            vectors = self.network.vectors(self._scaled(plane, grown))[0]
        return vectors[(..., *on_grid(tile.within(grown), self.network.scale))]

    def _grown(self, plane: TiledPlane, tile: TileRegion, receptive_field: int) -> TileRegion:
        """Add what a network sees around a tile; its field is counted on the grid that it looks at."""
        own = default_halo(receptive_field, self.network.stride) / self.network.scale
        between = 0 if self.network.scale == 1 else self.network.stride  # interpolation reaches over the border, too
        return tile.grown(round_up(math.ceil(own) + between, self.network.stride), *plane.padded.shape)

    def _scaled(self, plane: TiledPlane, region: TileRegion) -> Tensor:
        image = torch.from_numpy(np.ascontiguousarray(plane.padded[region.slices]))[None, None]
        image = image.to(self._device.torch_device, memory_format=torch.channels_last)
        return self.network.scaled(image)

    def _joined(self, plane: TiledPlane, region: TileRegion, of_tile: OfTile) -> Tensor:
        return joined(plane, region, of_tile, self.network.scale)

    def _compare(self, plane: TiledPlane, tile: TileRegion) -> Tensor:
        """Return how alike the pixels of a tile are to each class, ``(classes, h, w)`` float16; computed once."""
        key = plane.key, tile
        if key not in self._compared:
            if any(other != plane.key for other, _ in self._compared):
                self._compared.clear()
            vectors = self.compute(plane, tile)[None].float()
            self._compared[key] = self.network.compared(vectors)[0].to(torch.float16)
        return self._compared[key]
