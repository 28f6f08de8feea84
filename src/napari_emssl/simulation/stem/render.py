"""Columns of atoms and what surrounds them, rendered on a grid. Lengths are in nm unless a name says px."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ...data.arrays import Floats32
from ..hrtem.multislice import hard_sphere_structure_factor
from . import scan
from .conditions import Conditions

Spectrum = NDArray[np.complex64]

_CARBON_PER_NM3 = 100.0
_CARBON_DISTANCE_NM = 0.14
_CARBON_RELIEF_NM = 2.0
"""Period of the variation of a carbon film's thickness."""
_LEAST_SMOOTHING_PX = 0.2
_LEAN_STEP_PX = 0.5
"""Distance of the points that stand for a column that leans."""
_MOST_AT_ONCE = 1_000_000
"""Distances computed in one piece: what bounds the memory."""


@dataclass(frozen=True)
class Field:
    """A periodic grid with the image in its middle; the image's first pixel is the origin."""

    size_px: int
    margin_px: int
    n: int
    pixel_nm: float

    @classmethod
    def around(cls, size_px: int, pixel_nm: float, margin_nm: float) -> "Field":
        """Return a grid around an image, wider than it on all sides.

        Parameters
        ----------
        size_px
            Edge of the image in pixels.
        pixel_nm
            Edge of a pixel.
        margin_nm
            The grid reaches at least so far beyond the image.
        """
        margin = int(np.ceil(margin_nm / pixel_nm)) + 2
        return cls(size_px, margin, scipy.fft.next_fast_len(size_px + 2 * margin, real=True), pixel_nm)

    @property
    def edges_nm(self) -> tuple[float, float]:
        """First and last line of the grid."""
        return -self.margin_px * self.pixel_nm, (self.n - 1 - self.margin_px) * self.pixel_nm

    @cached_property
    def frequencies(self) -> tuple[Floats32, Floats32]:
        """Spatial frequencies in 1/nm along y ``(n, 1)`` and x ``(1, n // 2 + 1)``."""
        k_y, k_x = np.fft.fftfreq(self.n, self.pixel_nm), np.fft.rfftfreq(self.n, self.pixel_nm)
        return k_y.astype(np.float32)[:, None], k_x.astype(np.float32)[None]

    def inner(self, whole: Floats32, factor: int = 1) -> Floats32:
        """Cut out the image; the slight undershoot of a band-limited image is set to 0."""
        inner = slice(factor * self.margin_px, factor * (self.margin_px + self.size_px))
        return np.maximum(whole[inner, inner], 0)

    def image(self, spectrum: Spectrum) -> Floats32:
        """The image ``(size_px, size_px)`` of a spectrum ``(n, n // 2 + 1)``."""
        return self.inner(scipy.fft.irfft2(spectrum, s=(self.n, self.n)))

    def highest(self, spectrum: Spectrum) -> float:
        """Largest value on the whole grid, in view or just out of it."""
        return float(scipy.fft.irfft2(spectrum, s=(self.n, self.n)).max())

    def doubled(self, spectrum: Spectrum) -> Floats32:
        """The image on half the step, ``(2 size_px, 2 size_px)``, of the same values.

        Four fine pixels cover a pixel of the image: the first ones lie a quarter of a pixel before and behind its
        centre.
        """
        n, half, columns = self.n, (self.n + 1) // 2, spectrum.shape[1]
        back_y, back_x = (np.exp(-0.5j * np.pi * k(n)).astype(np.complex64) for k in (np.fft.fftfreq, np.fft.rfftfreq))
        shifted = spectrum * back_y[:, None] * back_x
        wide = np.zeros((2 * n, n + 1), np.complex64)
        wide[:half, :columns], wide[half - n :, :columns] = shifted[:half], shifted[half:]
        return self.inner(scipy.fft.irfft2(wide, s=(2 * n, 2 * n)) * np.float32(4), 2)  # 4: irfft2 divides by (2 n)^2


def transform(image: Floats32) -> Spectrum:
    """Spectrum ``(n, n // 2 + 1)`` of an image ``(n, n)``."""
    return np.asarray(scipy.fft.rfft2(image), np.complex64)


