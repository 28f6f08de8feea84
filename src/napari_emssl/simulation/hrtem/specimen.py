"""Gold particles on an amorphous carbon film: which, where, cut into slices, and their outlines in the image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ...data.arrays import Floats32
from ...errors import UserError
from . import multislice, nanoparticles
from .multislice import SamplingGrid, Slice, Species
from .nanoparticles import Particle
from .settings import HRTEMSettings

_MARGIN_NM = 1.5
"""Simulated around the image, so that what comes in from the other side of the periodic grid stays outside."""
_WIDEST = 0.45
"""Largest diameter of a particle, in edges of the field."""
_FILLED = 0.4
"""Share of the field that the particles cover together at most."""
_LARGEST_GRID = 8192
_FILM_SLICE_NM = 2.0
_RELIEF_NM = 2.5
"""Standard deviation of the Gaussian that smooths the thickness of the film."""
_CARBON_DISTANCE_NM = 0.14
_CARBON_PER_NM3 = 602.2 / 12.011
"""Atoms per nm^3 at 1 g/cm^3."""


@dataclass(frozen=True)
class Specimen:
    """What lies in the beam."""

    particles: Sequence[Particle]
    gold: Sequence[NDArray[np.floating]]
    """Atoms ``(m, 3)`` of each particle, in nm: z above the film, y and x from the first pixel's centre."""
    settings: HRTEMSettings

    @classmethod
    def draw(cls, settings: HRTEMSettings, rng: np.random.Generator) -> "Specimen":
        """Draw particles and let them fall on the film."""
        particles = [_draw_particle(diameter, settings, rng) for diameter in draw_diameters(settings, rng)]
        centres = nanoparticles.settle(particles, settings.field_nm, settings.overlap, rng)
        return cls(particles, [p.atoms + c for p, c in zip(particles, centres, strict=True)], settings)

    def slices(self, grid: SamplingGrid, margin_px: int, rng: np.random.Generator) -> Iterator[Slice]:
        """Yield the slices of the particles, from the top, then those of the film, whose atoms are drawn on the way.

        Parameters
        ----------
        grid
            The simulated field.
        margin_px
            Pixels of the image that lie before its first one in the field, see `simulated_field`.
        rng
            Source of the film's thickness and atoms.

        Yields
        ------
        Slice
            The top one first, as the electrons meet them.
        """
        yield from self._particle_slices(grid, margin_px)
        yield from self._film_slices(grid, rng)

    def _particle_slices(self, grid: SamplingGrid, margin_px: int) -> Iterator[Slice]:
        settings = self.settings
        species = Species.make("Au", grid, settings.absorption_gold)
        atoms = np.concatenate([np.zeros((0, 3)), *self.gold])
        atoms = atoms + np.array([0, 1, 1]) * margin_px * settings.pixel_size_nm
        atoms = atoms[((atoms[:, 1:] >= 0) & (atoms[:, 1:] < grid.extent_nm)).all(axis=1)]
        level = np.floor(atoms[:, 0] / settings.slice_nm).astype(int)
        for at in range(level.max(initial=-1), -1, -1):
            yield Slice(multislice.deposit(atoms[level == at, 1:], grid), species, settings.slice_nm)

    def _film_slices(self, grid: SamplingGrid, rng: np.random.Generator) -> Iterator[Slice]:
        settings = self.settings
        density = settings.carbon_density * _CARBON_PER_NM3
        order = multislice.hard_sphere_structure_factor(multislice.sampling(grid), density, _CARBON_DISTANCE_NM)
        species = Species.make("C", grid, settings.absorption_carbon, shared=False, order=order)
        relief = _relief(settings.carbon_unevenness, grid, rng)
        count = int(np.ceil(settings.carbon_nm / _FILM_SLICE_NM))
        for _ in range(count):
            thickness = settings.carbon_nm / count
            # atoms sit on samples and are independent; the species' spectrum then puts the order between them back
            atoms = rng.poisson(density * thickness * grid.step_nm**2 * relief)
            yield Slice(atoms.astype(np.float32), species, thickness)

    def labels(self) -> tuple[NDArray[np.uint16], dict[int, Particle]]:
        """Return the instances ``(h, w)``, and the particle by number 1, 2, ...; upper particles hide lower ones."""
        shape = (self.settings.size_px, self.settings.size_px)
        owner = np.full(shape, -1)
        for i in sorted(range(len(self.gold)), key=lambda i: float(self.gold[i][:, 0].max())):
            owner[nanoparticles.outline(self.gold[i][:, 1:], self.settings.pixel_size_nm, shape)] = i
        seen = [int(i) for i in np.unique(owner) if i >= 0]
        renumber = np.zeros(len(self.gold) + 1, np.uint16)
        renumber[seen] = np.arange(1, len(seen) + 1)
        return renumber[owner], {label: self.particles[i] for label, i in enumerate(seen, start=1)}


