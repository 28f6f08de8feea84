"""Vectors of whole planes, tile by tile: computed when they are asked for, and those used last kept.

The network runs over a plane once; whatever is painted afterwards costs only comparing and drawing.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...inference.tiles import TileRegion, default_halo, padded, round_up, split
from ...jobs.devices import Device
from ...networks.attention import class_logits
from ...networks.in_context import InContextNetwork
from .network import remember

_TILE_PX, _WHOLE_PX = 512, 768
"""Edge of a tile, a multiple of every network's stride; planes up to the second one are one tile."""
_MOST_BYTES = 2**29
"""Of vectors that are kept: 16 megapixels with 16 numbers each."""


@dataclass(frozen=True, eq=False)
class VectorPlane:
    """A plane whose pixels have vectors."""

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
        self._device, self._most_bytes = device, most_bytes
        self._kept: OrderedDict[tuple[bytes, TileRegion], Tensor] = OrderedDict()
        self._bytes = 0
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
        self._bytes = 0
        return True

    def plane(self, image: NDArray[np.float32], key: bytes) -> VectorPlane:
        """Return a scaled image ``(h, w)`` as a plane of this network; other images need other keys."""
        return VectorPlane(key, padded(image, self.network.stride), (image.shape[0], image.shape[1]))

    @torch.inference_mode()
    def compute(self, plane: VectorPlane, tile: TileRegion) -> Tensor:
        """Return the vectors of a tile, ``(c, h, w)`` float16 on the grid that the network looks at."""
        key = plane.key, tile
        found = self._kept.pop(key, None)
        if found is None:
            found = self._vectors(plane, tile)
            self._bytes += found.nbytes
        self._kept[key] = found
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return found

    @torch.inference_mode()
    def at(self, plane: VectorPlane, pixels: NDArray[np.int64]) -> Tensor:
        """Return the unit vectors ``(c, n)``, float32, of pixels ``(n, 2)``: rows and columns."""
        found = torch.zeros(self.network.dimensions, len(pixels), device=self._device.torch_device)
        for tile in plane.tiles:
            corner, end = np.array([tile.top, tile.left]), np.array([tile.bottom, tile.right])
            inside = np.flatnonzero(((pixels >= corner) & (pixels < end)).all(1))
            if len(inside):
                places = ((pixels[inside] - corner + 0.5) * self.network.scale).astype(np.int64)
                rows, columns = torch.from_numpy(places.T).to(found.device)
                found[:, torch.from_numpy(inside)] = self.compute(plane, tile)[:, rows, columns].float()
        return found

    @torch.inference_mode()
    def classes_at(self, plane: VectorPlane, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class, background 0, whose remembered pixels are most like each of some pixels ``(n, 2)``."""
        painted = [functional.normalize(vectors, dim=0) for vectors in self.network.context]
        logits = class_logits(self.at(plane, pixels), painted, self.network.sharpness)
        classes: NDArray[np.int64] = logits.argmax(0).cpu().numpy()
        return classes

    def region(self, plane: VectorPlane, middle: Sequence[int], edge: int) -> TileRegion:
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
        stride = self.network.stride
        sides = [min(round_up(edge, stride), size) for size in plane.padded.shape]
        starts = [
            min(max(0, at - side // 2) // stride * stride, size - side)
            for at, side, size in zip(middle, sides, plane.padded.shape, strict=True)
        ]
        return TileRegion(starts[0], starts[0] + sides[0], starts[1], starts[1] + sides[1])

    @torch.inference_mode()
    def logits(self, plane: VectorPlane, region: TileRegion, context: Sequence[Tensor]) -> NDArray[np.float32]:
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
    def probabilities(self, plane: VectorPlane, tile: TileRegion) -> NDArray[np.float32]:
        """Return the probability of each class, background first, for the part of a tile on the image."""
        grown = self._grown_to_draw(plane, tile)
        vectors = self._joined(plane, grown, self.compute)
        return self._drawn(plane, tile, grown, vectors, self._joined(plane, grown, self._compare))

    @torch.inference_mode()
    def probabilities_near(self, plane: VectorPlane, region: TileRegion) -> NDArray[np.float32]:
        """Return the same for a small region, from `region`, without comparing the whole tiles that it meets."""
        grown = self._grown_to_draw(plane, region)
        vectors = self._joined(plane, grown, self.compute)
        return self._drawn(plane, region, grown, vectors, self.network.compared(vectors))

    def _grown_to_draw(self, plane: VectorPlane, region: TileRegion) -> TileRegion:
        decoder = self.network.mask_decoder
        alone = decoder is None and self.network.scale == 1
        return region if alone else self._grown(plane, region, decoder.receptive_field if decoder else 1)

    def _drawn(
        self, plane: VectorPlane, region: TileRegion, grown: TileRegion, vectors: Tensor, compared: Tensor
    ) -> NDArray[np.float32]:
        with self._device.autocast():
            drawn = self.network.drawn(self._scaled(plane, grown), vectors, compared)
            logits = self.network.unscaled(drawn)[0].float()
        logits = logits[(..., *plane.shown(region).within(grown).slices)]
        shares = torch.cat([-logits, logits]).sigmoid() if len(logits) == 1 else logits.softmax(0)
        probabilities: NDArray[np.float32] = shares.cpu().numpy()
        return probabilities

    def _vectors(self, plane: VectorPlane, tile: TileRegion) -> Tensor:
        grown = self._grown(plane, tile, int(self.network.trunk.receptive_field))  # type: ignore[arg-type]
        with self._device.autocast():
            vectors = self.network.vectors(self._scaled(plane, grown))[0]
        return vectors[(..., *self._on_grid(tile.within(grown)))].to(torch.float16, copy=True).contiguous()

    def _grown(self, plane: VectorPlane, tile: TileRegion, receptive_field: int) -> TileRegion:
        """Add what a network sees around a tile; its field is counted on the grid that it looks at."""
        own = default_halo(receptive_field, self.network.stride) / self.network.scale
        between = 0 if self.network.scale == 1 else self.network.stride  # interpolation reaches over the border, too
        return tile.grown(round_up(math.ceil(own) + between, self.network.stride), *plane.padded.shape)

    def _scaled(self, plane: VectorPlane, region: TileRegion) -> Tensor:
        image = torch.from_numpy(np.ascontiguousarray(plane.padded[region.slices]))[None, None]
        image = image.to(self._device.torch_device, memory_format=torch.channels_last)
        return self.network.scaled(image)

    def _on_grid(self, region: TileRegion) -> tuple[slice, slice]:
        """Return where a region of the image lies on the grid that the network looks at."""
        top, bottom, left, right = (round(edge * self.network.scale) for edge in region)
        return slice(top, bottom), slice(left, right)

    def _compare(self, plane: VectorPlane, tile: TileRegion) -> Tensor:
        """Return how alike the pixels of a tile are to each class, ``(classes, h, w)`` float16; computed once."""
        key = plane.key, tile
        if key not in self._compared:
            if any(other != plane.key for other, _ in self._compared):
                self._compared.clear()
            vectors = self.compute(plane, tile)[None].float()
            self._compared[key] = self.network.compared(vectors)[0].to(torch.float16)
        return self._compared[key]

    def _joined(
        self, plane: VectorPlane, region: TileRegion, of_tile: Callable[[VectorPlane, TileRegion], Tensor]
    ) -> Tensor:
        """Return what tiles hold ``(c, h, w)`` for a region, ``(1, c, h, w)`` float32, joined from those it meets."""
        rows, columns = self._on_grid(region.within(TileRegion(region.top, 0, region.left, 0)))
        joined: Tensor | None = None
        for tile in plane.tiles:
            common = TileRegion(
                max(tile.top, region.top), min(tile.bottom, region.bottom),
                max(tile.left, region.left), min(tile.right, region.right),
            )  # fmt: skip
            if common.top < common.bottom and common.left < common.right:
                part = of_tile(plane, tile)[(..., *self._on_grid(common.within(tile)))].float()
                if joined is None:
                    joined = part.new_zeros((1, part.shape[0], rows.stop, columns.stop))
                joined[(0, ..., *self._on_grid(common.within(region)))] = part
        if joined is None:
            raise ValueError("The region lies beside the plane.")
        return joined
