"""HRTEM images of gold nanoparticles on amorphous carbon whose truth is known.

The physics is in `nanoparticles` and `specimen` (atoms), `multislice` (scattering) and `optics` (lens and camera);
`docs/how-it-works/hrtem-simulation.md` has it in one piece. Those modules are imported with the first image only: they
take a second to load.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from .settings import HRTEMSettings

if TYPE_CHECKING:
    from .nanoparticles import Particle
    from .optics import Lens


class HRTEMParameters(TypedDict):
    """What was drawn for an image; the last two by the label of a particle."""

    defocus_nm: float
    astigmatism_nm: float
    astigmatism_angle_rad: float
    zone_axes: dict[int, tuple[int, int, int] | None]
    twinned: dict[int, bool]


@dataclass(frozen=True)
class HRTEMImage:
    """A simulated image and its truth."""

    image: NDArray[np.float32]
    """Counts ``(h, w)``: recorded electrons per pixel."""
    labels: NDArray[np.uint16]
    """Particles ``(h, w)``: 0 background, then 1, 2, ...; where two overlap, the upper one."""
    clean: NDArray[np.float32]
    """The image ``(h, w)`` without noise, in the same units."""
    pixel_size_nm: float
    diameters_nm: dict[int, float]
    """By label: diameter of the sphere that holds as many atoms, also where the image cuts or hides part of them."""
    parameters: HRTEMParameters
    """What was drawn for this image."""

    @property
    def mask(self) -> NDArray[np.uint8]:
        """1 on particles, 0 elsewhere, ``(h, w)``."""
        return (self.labels > 0).astype(np.uint8)


def simulate_hrtem(
    settings: HRTEMSettings | None = None, seed: int | Sequence[int] | np.random.Generator = 0
) -> HRTEMImage:
    """Simulate one image of gold particles on amorphous carbon.

    Parameters
    ----------
    settings
        Specimen, microscope and camera.
    seed
        Of everything random; the same seed gives the same image.

    Raises
    ------
    UserError
        If the smallest particle does not fit the image, or the image is too large to be simulated.

    """
    from . import multislice, optics
    from .specimen import Specimen, check_field, simulated_field

    settings = settings or HRTEMSettings()
    check_field(settings)
    rng = np.random.default_rng(seed)
    grid, pixels, margin_px = simulated_field(settings)
    specimen, lens = Specimen.draw(settings, rng), _draw_lens(settings, rng)
    wave = multislice.exit_wave(specimen.slices(grid, margin_px, rng), grid, settings.voltage_kv)
    electrons = optics.resample(optics.image_intensity(wave, grid, lens), pixels)
    electrons *= _illumination(pixels, settings, rng)
    recorded = optics.record(electrons, settings.camera_half_frequency, settings.read_noise, rng)
    inner = slice(margin_px, margin_px + settings.size_px)
    image, clean = (np.ascontiguousarray(plane[inner, inner]) for plane in recorded)
    labels, seen = specimen.labels()
    diameters = {label: particle.diameter_nm for label, particle in seen.items()}
    return HRTEMImage(image, labels, clean, settings.pixel_size_nm, diameters, _parameters(lens, seen))


def _draw_lens(settings: HRTEMSettings, rng: np.random.Generator) -> "Lens":
    """The lens as it is set for one image."""
    from .optics import Lens

    return Lens(
        settings.voltage_kv,
        defocus_nm=float(rng.uniform(settings.defocus_min_nm, settings.defocus_max_nm)),
        cs_mm=settings.cs_mm,
        astigmatism_nm=float(rng.uniform(0, settings.astigmatism_max_nm)),
        astigmatism_angle=float(rng.uniform(0, np.pi)),
        aperture_mrad=settings.aperture_mrad,
        focal_spread_nm=settings.focal_spread_nm,
        convergence_mrad=settings.convergence_mrad,
    )


def _illumination(pixels: int, settings: HRTEMSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """Electrons per pixel of the bare beam, ``(pixels, pixels)``: a slope and a dome, about the dose on average."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, pixels, dtype=np.float32)] * 2, indexing="ij", sparse=True)
    towards, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1)
    shape = np.sin(towards) * y + np.cos(towards) * x - bend * (y**2 + x**2 - 2 / 3)
    dose = settings.dose_per_nm2 * settings.pixel_size_nm**2
    return np.asarray(dose * (1 + settings.uneven_illumination / 2 * shape), np.float32)


def _parameters(lens: "Lens", particles: "dict[int, Particle]") -> HRTEMParameters:
    """Plain record of what was drawn."""
    return {
        "defocus_nm": lens.defocus_nm,
        "astigmatism_nm": lens.astigmatism_nm,
        "astigmatism_angle_rad": lens.astigmatism_angle,
        "zone_axes": {label: p.zone_axis for label, p in particles.items()},
        "twinned": {label: p.twinned for label, p in particles.items()},
    }


def as_counts(image: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Round counts to uint16; values below 0 or above 65535 are clipped."""
    return np.asarray(np.clip(np.rint(image), 0, 65535), np.uint16)