def simulated_field(settings: HRTEMSettings) -> tuple[SamplingGrid, int, int]:
    """Lay out the grid of the simulation, wider than the image, since it is periodic and the image is not.

    Returns
    -------
    grid, pixels, margin_px
        The grid; how many image pixels its edge is long; how many of them lie before the image's first one.
    """
    # 1e-6: a quotient that is a whole number but for rounding is not rounded up
    margin_px = int(np.ceil(_MARGIN_NM / settings.pixel_size_nm - 1e-6))
    pixels = scipy.fft.next_fast_len(settings.size_px + 2 * margin_px, real=True)
    extent = pixels * settings.pixel_size_nm
    n = scipy.fft.next_fast_len(int(np.ceil(extent / settings.sampling_nm - 1e-6)), real=True)
    return SamplingGrid(n, extent), pixels, margin_px


def check_field(settings: HRTEMSettings) -> None:
    """Raise `UserError` for an image too small for its particles or too large for memory.

    Raises
    ------
    UserError
        If the smallest particle is wider than 0.8 of the image, or the simulated wave has more than 8192 samples along
        an edge.

    """
    low, field = settings.diameter_min_nm, settings.field_nm
    if settings.particles_max and low > 0.8 * field:
        raise UserError(
            f"Particles of {low:g} nm are too large for an image of {field:.3g} nm. "
            "Choose more pixels, a larger pixel size or smaller particles."
        )
    if simulated_field(settings)[0].n > _LARGEST_GRID:
        raise UserError(
            f"A field of {field:.4g} nm is too large to be simulated in steps of {settings.sampling_nm:g} nm. "
            "Choose fewer pixels, a smaller pixel size or a coarser sampling."
        )


def draw_diameters(settings: HRTEMSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the particles' diameters in nm, each in the range asked for, so that they fit the field of view.

    None is wider than 0.45 of the field, and together they cover about 0.4 of it at most, unless even the smallest
    ones asked for are wider or cover more. The log-normal distribution has its median in the geometric middle of the
    range and is cut at two standard deviations, which are the range's ends.

    """
    low = settings.diameter_min_nm
    high = max(low, min(settings.diameter_max_nm, _WIDEST * settings.field_nm))
    count = int(rng.integers(settings.particles_min, settings.particles_max + 1))
    room = _FILLED * settings.field_nm**2 * 4 / np.pi
    diameters: list[float] = []
    for others in range(count - 1, -1, -1):
        rest = room - sum(d**2 for d in diameters) - others * low**2
        diameters.append(_draw_between(low, min(high, max(low, np.sqrt(max(rest, 0)))), settings.sizes, rng))
    return np.array(diameters)


def _draw_between(low: float, high: float, sizes: str, rng: np.random.Generator) -> float:
    """One diameter in [low, high]."""
    if sizes == "uniform":
        return float(rng.uniform(low, high))
    normal = ndtri(rng.uniform(ndtr(-2), ndtr(2)))
    return float(np.clip(np.sqrt(low * high) * (high / low) ** (normal / 4), low, high))


def _draw_particle(diameter_nm: float, settings: HRTEMSettings, rng: np.random.Generator) -> Particle:
    """One particle as the settings want it."""
    return nanoparticles.make_particle(
        diameter_nm,
        rng,
        zone_axis_share=settings.zone_axis_share,
        zone_tilt_deg=settings.zone_tilt_deg,
        twin_share=settings.twin_share,
        roughness_nm=settings.roughness_nm,
    )


def _relief(unevenness: float, grid: SamplingGrid, rng: np.random.Generator) -> Floats32:
    """Local thickness of the film over its mean, ``(n, n)``: smoothed noise."""
    noise = scipy.fft.rfft2(rng.standard_normal((grid.n, grid.n), np.float32))
    noise *= np.exp(-2 * (np.pi * _RELIEF_NM) ** 2 * grid.k_squared[:, : grid.n // 2 + 1])
    noise[0, 0] = 0
    field = scipy.fft.irfft2(noise, s=(grid.n, grid.n))
    relief = np.maximum(1 + unevenness * field / field.std(), 0.1)
    return np.asarray(relief / relief.mean(), np.float32)
