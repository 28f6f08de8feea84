"""HRTEM images of gold nanoparticles on amorphous carbon whose truth is known.

The physics is in `nanoparticles` and `specimen` (atoms), `multislice` (scattering) and `optics` (lens and camera);
`docs/how-it-works/hrtem-simulation.md` has it in one piece. Those modules are imported with the first image only: they
take a second to load.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from .settings import HRTEMSettings

if TYPE_CHECKING:
    from .nanoparticles import Particle
    from .optics import Lens

__all__ = ["HRTEMImage", "HRTEMSettings", "as_counts", "sample_stack", "simulate_hrtem", "write_hrtem"]

_FOLDERS = ("images", "targets", "instances")
_SAMPLE_DIAMETER_NM = 8.0


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
    settings = HRTEMSettings(size_px=size, diameter_max_nm=_SAMPLE_DIAMETER_NM)
    made = [simulate_hrtem(settings, [seed, i]) for i in range(n)]
    images = np.stack([as_counts(m.image) for m in made])
    return images, np.stack([m.mask for m in made]), np.stack([m.labels for m in made]), settings.pixel_size_nm


def as_counts(image: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Round counts to uint16; values below 0 or above 65535 are clipped."""
    return np.asarray(np.clip(np.rint(image), 0, 65535), np.uint16)


def write_hrtem(
    folder: Path | str, count: int, settings: HRTEMSettings | None = None, seed: int = 0, overwrite: bool = False
) -> Iterator[tuple[int, int]]:
    """Simulate images into a folder, each with its truth under the same name.

    Writes ``images/NNNNN.tif`` (uint16 counts), ``targets/NNNNN.tif`` (uint8: 1 on particles), ``instances/NNNNN.tif``
    (uint16), all ImageJ TIFF with the pixel size, and ``settings.json``. Image i depends on seed and i only.

    Parameters
    ----------
    folder
        Made if it is not there.
    count
        Number of images.
    settings
        Specimen, microscope and camera.
    seed
        Of everything random.
    overwrite
        Take the place of an earlier simulation in this folder: its numbered images are deleted first.

    Yields
    ------
    done, count
        After each image.

    Raises
    ------
    UserError
        If there are images in the folder already and `overwrite` is false, if a file cannot be written, or if
        `simulate_hrtem` cannot use the settings.

    """
    from ...data.datasets.simulated_folder import clear_folder, write_record
    from .specimen import check_field

    settings, folder = settings or HRTEMSettings(), Path(folder)
    check_field(settings)
    clear_folder(folder, _FOLDERS, r"\d{5}\.tif", overwrite)
    write_record(folder, "hrtem", count, settings.model_dump(), seed, overwrite)
    for i in range(count):
        _write_one(folder, f"{i:05d}.tif", simulate_hrtem(settings, [seed, i]), overwrite)
        yield i + 1, count


def _write_one(folder: Path, name: str, made: HRTEMImage, overwrite: bool) -> None:
    """Write an image, its mask and its instances."""
    from ...data.images.writers import write_image

    planes: tuple[NDArray[np.integer], ...] = (as_counts(made.image), made.mask, made.labels)
    for kind, plane in zip(_FOLDERS, planes, strict=True):
        write_image(folder / kind / name, plane, made.pixel_size_nm, overwrite)
