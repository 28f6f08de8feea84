"""Collages: objects of one or several kinds drawn on crops of real micrographs, and so with a truth that is known."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .arrangement import Arrangement
from .artefacts import Visible, blurred, spoil
from .ground import draw_ground
from .lettering import draw_lettering
from .placing import Footprint, footprint, place
from .settings import CollageSettings
from .shapes import draw_outline
from .skins import draw_skin, edge_light, grey_of
from .textures import Textures

_HIDDEN = 0.4
"""Cover by letters from which a pixel counts as theirs."""
_RESAMPLED = 0.4
"""Share of the pictures with letters that are a little blurred as a whole, as published ones are."""


@dataclass(frozen=True)
class Collage:
    """One picture and its truth."""

    image: Tensor
    """``(size, size)`` float32, about [0, 1]."""
    kinds: Tensor
    """``(size, size)`` uint8: 0 ground, letters included, then 1, 2, ... for each kind of objects."""
    numbers: Tensor
    """``(size, size)`` int32: 0 ground, then a number for each object."""

    def turned(self, quarters: int, mirrored: bool) -> "Collage":
        """Return the collage turned by quarters of a circle, and mirrored after that."""
        parts = [torch.rot90(part, quarters) for part in (self.image, self.kinds, self.numbers)]
        return Collage(*(part.flip(0) if mirrored else part for part in parts))


class CollageMaker:
    """Makes collages; number k of a seed is always the same on the same kind of device.

    Parameters
    ----------
    textures
        Micrographs to cut from; collages are made on their device.
    settings
        What is drawn.
    seed
        Of everything random.

    """

    def __init__(self, textures: Textures, settings: CollageSettings | None = None, seed: int = 0) -> None:
        self.textures, self.settings, self.seed = textures, settings or CollageSettings(), seed

    def __call__(self, number: int) -> Collage:
        """Return collage `number`, any whole number from 0."""
        rng = np.random.default_rng((self.seed, number))
        return _Canvas(self.textures, self.settings, rng).finished()


class _Canvas:
    """One collage while it is made."""

    def __init__(self, textures: Textures, settings: CollageSettings, rng: np.random.Generator) -> None:
        self.textures, self.settings, self.rng = textures, settings, rng
        self.size, device = settings.size_px, textures.device
        self.picture = draw_ground(self.size, textures, rng)
        self.kinds = torch.zeros(self.size**2, dtype=torch.uint8, device=device)
        self.numbers = torch.zeros(self.size**2, dtype=torch.int32, device=device)
        self.count = 0
        self.faintest = self.smallest_px = float("inf")

    def finished(self) -> Collage:
        """Lay all kinds, spoil the picture, write on it, and scale it."""
        several = self.rng.random() < self.settings.second_kind
        count = int(self.rng.integers(2, self.settings.kinds_max + 1)) if several and self.settings.kinds_max > 1 else 1
        cover = self.rng.uniform(0.02, self.settings.cover_max) / count
        for kind in range(1, count + 1):
            self._lay(kind, cover)
        picture = spoil(self.picture, self.settings, self.rng, Visible(self.faintest, self.smallest_px))
        if self.rng.random() < self.settings.lettering:
            picture = self._written_on(picture)
        shape = (self.size, self.size)
        return Collage(self._scaled(picture), self.kinds.view(shape), self.numbers.view(shape))

    def _lay(self, kind: int, cover: float) -> None:
        """Draw the objects of one kind over everything so far."""
        settings, rng = self.settings, self.rng
        radius = np.exp(rng.uniform(np.log(settings.radius_min_px), np.log(settings.radius_max_px)))
        inside = (self.numbers > 0).view(self.size, self.size).cpu().numpy() if kind > 1 else None
        nested = inside is not None and inside.any() and rng.random() < settings.nested
        gap = None if rng.random() < settings.touching else rng.uniform(1.0, 1.3)
        outline = draw_outline(rng)
        placed = place(
            self.size, min(radius, 8.0) if nested else radius / outline.elongation**0.5, rng.uniform(0, 0.45), cover,
            gap, rng, inside if nested else None, "strewn" if nested else self._arrangement(),
        )  # fmt: skip
        if not len(placed):
            return
        near = footprint(placed, outline, self.size, rng, self.textures.device)
        contrast = float(rng.uniform(settings.contrast_min, settings.contrast_max) * rng.choice([-1, 1]))
        self._paint(near, kind, len(placed), contrast)
        typical = float(np.median(placed.radii_px))
        self.faintest = min(self.faintest, abs(contrast) * typical)
        self.smallest_px = min(self.smallest_px, typical)

    def _arrangement(self) -> Arrangement:
        if self.rng.random() < self.settings.packed:
            return "packed"
        return "clustered" if self.rng.random() < self.settings.clustered else "strewn"

    def _paint(self, near: Footprint, kind: int, count: int, contrast: float) -> None:
        """Put pixels of objects into picture and truth; where several overlap, the last one is seen."""
        skin, rng = draw_skin(contrast, self.rng), self.rng
        texture = self.textures.crop(self.size, rng) if skin.grain else self.picture
        seen = near.where(_on_top(near, near.depth_px > -0.5, self.size))
        alpha = (seen.depth_px + 0.5).clamp(0, 1)
        flat = self.picture.reshape(-1).clone()
        flat[seen.pixel] = flat[seen.pixel] * (1 - alpha) + grey_of(seen, skin, texture, count, rng) * alpha
        if skin.edge != "none":
            flat.index_add_(0, near.pixel, edge_light(near, skin))
        self.picture = flat.view(self.size, self.size)
        inside = near.where(_on_top(near, near.depth_px > 0, self.size))
        self.kinds[inside.pixel] = kind
        self.numbers[inside.pixel] = (inside.owner + 1 + self.count).int()
        self.count += count

    def _written_on(self, picture: Tensor) -> Tensor:
        """Write on the picture; letters belong to the ground, whatever lies below them."""
        letters = draw_lettering(self.size, self.rng)
        cover, grey = (part.to(picture.device) for part in letters)
        hidden = (cover > _HIDDEN).view(-1)
        self.kinds[hidden] = 0
        self.numbers[hidden] = 0
        written = picture * (1 - cover) + grey * cover
        return blurred(written, self.rng.uniform(0.3, 0.8)) if self.rng.random() < _RESAMPLED else written

    def _scaled(self, picture: Tensor) -> Tensor:
        """Scale to about [0, 1] as images are in use, clipped a little, and bright to dark in half of the cases."""
        low, high = self.rng.uniform(0, 0.005), 1 - self.rng.uniform(0, 0.005)
        places = [int(share * (picture.numel() - 1)) for share in (low, high)]
        black, white = np.partition(picture.cpu().numpy().ravel(), places)[places].tolist()
        unit: Tensor = ((picture - black) / max(white - black, 1e-3)).clamp(-0.5, 1.5)
        return 1 - unit if self.rng.random() < 0.5 else unit


def _on_top(near: Footprint, covered: Tensor, size: int) -> Tensor:
    """Which entries are seen: of all that cover a pixel the one of the last object."""
    top = torch.full((size**2,), -1, dtype=torch.long, device=near.pixel.device)
    top.scatter_reduce_(0, near.pixel[covered], near.owner[covered], "amax")
    return covered & (top[near.pixel] == near.owner)
