"""Simulated STEM images to try restoration on: an image with its truth, and a noisy film of a specimen that drifts."""

import numpy as np
from numpy.typing import NDArray

from .settings import STEMSettings
from .simulate import simulate_stem

PAIR_PX, FILM_PX, FRAMES = 512, 384, 8
PIXEL_NM = 0.02
_DRIFT_PX = (0.4, -0.25)
"""Drift (y, x) from one frame to the next."""
_READ_NOISE = 0.15


def simulate_pair(size_px: int = PAIR_PX) -> dict[str, NDArray[np.float32]]:
    """Simulate the edge of a strontium titanate crystal at a low dose, in electrons per pixel.

    Returns
    -------
    dict
        ``noisy``, ``clean`` (without noise) and ``flat`` (without noise and background), all ``(h, w)``, and ``fine``,
        which is ``flat`` on a grid of half the step, ``(2 h, 2 w)``.

    """
    settings = STEMSettings(
        size_px=size_px, pixel_size_nm=PIXEL_NM, crystal="SrTiO3", specimen="edge", probe_fwhm_nm=0.09, dose_per_nm2=2e5
    )
    made = simulate_stem(settings, seed=2)
    return {"noisy": made.image, "clean": made.no_noise, "flat": made.no_background, "fine": made.fine}


def simulate_film(frames: int = FRAMES, size_px: int = FILM_PX) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Simulate a film of gold particles at a very low dose that drift slowly.

    Returns
    -------
    noisy, clean
        Frames ``(n, h, w)`` in electrons per pixel, and what they would be without noise.

    """
    from scipy import ndimage

    settings = STEMSettings(
        size_px=size_px, pixel_size_nm=PIXEL_NM, crystal="Au", specimen="particles", diameter_nm=5, probe_fwhm_nm=0.09,
        dose_per_nm2=3e4,
    )  # fmt: skip
    still = simulate_stem(settings, seed=0).no_noise
    moved = [ndimage.shift(still, np.multiply(_DRIFT_PX, i), order=3, mode="nearest") for i in range(frames)]
    clean = np.maximum(np.stack(moved), 0)
    rng = np.random.default_rng(0)
    noisy = rng.poisson(clean) + rng.normal(0, _READ_NOISE, clean.shape)
    return noisy.astype(np.float32), clean
