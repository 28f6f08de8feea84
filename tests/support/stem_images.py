"""Simulated STEM images without disturbances, and what is measured in them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import peak_local_max

from napari_emssl.simulation.stem import render
from napari_emssl.simulation.stem.probe import Probe
from napari_emssl.simulation.stem.render import Field
from napari_emssl.simulation.stem.settings import STEMSettings

QUIET = dict.fromkeys(
    ("tilt_deg", "vacancies", "disorder_nm", "probe_ellipticity", "probe_tails", "defocus_nm", "focal_spread_nm",
     "background", "carbon_nm", "flicker", "gain_spread", "read_noise", "lag", "smoothing_px", "hot_pixels",
     "line_jitter_nm", "drift_nm", "flyback_nm"),
    0.0,
)  # fmt: skip


def quiet(**more: Any) -> STEMSettings:
    """A perfect crystal under a perfect microscope, but for the shot noise."""
    plain = {"specimen": "crystal", "pixel_size_nm": 0.01, "probe_fwhm_nm": 0.07, "dose_per_nm2": 1e8}
    return STEMSettings(**(QUIET | plain | more))


def peaks(image: NDArray[Any]) -> NDArray[np.float64]:
    """Local maxima away from the border, to a part of a pixel by their centre of mass."""
    rough = peak_local_max(image, min_distance=3, threshold_rel=0.2, exclude_border=8)
    offsets = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    values = image[tuple((rough[:, None] + offsets).transpose(2, 0, 1))]
    weights = values - values.min(axis=1, keepdims=True)
    return rough + (weights[..., None] * offsets).sum(axis=1) / weights.sum(axis=1, keepdims=True)


def one_column(probe: Probe, electrons: float, size: int = 48) -> tuple[Field, NDArray[np.complex64]]:
    """Spectrum of a single column in the middle, in pixels of 0.01 nm."""
    field = Field.around(size, 0.01, 0.4)
    spot = np.full((1, 2), size / 2)
    spectrum = render.points_spectrum(spot, np.array([electrons]), np.zeros((1, 2)), field)
    return field, spectrum * probe.transfer(*field.frequencies)


def field_of(probe: Probe) -> NDArray[np.float32]:
    field, spectrum = one_column(probe, 1.0)
    return field.image(spectrum)


def width(profile: NDArray[Any]) -> float:
    """Full width at half maximum in samples, by linear interpolation."""
    half, top = profile.max() / 2, int(profile.argmax())
    right = top + int(np.argmax(profile[top:] < half))
    left = top - int(np.argmax(profile[top::-1] < half))
    return float(
        (right - (half - profile[right]) / (profile[right - 1] - profile[right]))
        - (left + (half - profile[left]) / (profile[left + 1] - profile[left]))
    )