def points_spectrum(
    places_px: NDArray[np.floating], weights: NDArray[np.floating], lean_px: NDArray[np.floating], field: Field
) -> Spectrum:
    """Spectrum of points with weights.

    Each is shared among the four nearest grid points, and that blur is divided out. Columns that lean are lines.

    Parameters
    ----------
    places_px
        Points (y, x) ``(m, 2)`` in pixels of the image.
    weights
        Of each point, ``(m,)``.
    lean_px
        Extent (y, x) of each point's line, ``(m, 2)``.
    field
        The grid.

    Returns
    -------
    numpy.ndarray
        ``(n, n // 2 + 1)`` complex64; points outside the grid are left out.

    """
    longest = float(np.linalg.norm(lean_px, axis=1).max(initial=0))
    pieces = int(np.ceil(longest / _LEAN_STEP_PX)) + 1
    along = (np.arange(pieces) + 0.5) / pieces - 0.5
    points = (places_px + lean_px * along[:, None, None]).reshape(-1, 2) + field.margin_px
    shares = np.tile(weights / pieces, pieces)
    corner = np.floor(points).astype(np.int64)
    rest = points - corner
    grid = np.zeros(field.n**2)
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.abs(1 - dy - rest[:, 0]) * np.abs(1 - dx - rest[:, 1]) * shares
            inside = ((corner >= 0) & (corner < field.n - 1)).all(axis=1)
            at = (corner[:, 0] + dy) * field.n + corner[:, 1] + dx
            grid += np.bincount(at[inside], share[inside], field.n**2)
    spectrum = scipy.fft.rfft2(grid.astype(np.float32).reshape(field.n, field.n))
    # sharing a point bilinearly convolves it with a triangle along each axis: sinc^2 in the transform
    blur = np.sinc(np.fft.fftfreq(field.n))[:, None] ** 2 * np.sinc(np.fft.rfftfreq(field.n)) ** 2
    return np.asarray(spectrum / blur.astype(np.float32), np.complex64)


def carbon_film(
    thickness_nm: float, cross_section_nm2: float, field: Field, transfer: Floats32, rng: np.random.Generator
) -> Floats32:
    """Image of an amorphous carbon film at 1 electron per nm^2.

    The number of atoms in a pixel is about normally distributed; its spectrum is weighted by the structure factor of
    hard spheres and the probe's transfer. The thickness varies by a fifth over some nanometres. A film so thin that
    this would turn negative in places is cut there and has the mean asked for.

    Parameters
    ----------
    thickness_nm
        Mean thickness.
    cross_section_nm2
        Scattering of one atom onto the detector.
    field
        The grid.
    transfer
        Transfer ``(n, n // 2 + 1)`` of the probe.
    rng
        Source of atoms and thickness.

    Returns
    -------
    numpy.ndarray
        Electrons per pixel ``(n, n)``, float32.
    """
    k = np.sqrt(field.frequencies[0] ** 2 + field.frequencies[1] ** 2)
    steps = np.linspace(0, float(k.max()), 512)
    order = np.interp(k, steps, hard_sphere_structure_factor(steps, _CARBON_PER_NM3, _CARBON_DISTANCE_NM))
    mean = _CARBON_PER_NM3 * thickness_nm * field.pixel_nm**2
    shape = (field.n, field.n)
    noise = scipy.fft.rfft2(rng.standard_normal(shape, np.float32)) * np.sqrt(order * mean).astype(np.float32)
    grains = scipy.fft.irfft2(noise * transfer, s=shape)
    film = np.maximum(mean * (1 + 0.2 * slow_field(field, _CARBON_RELIEF_NM, rng)) + grains, 0)
    return np.asarray(film * (mean * cross_section_nm2 / max(float(film.mean()), 1e-30)), np.float32)


