"""The sample data: a simulated stack with a few particles painted as one would by hand."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .settings import HRTEMSettings
from .simulate import as_counts, simulate_hrtem

PLANES, SIZE_PX, SEED = 4, 512, 0
_PAINTED = 3
_LARGEST_NM = 8.0
"""Diameter up to which the particles go, so that several fit the field."""


@dataclass(frozen=True)
class GoldSample:
    """Simulated HRTEM images of gold nanoparticles, arrays ``(n, h, w)``."""

    images: NDArray[np.uint16]
    """Counts."""
    instances: NDArray[np.uint16]
    """True particles, numbered; 0 is background."""
    painting: NDArray[np.uint8]
    """Three particles of the first plane painted with 1."""
    pixel_size_nm: float


def gold_sample(planes: int = PLANES, size: int = SIZE_PX, seed: int = SEED) -> GoldSample:
    """Simulate the sample; this takes a few seconds and gives the same arrays every time.

    Parameters
    ----------
    planes
        Number of images.
    size
        Their edge in pixels.
    seed
        Of everything random.
    """
    images, _, instances, pixel_size_nm = sample_stack(planes, size, seed=seed)
    return GoldSample(images, instances, paint_first(instances), pixel_size_nm)


def sample_stack(
    n: int = 4, size: int = 512, seed: int = 0
) -> tuple[NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint16], float]:
    """Simulate a small stack of different places at the same magnification.

    Parameters
    ----------
    n
        Number of images.
    size
        Their edge in pixels.
    seed
        The same seed gives the same stack.

    Returns
    -------
    images, masks, instances, pixel_size_nm
        ``(n, size, size)`` uint16 counts, uint8 masks with 1 on particles, uint16 instances with 0 on background.

    """
    settings = HRTEMSettings(size_px=size, diameter_max_nm=_LARGEST_NM)
    made = [simulate_hrtem(settings, [seed, i]) for i in range(n)]
    images = np.stack([as_counts(m.image) for m in made])
    return images, np.stack([m.mask for m in made]), np.stack([m.labels for m in made]), settings.pixel_size_nm


def paint_first(instances: NDArray[np.integer], count: int = _PAINTED) -> NDArray[np.uint8]:
    """Paint `count` particles of the first plane of ``(n, h, w)``, nothing on the others."""
    painting = np.zeros(instances.shape, np.uint8)
    painting[0] = paint_some(instances[0], count)
    return painting


def paint_some(instances: NDArray[np.integer], count: int = _PAINTED) -> NDArray[np.uint8]:
    """Paint `count` whole particles of a plane ``(h, w)`` with 1, a little rounder than they are.

    Taken are particles of middling size that touch no other and not the border.
    """
    painting = np.zeros(instances.shape, np.uint8)
    for label in _paintable(instances)[:count]:
        round_mask = ndimage.gaussian_filter((instances == label).astype(np.float32), 2.0) > 0.45
        painting[round_mask] = 1
    return painting


def _paintable(instances: NDArray[np.integer]) -> list[int]:
    """Labels of the particles that stand free, those nearest to the median size first."""
    labels, areas = np.unique(instances[instances > 0], return_counts=True)
    area_of = dict(zip(labels.tolist(), areas.tolist(), strict=True))
    free = [label for label in area_of if _stands_free(instances, label)] or list(area_of)
    middle = float(np.median([area_of[label] for label in free])) if free else 0.0
    return sorted(free, key=lambda label: abs(area_of[label] - middle))


def _stands_free(instances: NDArray[np.integer], label: int) -> bool:
    """Whether nothing but background lies within three pixels of a particle, nor the border."""
    mask = instances == label
    near = ndimage.binary_dilation(mask, iterations=3)
    border = near[0].any() or near[-1].any() or near[:, 0].any() or near[:, -1].any()
    return not border and not ((instances > 0) & ~mask & near).any()
