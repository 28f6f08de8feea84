"""What microscope and detector do to a picture: light, blur, noise, stripes."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .settings import CollageSettings
from .textures import smooth_field

_MOST_BLUR = 0.6
"""Times the radius of the smallest objects."""
_MOST_NOISE = 0.35
"""Times contrast and radius in pixels: the mean over a disc then stands out by 5 standard deviations (Rose)."""


class Visible(NamedTuple):
    """What has to stay visible; nothing could be learnt from objects that blur or noise has wiped out."""

    faintest: float
    """Least contrast times radius in pixels of any kind of objects."""
    smallest_px: float
    """Least radius of any kind of objects, pixels."""


def spoil(picture: Tensor, settings: CollageSettings, rng: np.random.Generator, visible: Visible) -> Tensor:
    """Return a picture with uneven light, blur, noise and the artefacts of scanning.

    Parameters
    ----------
    picture
        ``(size, size)``, about 0.5 on average.
    settings
        How strong blur and noise are, and how often artefacts occur.
    rng
        Decides which there are.
    visible
        Bounds blur and noise.

    """
    size, device = len(picture), picture.device
    if rng.random() < 0.5:
        picture = picture * (1 + rng.uniform(0, 0.25) * smooth_field(size, 200, rng, device))
    picture = _charged(picture, settings.artefacts, rng)
    if rng.random() < 0.7:
        picture = blurred(picture, min(rng.uniform(0, settings.blur_max_px), _MOST_BLUR * visible.smallest_px))
    sigma = min(settings.noise_max * rng.uniform(0, 1) ** 4, _MOST_NOISE * visible.faintest)
    return picture + _noise(picture, sigma, rng)


def _charged(picture: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Add stripes along lines and curtains across them."""
    size, device = len(picture), picture.device
    if rng.random() < share * 0.5:
        lines = rng.standard_normal(size)
        lines = np.cumsum(lines) / np.sqrt(size) if rng.random() < 0.5 else lines
        stripes = torch.from_numpy((rng.uniform(0, 0.06) * lines).astype(np.float32)).to(device)
        picture = picture + stripes[:, None]
    if rng.random() < share * 0.5:
        curtain = smooth_field(size, rng.uniform(3, 15), rng, device)[size // 2]
        fade = torch.linspace(1, float(rng.uniform(0, 1)), size, device=device)
        picture = picture + rng.uniform(0.02, 0.12) * fade[:, None] * curtain
    if rng.random() < share * 0.5:
        axis = torch.linspace(-1, 1, size, device=device)
        picture = picture * (1 - rng.uniform(0, 0.4) * (axis[:, None] ** 2 + axis**2) / 2)
    if rng.random() < share:
        slope = torch.linspace(-0.5, 0.5, size, device=device)
        picture = picture + rng.uniform(-0.3, 0.3) * slope[:, None] + rng.uniform(-0.3, 0.3) * slope
    return picture


def _noise(picture: Tensor, sigma: float, rng: np.random.Generator) -> Tensor:
    """Noise of standard deviation `sigma`, white or correlated, the same everywhere or growing with the signal."""
    white = torch.from_numpy(rng.standard_normal(picture.shape, dtype=np.float32)).to(picture.device)
    if rng.random() < 0.4:
        white = blurred(white, rng.uniform(0.4, 1.2))
        white = white / white.std()
    if rng.random() < 0.3:
        white = white * picture.clamp(min=0.02).sqrt() * 1.4
    return sigma * white


def blurred(picture: Tensor, sigma_px: float) -> Tensor:
    """Return ``(h, w)`` blurred by a Gaussian, reflected at the border."""
    if sigma_px < 0.15:
        return picture
    radius = max(1, round(3 * sigma_px))
    steps = torch.arange(-radius, radius + 1, device=picture.device, dtype=torch.float32)
    kernel = torch.exp(-(steps**2) / (2 * sigma_px**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(picture[None, None], (radius,) * 4, mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None])[0, 0]