def slow_field(field: Field, period_nm: float, rng: np.random.Generator) -> Floats32:
    """Smooth random field of mean 0 and standard deviation 1: the sum of eight plane waves of random direction.

    The waves fit the grid: a jump at its edge would ring in every line that is sampled between the grid's points.

    Parameters
    ----------
    field
        The grid.
    period_nm
        About the wavelength of the waves.
    rng
        Source of the waves.

    Returns
    -------
    numpy.ndarray
        ``(n, n)``, float32.
    """
    cycles = np.round(rng.normal(0, field.n * field.pixel_nm / period_nm / np.sqrt(2), (8, 2)))
    phases = rng.uniform(0, 2 * np.pi, 8)
    at = 2 * np.pi * np.arange(field.n) / field.n
    y, x = (np.exp(1j * np.outer(w, at)).astype(np.complex64) for w in cycles.T)
    y *= np.exp(1j * phases).astype(np.complex64)[:, None] / 2
    # a plane wave is a product of one factor along y and one along x, so the sum of eight is one matrix product
    return np.asarray((y.T @ x).real, np.float32)


def record_scan(
    crystal: Spectrum, whole: Spectrum, field: Field, drawn: Conditions, rng: np.random.Generator
) -> tuple[Floats32, Floats32, Floats32]:
    """Record an image.

    Parameters
    ----------
    crystal, whole
        Spectra of the expected electrons, without and with what surrounds the crystal.
    field
        The grid.
    drawn
        Scan and detector.
    rng
        Source of the noise.

    Returns
    -------
    image, no_noise, no_background
        Each ``(size_px, size_px)`` in electrons.

    """
    lag = scan.lag_transfer(np.fft.rfftfreq(field.n), drawn.lag)
    planes = [_scanned(whole, field, drawn, rng), field.image(whole * lag), field.image(crystal * lag)]
    if drawn.smoothing_px > _LEAST_SMOOTHING_PX:
        planes = [gaussian_filter(plane, drawn.smoothing_px) for plane in planes]
    if drawn.hot_pixels:
        scan.add_hot_pixels(planes[0], drawn.hot_pixels, float(planes[0].max()), rng)
    return planes[0], planes[1], planes[2]


def _scanned(whole: Spectrum, field: Field, drawn: Conditions, rng: np.random.Generator) -> Floats32:
    """A scan with jitter and flicker, its electrons counted by a detector; delayed no more than the truth."""
    down, aside = scan.draw_jitter(field.size_px, drawn.line_jitter_nm / field.pixel_nm, rng)
    rows = field.margin_px + np.arange(field.size_px) + down
    lines = scan.with_flicker(
        scan.sample_lines(whole, field.n, rows, aside + scan.delay_px(drawn.lag)), drawn.flicker, rng
    )
    lines = lines[:, : field.margin_px + field.size_px]
    if not drawn.lag:
        return scan.detect(lines[:, field.margin_px :], drawn.gain_spread, drawn.read_noise, rng)
    signal = scan.with_lag(scan.detect(lines, drawn.gain_spread, drawn.read_noise, rng), drawn.lag)
    return np.ascontiguousarray(signal[:, field.margin_px :])


def nearest_squared(points_px: NDArray[np.floating], reach_px: float, size_px: int) -> Floats32:
    """Squared distance ``(size_px, size_px)`` in px^2 of each pixel from the nearest point; infinite beyond a reach.

    Parameters
    ----------
    points_px
        Points (y, x) ``(m, 2)``.
    reach_px
        Pixels farther away than this are not examined.
    size_px
        Edge of the result.

    """
    pad = int(np.ceil(reach_px)) + 1
    wide = size_px + 2 * pad
    around = np.stack(np.meshgrid(*[np.arange(-pad + 1, pad)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    around = around[(around**2).sum(axis=1) <= (reach_px + 1) ** 2]
    points = points_px[((points_px > -pad + 1) & (points_px < size_px + pad - 2)).all(axis=1)]
    squared = np.full(wide * wide, np.inf, np.float32)
    at_once = max(1, _MOST_AT_ONCE // len(around))
    for some in np.split(points, range(at_once, len(points), at_once)):
        pixel: NDArray[np.int64] = np.asarray(np.round(some), np.int64)
        apart = ((pixel - some)[:, None] + around).astype(np.float32)
        at = (pixel[:, None] + around + pad) @ np.array([wide, 1])
        # what lies beyond the padded edge wraps into the padding of the other side, which is cut off
        np.minimum.at(squared, at.ravel() % (wide * wide), (apart**2).sum(axis=-1).ravel())
    return squared.reshape(wide, wide)[pad:-pad, pad:-pad]
