"""How objects look: their profile across, their grain, fringes, and the light along their edge."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .placing import Footprint

Profile = Literal["flat", "sphere", "shell", "ramp", "edge", "core", "lit", "bands", "hollow"]
PROFILES: tuple[Profile, ...] = ("flat", "sphere", "shell", "ramp", "edge", "core", "lit", "bands", "hollow")
Edge = Literal["none", "rim", "scattering", "fresnel"]


@dataclass(frozen=True)
class Skin:
    """What the objects of one kind share of their look."""

    profile: Profile
    contrast: float
    """Against the ground, signed, in units of the image's range."""
    variation: float
    """Of the contrast from object to object, as a share; orientation changes it in crystals."""
    mixed: bool
    """Whether some objects are bright and some dark."""
    grain: float
    """Contrast of the texture."""
    fringe_contrast: float
    fringe_px: float
    edge: Edge
    edge_contrast: float
    edge_px: float
    sharpness: float
    """Of profiles that have a slope or a step."""


def draw_skin(contrast: float, rng: np.random.Generator) -> Skin:
    """Draw the look of a kind of objects.

    Parameters
    ----------
    contrast
        Against the ground, signed, in units of the image's range.
    rng
        Decides the rest.

    """
    edge: Edge = rng.choice(["none", "rim", "scattering", "fresnel"], p=[0.5, 0.2, 0.15, 0.15])
    return Skin(
        profile=rng.choice(PROFILES, p=[0.28, 0.18, 0.09, 0.08, 0.11, 0.06, 0.08, 0.05, 0.07]),
        contrast=contrast,
        variation=float(rng.uniform(0, 0.45)),
        mixed=bool(rng.random() < 0.06),
        grain=float(rng.uniform(0, 0.2)) if rng.random() < 0.6 else 0.0,
        fringe_contrast=float(rng.uniform(0.03, 0.25)) if rng.random() < 0.25 else 0.0,
        fringe_px=float(rng.uniform(2, 8)),
        edge=edge,
        edge_contrast=float(rng.uniform(0.05, 0.3) * rng.choice([-1, 1])),
        edge_px=float(rng.uniform(0.7, 2.2)),
        sharpness=float(rng.uniform(2, 6)),
    )


def grey_of(near: Footprint, skin: Skin, texture: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Return the grey values of pixels of objects, where the ground is about 0.5.

    Parameters
    ----------
    near
        The pixels, each of the object that is seen there.
    skin
        Of their kind.
    texture
        ``(size, size)``, mean 0 and standard deviation 1.
    count
        Number of objects.
    rng
        Decides what differs from object to object.

    """
    device = near.d.device
    strength = skin.contrast * (1 + skin.variation * rng.standard_normal(count))
    strength = strength * np.where(rng.random(count) < 0.5, -1, 1) if skin.mixed else strength
    grey = 0.5 + _rows(strength, device)[near.owner] * _profile(near, skin, rng)
    if skin.grain:
        grey = grey + skin.grain * texture.reshape(-1)[near.pixel]
    if skin.fringe_contrast:
        grey = grey + _fringes(near, skin, count, rng)
    return grey


def _rows(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(device)


def _profile(near: Footprint, skin: Skin, rng: np.random.Generator) -> Tensor:
    """Share of the contrast across an object: 1 is all of it."""
    d = near.d
    match skin.profile:
        case "sphere":  # projected thickness of a ball
            return (1 - d**2).clamp(min=0).sqrt()
        case "shell":
            return 0.4 + 0.6 * d.clamp(0, 1) ** 3
        case "ramp":
            radius_px = torch.hypot(near.u, near.v).clamp(min=1) / d.clamp(min=0.01)
            across = (near.u * rng.uniform(-1, 1) + near.v * rng.uniform(-1, 1)) / radius_px
            return 0.75 + 0.35 * across
        case "edge":
            return ((1 - d) * skin.sharpness).clamp(0, 1)
        case "core":
            step = torch.sigmoid((0.55 - d) * skin.sharpness * 6)
            return 0.45 + 0.55 * step
        case "lit":  # secondary electrons of a ball lit from one side
            height = (1 - d**2).clamp(min=0).sqrt()
            lit = torch.atan2(near.v, near.u) + float(rng.uniform(0, 6.28))
            return 0.45 + 0.35 * height + 0.35 * d.clamp(0, 1) * torch.cos(lit)
        case "hollow":  # thin plates, bubbles and capsules: hardly more than their outline is seen
            wall_px = 0.8 + 0.25 * skin.fringe_px
            return (0.1 * skin.sharpness / 6) + torch.exp(-((near.depth_px / wall_px) ** 2))
        case "bands":  # bend contours, stacking faults, twins
            period = skin.fringe_px * 3
            return 0.75 + 0.25 * torch.sign(torch.sin(6.2832 * near.u / period))
    return torch.ones_like(d)


def _fringes(near: Footprint, skin: Skin, count: int, rng: np.random.Generator) -> Tensor:
    """Lattice fringes, in a direction of its own for each object; some objects show none."""
    angle, phase = rng.uniform(0, np.pi, count), rng.uniform(0, 2 * np.pi, count)
    shown = skin.fringe_contrast * (rng.random(count) < 0.75)
    device = near.d.device
    cosine, sine = _rows(np.cos(angle), device)[near.owner], _rows(np.sin(angle), device)[near.owner]
    wave = 6.2832 * (near.u * cosine + near.v * sine) / skin.fringe_px + _rows(phase, device)[near.owner]
    return _rows(shown, device)[near.owner] * torch.sin(wave)


def edge_light(near: Footprint, skin: Skin) -> Tensor:
    """Return what the edge adds to the grey values of pixels at or near objects."""
    depth = near.depth_px
    match skin.edge:
        case "rim":
            light = torch.exp(-((depth / skin.edge_px) ** 2))
        case "scattering":  # more secondary electrons leave near an edge: brighter inside only
            light = torch.exp(-depth / (1.5 * skin.edge_px)) * (depth > -0.5)
        case "fresnel":  # a defocused edge
            light = torch.cos(3.1416 * depth / skin.edge_px) * torch.exp(-depth.abs() / (1.5 * skin.edge_px))
        case _:
            return torch.zeros_like(depth)
    return skin.edge_contrast * light
