"""Where the objects of one kind lie, and which pixels they cover."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .arrangement import Arrangement, clustered_centres, packed_centres
from .shapes import Outline, distance, waves_of

_MOST_OBJECTS = 320
_HALO_PX = 3.0
"""Pixels around an object that its rim may reach."""
_WINDOW_PIXELS = 4_000_000
"""Pixels that windows of one pass may have together, which bounds the memory."""


@dataclass(frozen=True)
class Placed:
    """Objects of one kind: one row each."""

    centres_px: NDArray[np.float32]
    """``(n, 2)``, y and x."""
    radii_px: NDArray[np.float32]
    angles: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.radii_px)


@dataclass(frozen=True)
class Footprint:
    """Pixels at or near objects of one kind, one entry for each object and pixel."""

    pixel: Tensor
    """Flat index into the collage."""
    owner: Tensor
    """Row of the object."""
    depth_px: Tensor
    """Distance to the outline in pixels, above 0 inside."""
    d: Tensor
    """0 at the centre, 1 on the outline."""
    u: Tensor
    v: Tensor
    """Coordinates in the object's frame, in pixels."""

    def where(self, chosen: Tensor) -> "Footprint":
        """Return the chosen entries."""
        return Footprint(*(getattr(self, name)[chosen] for name in ("pixel", "owner", "depth_px", "d", "u", "v")))


def place(
    size: int, radius_px: float, spread: float, cover: float, gap: float | None, rng: np.random.Generator,
    allowed: NDArray[np.bool_] | None = None, arrangement: Arrangement = "strewn",
) -> Placed:  # fmt: skip
    """Place objects until they cover enough, or no more find room.

    Parameters
    ----------
    size
        Edge of the collage in pixels.
    radius_px
        Mean radius.
    spread
        Standard deviation of the logarithm of the radius.
    cover
        Share of the collage to cover.
    gap
        Least distance of two strewn centres in units of the sum of their radii; None lets objects overlap.
    rng
        Decides everything.
    allowed
        Where strewn centres may lie, ``(size, size)``; None: everywhere, also just outside the collage.
    arrangement
        How objects lie to each other; packed ones are all nearly of one size and mostly of one direction.

    """
    wanted = int(np.clip(cover * size**2 / (np.pi * radius_px**2), 1, _MOST_OBJECTS))
    if arrangement == "packed":
        centres = packed_centres(size, radius_px, max(wanted, 4), rng)
        radii = _radii(radius_px, min(spread, 0.06), len(centres), size, rng)
        angle = rng.uniform(0, 2 * np.pi)
        return Placed(
            centres, radii, np.full(len(centres), angle, np.float32) if rng.random() < 0.7 else _angles(centres, rng)
        )
    tries = wanted if gap is None or arrangement == "clustered" else min(4 * wanted, 2 * _MOST_OBJECTS)
    radii = _radii(radius_px, spread, tries, size, rng)
    if arrangement == "clustered":
        centres = clustered_centres(size, radii, rng)
        return Placed(centres, radii, _angles(centres, rng))
    centres = _centres(size, radii, rng, allowed)
    kept = np.arange(tries) if gap is None else _apart(centres, radii, gap)
    kept = kept[:wanted]
    return Placed(centres[kept], radii[kept], _angles(kept, rng))


def _radii(radius_px: float, spread: float, count: int, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return np.clip(radius_px * np.exp(spread * rng.standard_normal(count)), 0.8, size).astype(np.float32)


def _angles(objects: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.uniform(0, 2 * np.pi, len(objects)).astype(np.float32)


def _centres(
    size: int, radii: NDArray[np.float32], rng: np.random.Generator, allowed: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    if allowed is None:
        outside = np.minimum(radii, size / 4)[:, None] * 0.5
        return (rng.uniform(0, 1, (len(radii), 2)) * (size + 2 * outside) - outside).astype(np.float32)
    places = np.argwhere(allowed)
    return (places[rng.integers(len(places), size=len(radii))] + rng.uniform(0, 1, (len(radii), 2))).astype(np.float32)


def _apart(centres: NDArray[np.float32], radii: NDArray[np.float32], gap: float) -> NDArray[np.int64]:
    """Go through the objects in order and keep those that stay clear of all kept before."""
    kept: list[int] = []
    for number in range(len(radii)):
        near = np.asarray(kept, np.int64)
        clear = np.hypot(*(centres[near] - centres[number]).T) > gap * (radii[near] + radii[number])
        if clear.all():
            kept.append(number)
    return np.asarray(kept, np.int64)


def footprint(placed: Placed, outline: Outline, size: int, rng: np.random.Generator, device: torch.device) -> Footprint:
    """Return the pixels at or near the objects; windows of like size are computed together.

    Parameters
    ----------
    placed
        The objects.
    outline
        Of their kind.
    size
        Edge of the collage in pixels.
    rng
        Decides how wavy each outline is.
    device
        Where the pixels are computed.

    """
    amplitude, phase = waves_of(outline, len(placed), rng)
    half = np.ceil(np.minimum(placed.radii_px * outline.reach() + _HALO_PX, 2 * size)).astype(int)
    classes = 2 ** np.ceil(np.log2(np.maximum(half, 4))).astype(int)
    parts = []
    for reach in np.unique(classes):
        rows = np.flatnonzero(classes == reach)
        most = max(1, _WINDOW_PIXELS // (2 * int(min(reach, size)) + 1) ** 2)
        for first in range(0, len(rows), most):
            some = rows[first : first + most]
            reach_px = int(half[some].max())
            parts.append(_windows(placed, some, reach_px, outline, (amplitude[some], phase[some]), size, device))
    return Footprint(*(torch.cat([getattr(part, name) for part in parts]) for name in Footprint.__dataclass_fields__))


def _windows(
    placed: Placed, rows: NDArray[np.int64], reach: int, outline: Outline,
    waves: tuple[NDArray[np.float32], NDArray[np.float32]], size: int, device: torch.device,
) -> Footprint:  # fmt: skip
    """Pixels of some objects, from square windows about their centres, cut at the border of the collage."""
    centres, radii, angles = (
        torch.from_numpy(values[rows]).to(device) for values in (placed.centres_px, placed.radii_px, placed.angles)
    )
    if 2 * reach + 1 < size:
        corner = (centres.floor().long() - reach).clamp(-reach, size)
        steps = torch.arange(2 * reach + 1, device=device)
    else:
        corner = torch.zeros(len(rows), 2, dtype=torch.long, device=device)
        steps = torch.arange(size, device=device)
    ys = (corner[:, 0, None] + steps)[:, :, None]
    xs = (corner[:, 1, None] + steps)[:, None, :]
    dy, dx = ys + 0.5 - centres[:, 0, None, None], xs + 0.5 - centres[:, 1, None, None]
    cosine, sine = torch.cos(angles)[:, None, None], torch.sin(angles)[:, None, None]
    u, v = dx * cosine + dy * sine, dy * cosine - dx * sine
    radius = radii[:, None, None]
    d = distance(u / radius, v / radius, outline, *(torch.from_numpy(wave).to(device) for wave in waves))
    depth = (1 - d) * radius
    near = (depth > -_HALO_PX) & (ys >= 0) & (ys < size) & (xs >= 0) & (xs < size)
    owner = torch.from_numpy(rows).to(device)[:, None, None].expand_as(d)[near]
    return Footprint((ys * size + xs)[near], owner, depth[near], d[near], u[near], v[near])
