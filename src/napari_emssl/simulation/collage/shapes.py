"""Outlines of objects, as a distance from the centre in units of the outline's own radius.

All outlines are star-shaped: a pixel at polar coordinates (q, phi) about the centre lies at d = q / b(phi), below 1
inside. So one number says inside, outside and how far from the edge, whatever the outline.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Form = Literal["disc", "blob", "polygon", "cube", "rod", "plate", "star"]
FORMS: tuple[Form, ...] = ("disc", "blob", "polygon", "cube", "rod", "plate", "star")
_HARMONICS = (2, 3, 4, 5, 7)


@dataclass(frozen=True)
class Outline:
    """What the objects of one kind share of their outline; each has its own size, direction and irregularity."""

    form: Form
    elongation: float
    """Length over width, at least 1."""
    corners: int
    roundness: float
    """Exponent of the superellipse of cubes, 2 (round) to 8 (sharp)."""
    irregular: float
    """Amplitude of the random waviness, as a share of the radius."""

    def reach(self) -> float:
        """Return the greatest distance from the centre to the outline, in units of the radius."""
        return self.elongation * (1.45 + 2 * self.irregular)


def draw_outline(rng: np.random.Generator) -> Outline:
    """Draw the outline of a kind of objects."""
    form: Form = rng.choice(FORMS, p=[0.28, 0.22, 0.15, 0.1, 0.12, 0.08, 0.05])
    long = {"rod": rng.uniform(2.0, 6.0), "plate": rng.uniform(1.0, 1.6)}.get(form)
    elongation = long if long is not None else (1.0 if rng.random() < 0.6 else rng.uniform(1.0, 2.5))
    irregular = rng.uniform(0.04, 0.2) if form == "blob" else rng.uniform(0, 0.04) * (rng.random() < 0.5)
    return Outline(form, float(elongation), int(rng.integers(3, 9)), float(rng.uniform(2.5, 7)), float(irregular))


def waves_of(outline: Outline, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw how wavy the outline of each object is.

    Parameters
    ----------
    outline
        Of the kind.
    count
        Number of objects.
    rng
        Draws them.

    Returns
    -------
    amplitudes, phases
        ``(count, harmonics)``; amplitudes in units of the radius.

    """
    falling = outline.irregular * 2 / np.asarray(_HARMONICS)
    amplitude = rng.uniform(-1, 1, (count, len(_HARMONICS))) * falling
    return amplitude.astype(np.float32), rng.uniform(0, 2 * math.pi, amplitude.shape).astype(np.float32)


def distance(u: Tensor, v: Tensor, outline: Outline, amplitude: Tensor, phase: Tensor) -> Tensor:
    """Return d, 1 on the outline, of points in the object's own frame.

    Parameters
    ----------
    u, v
        Coordinates along and across the object, in units of its radius (half its width), any shape ``(n, ...)``.
    outline
        Of the kind.
    amplitude, phase
        Of each object, ``(n, harmonics)``.

    """
    if outline.form == "rod":  # a capsule: distance to the axis
        half = outline.elongation - 1
        beyond = (u.abs() - half).clamp(min=0)
        return torch.hypot(beyond, v)
    along = u / outline.elongation
    q = torch.hypot(along, v)
    if outline.form == "disc" and outline.irregular == 0:
        return q
    phi = torch.atan2(v, along)
    return q / (_radius(phi, outline) * _waviness(phi, outline, amplitude, phase)).clamp(min=0.2)


def _radius(phi: Tensor, outline: Outline) -> Tensor:
    """Radius of the regular outline in direction `phi`."""
    if outline.form in ("polygon", "plate"):
        corners = outline.corners if outline.form == "polygon" else (3, 6)[outline.corners % 2]
        sector = math.pi / corners
        return 1.1 * math.cos(sector) / torch.cos(torch.remainder(phi, 2 * sector) - sector)
    if outline.form == "cube":
        power = outline.roundness
        return (torch.cos(phi).abs() ** power + torch.sin(phi).abs() ** power) ** (-1 / power)
    if outline.form == "star":
        return 1 + 0.35 * torch.cos(outline.corners * phi)
    return torch.ones_like(phi)


def _waviness(phi: Tensor, outline: Outline, amplitude: Tensor, phase: Tensor) -> Tensor:
    """Random factor of the radius in direction `phi`, about 1."""
    factor = torch.ones_like(phi)
    if outline.irregular == 0:
        return factor
    shape = (-1, *[1] * (phi.ndim - 1))
    for column, harmonic in enumerate(_HARMONICS):
        factor = factor + amplitude[:, column].view(shape) * torch.cos(harmonic * phi + phase[:, column].view(shape))
    return factor
