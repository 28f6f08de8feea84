"""What lens and camera make of the wave behind the specimen.

Aberrations, aperture and partial coherence after E. J. Kirkland, *Advanced Computing in Electron Microscopy* (3rd ed.,
Springer 2020, doi:10.1007/978-3-030-33260-0), chapters 2, 3 and 5. Underfocus counts positive. Lengths are in nm,
spatial frequencies in 1/nm.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...data.arrays import Floats32
from .multislice import SamplingGrid, Wave, wavelength_nm

_FOCI = 5
"""Points of the Gauss-Hermite quadrature over the focal spread."""


@dataclass(frozen=True)
class Lens:
    """An objective lens at work."""

    voltage_kv: float
    defocus_nm: float
    """Positive is underfocus."""
    cs_mm: float = 0.0
    astigmatism_nm: float = 0.0
    """Half the difference of the defocus between the two axes of twofold astigmatism."""
    astigmatism_angle: float = 0.0
    aperture_mrad: float | None = None
    """Half angle of the objective aperture; None is no aperture."""
    focal_spread_nm: float = 0.0
    """Standard deviation of the defocus: temporal coherence."""
    convergence_mrad: float = 0.0
    """Half angle (1/e) of the illumination: spatial coherence."""

    @property
    def wavelength_nm(self) -> float:
        """Wavelength of the electrons."""
        return wavelength_nm(self.voltage_kv)


def scherzer_defocus_nm(voltage_kv: float, cs_mm: float) -> float:
    """Defocus 1.2 sqrt(Cs lambda) in nm, positive as underfocus.

    O. Scherzer, J. Appl. Phys. 20 (1949) 20 (doi:10.1063/1.1698233).
    """
    return float(1.2 * np.sqrt(cs_mm * 1e6 * wavelength_nm(voltage_kv)))


def aberration(
    lens: Lens, k_y: NDArray[np.floating], k_x: NDArray[np.floating], defocus_nm: float | None = None
) -> NDArray[np.floating]:
    """Phase chi = pi lambda k^2 (Cs lambda^2 k^2 / 2 - df + A cos 2(phi - phi_A)) in rad (Kirkland, chapter 2).

    Parameters
    ----------
    lens
        The lens.
    k_y, k_x
        Spatial frequencies in 1/nm; they broadcast against each other.
    defocus_nm
        Takes the place of the lens's defocus.

    Returns
    -------
    numpy.ndarray
        chi, of the shape that `k_y` and `k_x` have together.
    """
    focus = lens.defocus_nm if defocus_nm is None else defocus_nm
    wavelength = lens.wavelength_nm
    k_squared = k_y**2 + k_x**2
    chi = np.pi * wavelength * k_squared * (0.5 * lens.cs_mm * 1e6 * wavelength**2 * k_squared - focus)
    if lens.astigmatism_nm:
        cos, sin = np.cos(2 * lens.astigmatism_angle), np.sin(2 * lens.astigmatism_angle)
        chi += np.pi * wavelength * lens.astigmatism_nm * ((k_x**2 - k_y**2) * cos + 2 * k_x * k_y * sin)
    return np.asarray(chi)


def contrast_zeros(lens: Lens, k_max: float) -> NDArray[np.float64]:
    """Frequencies in 1/nm, 0 left out, up to `k_max`, at which no phase contrast is transferred (sin chi = 0)."""
    k = np.linspace(0, k_max, 100_001)[1:]
    turns = np.floor(aberration(lens, np.zeros(1), k) / np.pi)
    return np.asarray(k[1:][np.diff(turns) != 0])


def spatial_envelope(lens: Lens, k_squared: NDArray[np.floating]) -> NDArray[np.floating]:
    """Damping exp(-(pi alpha / lambda)^2 (Cs lambda^3 k^3 - df lambda k)^2) by the finite source (Kirkland, chapter 3).

    `k_squared` is in 1/nm^2; the result has its shape and lies between 0 and 1.
    """
    wavelength = lens.wavelength_nm
    slope = lens.cs_mm * 1e6 * wavelength**3 * k_squared - lens.defocus_nm * wavelength
    return np.asarray(np.exp(-((np.pi * lens.convergence_mrad * 1e-3 / wavelength * slope) ** 2) * k_squared))


def image_intensity(spectrum: Wave, grid: SamplingGrid, lens: Lens) -> Floats32:
    """Intensity in the image plane, ``(n, n)`` float32; 1 where no specimen is.

    The finite source damps the wave by its envelope. The focal spread is an incoherent sum over foci, by Gauss-Hermite
    quadrature, which damps the linear contrast by exp(-(pi lambda delta k^2)^2 / 2) but, unlike that envelope, takes
    no electrons away.

    Parameters
    ----------
    spectrum
        Transform ``(n, n)`` of the wave behind the specimen, as `exit_wave` returns it.
    grid
        The simulated field.
    lens
        The lens.

    """
    k_max = np.inf if lens.aperture_mrad is None else lens.aperture_mrad * 1e-3 / lens.wavelength_nm
    passed = grid.passed & (grid.k_squared <= k_max**2)
    # the functions below are evaluated only at frequencies that the aperture lets through
    k_squared = grid.k_squared[passed]
    k_y, k_x = (np.broadcast_to(k, passed.shape)[passed] for k in grid.frequencies)
    beams = spectrum[passed] * spatial_envelope(lens, k_squared)
    wave, intensity = np.empty(passed.shape, np.complex64), np.zeros(passed.shape, np.float32)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_FOCI if lens.focal_spread_nm else 1)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        chi = aberration(lens, k_y, k_x, lens.defocus_nm + float(node) * lens.focal_spread_nm)
        wave.fill(0)
        wave[passed] = beams * np.exp(-1j * chi)
        focused = scipy.fft.ifft2(wave)
        intensity += np.float32(weight) * (focused.real**2 + focused.imag**2)
    return intensity


def resample(image: NDArray[np.floating], size: int) -> Floats32:
    """Resample a periodic square image ``(n, n)`` to ``(size, size)`` by Fourier interpolation; the mean stays."""
    n = image.shape[0]
    # Nyquist's row and column stay 0: what stands there is two frequencies of opposite sign in one
    half = min(n, size) // 2
    spectrum = scipy.fft.rfft2(image)
    result = np.zeros((size, size // 2 + 1), spectrum.dtype)
    result[:half, :half] = spectrum[:half, :half]
    result[-half + 1 :, :half] = spectrum[-half + 1 :, :half]
    return np.asarray(scipy.fft.irfft2(result, s=(size, size)) * (size / n) ** 2, np.float32)


def camera_transfer(size: int, half_frequency: float) -> Floats32:
    """Modulation transfer ``(size, size // 2 + 1)`` of a camera: 1 / (1 + (u / u_half)^2).

    A scintillator's light spreads with about Lorentzian transfer.

    Parameters
    ----------
    size
        Edge of the image in pixels.
    half_frequency
        Frequency in cycles per pixel where the transfer is one half (0.5 is Nyquist's); 0 is a perfect camera.

    """
    if half_frequency == 0:
        return np.ones((size, size // 2 + 1), np.float32)
    u_squared = np.fft.fftfreq(size)[:, None] ** 2 + np.fft.rfftfreq(size)[None, :] ** 2
    return (1 / (1 + u_squared / half_frequency**2)).astype(np.float32)


def blur(image: NDArray[np.floating], transfer: Floats32) -> Floats32:
    """Apply a camera's `transfer` ``(n, n // 2 + 1)`` to a square image ``(n, n)``; the mean stays."""
    return np.asarray(scipy.fft.irfft2(scipy.fft.rfft2(image) * transfer, s=image.shape), np.float32)


def record(
    electrons: Floats32, half_frequency: float, read_noise: float, rng: np.random.Generator
) -> tuple[Floats32, Floats32]:
    """Record an image: Poisson noise, spread in the camera, read-out noise.

    Electrons arrive one by one before their light spreads, so the shot noise is blurred as the signal is.

    Parameters
    ----------
    electrons
        Expected electrons per pixel ``(h, h)``.
    half_frequency
        See `camera_transfer`.
    read_noise
        Standard deviation of the read-out noise in electrons per pixel.
    rng
        Source of the noise.

    Returns
    -------
    image, clean
        The recorded image and its expectation, each ``(h, h)`` float32 in electrons per pixel.

    """
    transfer = camera_transfer(electrons.shape[0], half_frequency)
    shot = rng.poisson(np.maximum(electrons, 0)).astype(np.float32)
    noise = rng.normal(0, read_noise, electrons.shape).astype(np.float32) if read_noise else np.float32(0)
    return blur(shot, transfer) + noise, blur(electrons, transfer)
