"""What objects lie on: crops of micrographs, film edges, grains, contamination and uneven light."""

import numpy as np
import torch
from torch import Tensor

from .textures import Textures, smooth_field


def draw_ground(size: int, textures: Textures, rng: np.random.Generator) -> Tensor:
    """Return a ground ``(size, size)`` about 0.5.

    Parameters
    ----------
    size
        Edge in pixels.
    textures
        Micrographs to cut from.
    rng
        Decides everything.

    """
    device = textures.device
    ground = 0.5 + rng.uniform(0, 0.1) * textures.crop(size, rng)
    if rng.random() < 0.5:
        ground = ground + rng.uniform(0.02, 0.15) * smooth_field(size, rng.uniform(20, 90), rng, device)
    if rng.random() < 0.3:
        ground = _with_film(ground, textures, rng)
    if rng.random() < 0.15:
        ground = ground + _grains(size, rng, device)
    if rng.random() < 0.15:
        ground = ground + _contamination(size, rng, device)
    return ground


def _with_film(ground: Tensor, textures: Textures, rng: np.random.Generator) -> Tensor:
    """Put a second region beside the first: the edge of a film, a hole in the carbon."""
    size = len(ground)
    height = smooth_field(size, rng.uniform(40, 160), rng, textures.device) - rng.uniform(-0.6, 0.6)
    other = 0.5 + rng.uniform(-0.3, 0.3) + rng.uniform(0, 0.08) * textures.crop(size, rng)
    share = torch.sigmoid(height * rng.uniform(8, 60))
    return ground * (1 - share) + other * share


def _grains(size: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Return the contrast of crystal grains, with their boundaries or without."""
    count = int(rng.integers(4, 24))
    seeds = torch.from_numpy(rng.uniform(0, size, (count, 2)).astype(np.float32)).to(device)
    axis = torch.arange(size, device=device, dtype=torch.float32)
    squared = (axis[:, None, None] - seeds[:, 0]) ** 2 + (axis[None, :, None] - seeds[:, 1]) ** 2
    nearest, owner = squared.topk(2, dim=-1, largest=False)
    level = torch.from_numpy(rng.normal(0, rng.uniform(0.02, 0.12), count).astype(np.float32)).to(device)
    between = (nearest[..., 1].sqrt() - nearest[..., 0].sqrt()) / rng.uniform(1, 4)
    return level[owner[..., 0]] + rng.uniform(-0.2, 0.1) * torch.exp(-(between**2))


def _contamination(size: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Return soft patches without a clear edge."""
    field = smooth_field(size, rng.uniform(12, 60), rng, device) - rng.uniform(0.3, 1.2)
    return rng.uniform(-0.2, 0.2) * torch.sigmoid(3 * field)
