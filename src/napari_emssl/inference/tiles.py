"""Tiles: where they lie, how large they are, and what they cost. Geometry only, no network.

A tile is run together with a halo around it, and only the tile is kept. Tile and halo are multiples of the network's
total stride and the halo is at least its reach, so every kept pixel sees what it would see in the whole plane.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..jobs.allocator import keeps_memory
from ..jobs.settings import ApplySettings

Number = TypeVar("Number", bound=np.generic)

SMALLEST_TILE = 32
"""Pixels; a multiple of every generator's stride."""
_LARGEST_TILE = 4096
_LARGEST_DEFAULT_HALO = 256
"""Networks with a longer reach than this get a halo that no longer promises tiled == whole."""
_CANDIDATES = (256, 384, 512, 640, 768, 1024, 1536, 2048, 3072, _LARGEST_TILE)
_SLOW_PX = 2**22
_NEAR = 1.06
"""On a CPU tiles that cost no more than this times the least are as good, and the smallest needs the least memory."""


class TileRegion(NamedTuple):
    """A rectangle of pixels, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the region in an array ``(..., h, w)`` after an Ellipsis."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, halo: int, height: int, width: int) -> "TileRegion":
        """Add a margin on each side, as far as the plane reaches.

        Parameters
        ----------
        halo
            Width of the margin, pixels.
        height, width
            Of the plane, pixels.

        """
        return TileRegion(
            max(self.top - halo, 0),
            min(self.bottom + halo, height),
            max(self.left - halo, 0),
            min(self.right + halo, width),
        )

    def clipped(self, height: int, width: int) -> "TileRegion":
        """Cut off what lies outside of a plane of this size."""
        return self.grown(0, height, width)

    def scaled(self, factor: int) -> "TileRegion":
        """Return the same region on a grid `factor` times as fine."""
        return TileRegion(*(edge * factor for edge in self))

    def within(self, outer: "TileRegion") -> "TileRegion":
        """Return the same region counted from the corner of `outer`."""
        return TileRegion(
            self.top - outer.top, self.bottom - outer.top, self.left - outer.left, self.right - outer.left
        )


def split(region: TileRegion, edge: int) -> list[TileRegion]:
    """Cut a region into squares of `edge` pixels, row by row; the last ones of a row or column may be smaller."""
    return [
        TileRegion(top, min(top + edge, region.bottom), left, min(left + edge, region.right))
        for top in range(region.top, region.bottom, edge)
        for left in range(region.left, region.right, edge)
    ]


def strips(plan: "TilePlan", count: int) -> list[TileRegion]:
    """Cut a plane into `count` strips, one a thread; not at all where their halos are more than a quarter of it."""
    rows = round_up(-(-plan.height // count), SMALLEST_TILE)
    tops = range(0, plan.height, rows)
    cut = [TileRegion(top, min(top + rows, plan.height), 0, plan.width) for top in tops]
    halos = sum(strip.grown(plan.halo, plan.height, plan.width).shape[0] for strip in cut) - plan.height
    return cut if 4 * halos <= plan.height else plan.regions


def round_up(size: int, multiple: int) -> int:
    """Return the next multiple that is not below `size`."""
    return -(-size // multiple) * multiple


def padded(plane: NDArray[Number], stride: int) -> NDArray[Number]:
    """Extend a plane ``(h, w)`` by reflection, below and to the right, to multiples of `stride`, where it is not."""
    height, width = plane.shape
    if height % stride == width % stride == 0:
        return plane
    return np.pad(plane, ((0, -height % stride), (0, -width % stride)), mode="reflect")


def reach(receptive_field: int, stride: int) -> int:
    """Return how far, in pixels, an input pixel can lie from an output pixel it affects.

    Convolutions reach (RF - stride) / 2 to both sides; pooling adds at most stride - 1 to one side, which one
    depends on where the pixel lies in its pooling cell.
    """
    return (receptive_field + stride) // 2


def default_halo(receptive_field: int, stride: int) -> int:
    """Return the smallest halo, in pixels, with which tiled equals whole; for networks that see far, 256 px."""
    return min(round_up(reach(receptive_field, stride), stride), round_up(_LARGEST_DEFAULT_HALO, stride))


@dataclass(frozen=True)
class MemoryNeeds:
    """What decides on the tiles of a network."""

    stride: int
    """Total stride, pixels."""
    receptive_field: int
    """Edge in pixels of what reaches one pixel of the output."""
    bytes_per_pixel: float
    """Memory that one pixel of input costs while the network runs."""
    on_cpu: bool
    sees_whole_image: bool = False
    """Whether tiles change the result, whatever their halo."""


@dataclass(frozen=True)
class TilePlan:
    """How planes of one size are cut: everything in pixels, memory in bytes."""

    height: int
    width: int
    """Of the padded plane."""
    stride: int
    halo: int
    tile: int
    batch: int
    bytes_per_pixel: float

    @property
    def regions(self) -> list[TileRegion]:
        """The tiles of one plane."""
        return split(TileRegion(0, self.height, 0, self.width), self.tile)

    @property
    def planned_bytes(self) -> int:
        """Memory of the largest pass."""
        height, width = self._pass_shape()
        return int(self.batch * height * width * self.bytes_per_pixel)

    def smaller(self) -> "TilePlan":
        """Return a plan that needs less memory: first fewer tiles a pass, then smaller tiles.

        Raises
        ------
        UserError
            When there is none.

        """
        if self.batch > 1:
            return replace(self, batch=self.batch // 2)
        tile = min(self.tile, round_up(max(self.height, self.width), SMALLEST_TILE))
        if tile <= SMALLEST_TILE:
            raise UserError(
                f"The device has too little memory even for tiles of {SMALLEST_TILE} px with a halo of {self.halo} px. "
                "Close other programs, choose a smaller halo or a narrower model, or run on the CPU."
            )
        halved = max(tile // 2 // SMALLEST_TILE * SMALLEST_TILE, SMALLEST_TILE)
        return replace(self, tile=halved)

    def cost(self, slow_px: int | None) -> float:
        """Work of one plane in pixels run through the network, weighted by how slow passes of this size are."""
        rows = sum(min(top + self.tile + self.halo, self.height) - max(top - self.halo, 0) for top in self._starts(0))
        columns = sum(min(x + self.tile + self.halo, self.width) - max(x - self.halo, 0) for x in self._starts(1))
        height, width = self._pass_shape()
        return rows * columns * (1 + 1.5 * min(height * width / slow_px, 1.0) if slow_px else 1.0)

    def _starts(self, axis: int) -> range:
        return range(0, (self.height, self.width)[axis], self.tile)

    def _pass_shape(self) -> tuple[int, int]:
        edge = self.tile + 2 * self.halo
        return min(edge, self.height), min(edge, self.width)


def first_plan(needs: MemoryNeeds, settings: ApplySettings, height: int, width: int, usable: int) -> TilePlan:
    """Return how planes of one size are run.

    Parameters
    ----------
    needs
        Of the network on its device.
    settings
        Tile, halo and batch, where they are asked for.
    height, width
        Of the planes, pixels.
    usable
        Memory that a run may take, bytes.

    """
    halo = default_halo(needs.receptive_field, needs.stride) if settings.halo is None else settings.halo
    height, width = round_up(height, needs.stride), round_up(width, needs.stride)
    tile = settings.tile or max(height, width)
    plan = TilePlan(height, width, needs.stride, halo, tile, settings.batch_size, needs.bytes_per_pixel)
    return fitted(plan, usable) if settings.tile else choose_tile(plan, usable, needs.on_cpu, needs.sees_whole_image)


def choose_tile(plan: TilePlan, usable: int, on_cpu: bool, largest: bool = False) -> TilePlan:
    """Return the plan with the smallest of the fastest tiles that fit into memory; one tile where the plane is small.

    What counts is the pixels that pass through the network, halos included. Only on a CPU where freed memory is not
    kept (`jobs.allocator`) does a pass get slower per pixel when its activations outgrow what is reused: measured for
    several U-Nets, about 2.5 times from 256 to 2048 px.

    Parameters
    ----------
    plan
        Whose tile is to be chosen.
    usable
        Memory that a run may take, bytes.
    on_cpu
        Whether the network runs on a CPU.
    largest
        Take the largest tile that fits, however slow.

    """
    slow_px = _SLOW_PX if on_cpu and not keeps_memory() else None
    fitting = [option for option in _options(plan) if option.planned_bytes <= usable]
    if not fitting:
        return fitted(replace(plan, tile=_CANDIDATES[0]), usable)
    if largest:
        return max(fitting, key=lambda option: option.tile)
    most = (_NEAR if on_cpu else 1.0) * min(option.cost(slow_px) for option in fitting)
    return min((option for option in fitting if option.cost(slow_px) <= most), key=lambda option: option.tile)


def _options(plan: TilePlan) -> Iterator[TilePlan]:
    whole = round_up(max(plan.height, plan.width), SMALLEST_TILE)
    for tile in _CANDIDATES:
        yield replace(plan, tile=min(tile, whole))
        if tile >= whole:
            return


def fitted(plan: TilePlan, usable: int) -> TilePlan:
    """Return `plan`, made smaller until it fits into `usable` bytes or cannot get smaller."""
    while plan.planned_bytes > usable and (plan.batch > 1 or plan.tile > SMALLEST_TILE):
        plan = plan.smaller()
    return plan


@dataclass(frozen=True)
class NetworkProfile:
    """What was measured of one network on the device that the settings choose."""

    needs: MemoryNeeds
    usable_bytes: int
    """How much memory a run may take."""
    seconds_per_pixel: float
    """Of one pass over a small tile."""
    device: str
    """Human name of the device."""


@dataclass(frozen=True)
class RunEstimate:
    """How planes of one size will be run."""

    tiles: int
    """Of one plane."""
    tile: int
    """Edge in pixels."""
    halo: int
    pass_bytes: int
    """Memory of the largest pass."""
    fits: bool
    """Whether that is there."""
    plane_seconds: float
    """Rough time of one plane."""


def estimate_run(profile: NetworkProfile, settings: ApplySettings, height: int, width: int) -> RunEstimate:
    """Estimate how planes of one size will be run; times grow with the pixels that pass through the network.

    Parameters
    ----------
    profile
        What was measured of the network.
    settings
        Tile, halo, batch and augmentation.
    height, width
        Of the planes, pixels.

    """
    plan = first_plan(profile.needs, settings, height, width, profile.usable_bytes)
    passes = 8 if settings.test_time_augmentation else 1
    seconds = plan.cost(None) * profile.seconds_per_pixel * passes
    fits = plan.planned_bytes <= profile.usable_bytes
    return RunEstimate(len(plan.regions), plan.tile, plan.halo, plan.planned_bytes, fits, seconds)
