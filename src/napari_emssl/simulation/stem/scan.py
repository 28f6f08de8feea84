"""How a scanned image is recorded: the beam's path, its electrons, the detector.

Sources: L. Jones, P. D. Nellist, *Microsc. Microanal.* 19 (2013) 1050 (scan noise, flyback;
doi:10.1017/S1431927613001402); X. Sang, J. M. LeBeau, *Ultramicroscopy* 138 (2014) 28 (drift); I. Lobato, T. Friedrich,
S. Van Aert, *npj Comput. Mater.* 10 (2024) 10 (noise and distortions of scanned images, for learning;
doi:10.1038/s41524-023-01188-0).
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...data.arrays import Floats, Floats32

_SETTLING_SHARE = 0.06
"""Share of a line after which the displacement by the flyback has fallen to 1/e."""
_STEADINESS = 0.6
"""How much of its noise one line passes on to the next."""
_JITTER_DOWN = 0.4
"""Jitter along y in that along x."""
_WARM_UP = 20
"""Lines drawn before the first one: the memory of the noise begins empty."""


@dataclass(frozen=True)
class ScanPath:
    """Where the beam really is, slowly varying: the pixel at (y, x) shows what lies at (y, x) plus a displacement."""

    field_nm: float
    drift_nm: tuple[float, float] = (0.0, 0.0)
    """Displacement (y, x) of the last line against the first."""
    flyback_nm: float = 0.0
    """Displacement along x at the start of each line, that fades with 0.06 of its length."""

    def displacement(self, points: Floats) -> Floats:
        """Displacements (y, x) of image points ``(n, 2)`` in nm."""
        later = points[:, :1] / self.field_nm
        moved: Floats = later * np.array([self.drift_nm])
        settling = np.exp(-np.maximum(points[:, 1], 0) / (_SETTLING_SHARE * self.field_nm))
        moved[:, 1] += self.flyback_nm * settling
        return moved

    def image_of(self, places: Floats) -> Floats:
        """Where places ``(n, 2)`` of the specimen are seen, in nm from the first pixel."""
        seen = places - self.displacement(places)
        for _ in range(6):  # a fixed point: displacements vary so slowly that each step gains orders of magnitude
            seen = places - self.displacement(seen)
        return seen


def with_lag(signal: Floats32, lag: float) -> Floats32:
    """Smear lines ``(h, w)`` as by a detector that is slower than the scan.

    Each pixel keeps the share `lag`, 0 to below 1, of the one before it.
    """
    from scipy.signal import lfilter

    return np.asarray(lfilter([1 - lag], [1, -lag], signal, axis=1), np.float32)


def delay_px(lag: float) -> float:
    """By how many pixels `with_lag` moves an image to the right."""
    return lag / (1 - lag)


def lag_transfer(cycles_per_px: NDArray[np.floating], lag: float) -> NDArray[np.complex64]:
    """Transfer function along x of `with_lag` with its delay taken back."""
    phase = 2j * np.pi * cycles_per_px
    return np.asarray((1 - lag) / (1 - lag * np.exp(-phase)) * np.exp(phase * delay_px(lag)), np.complex64)


def line_noise(lines: int, rng: np.random.Generator) -> Floats:
    """Random numbers of mean 0 and standard deviation 1, one per line; partly new, partly a fading memory."""
    from scipy.signal import lfilter

    fresh, old = rng.standard_normal((2, lines + _WARM_UP))
    memory = lfilter([np.sqrt(1 - _STEADINESS**2)], [1, -_STEADINESS], old)
    return np.asarray(((fresh + memory) / np.sqrt(2))[_WARM_UP:])


def sample_lines(
    spectrum: NDArray[np.complex64], n: int, rows: NDArray[np.floating], shift_px: NDArray[np.floating]
) -> Floats32:
    """Sample a periodic image along displaced lines.

    Fourier interpolation, exact for an image without frequencies above Nyquist's.

    Parameters
    ----------
    spectrum
        Transform ``(n, n // 2 + 1)`` by rfft2 of the image.
    n
        Edge of the image.
    rows
        Positions of the lines along y in pixels, ``(m,)``.
    shift_px
        How far each line is displaced along x, ``(m,)``.

    Returns
    -------
    numpy.ndarray
        Image ``(m, n)``, float32.

    """
    k_y, k_x = np.fft.fftfreq(n), np.fft.rfftfreq(n)
    # along y a matrix product, since the rows lie anywhere; along x a phase and a fast transform do
    wave = np.exp(2j * np.pi * np.outer(rows, k_y)).astype(np.complex64)
    lines = (wave @ spectrum) / n
    lines *= np.exp(2j * np.pi * np.outer(shift_px, k_x)).astype(np.complex64)
    return np.asarray(scipy.fft.irfft(lines, n=n, axis=1), np.float32)


def draw_jitter(lines: int, spread_px: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw how far each line of a scan is displaced.

    Parameters
    ----------
    lines
        Number of lines.
    spread_px
        Standard deviation of the displacement along x, in pixels; that along y is 0.4 of it.
    rng
        Source of the displacements.

    Returns
    -------
    down, aside
        Displacements along y and x in pixels, each ``(lines,)``.
    """
    along_x, along_y = line_noise(lines, rng), line_noise(lines, rng)
    return spread_px * _JITTER_DOWN * along_y, spread_px * along_x


def with_flicker(electrons: Floats32, spread: float, rng: np.random.Generator) -> Floats32:
    """Let the beam current vary from line to line.

    Parameters
    ----------
    electrons
        Expected electrons ``(h, w)``.
    spread
        Standard deviation of the factor of mean 1 by which lines are multiplied; it is at least 0.1.
    rng
        Source of the factors.
    """
    current = np.maximum(1 + spread * line_noise(electrons.shape[0], rng), 0.1)
    return electrons * current.astype(np.float32)[:, None]


def detect(electrons: Floats32, gain_spread: float, read_noise: float, rng: np.random.Generator) -> Floats32:
    """Count electrons: Poisson noise, the detector's uneven answer to each, and its own noise.

    Parameters
    ----------
    electrons
        Expected electrons in each pixel ``(h, w)``.
    gain_spread
        Standard deviation of the signal of one electron in units of its mean: the sum over n electrons is drawn from a
        gamma distribution of mean n and variance n gain_spread^2.
    read_noise
        Standard deviation of the noise added to each pixel, in electrons.
    rng
        Source of the noise.

    Returns
    -------
    numpy.ndarray
        Signal ``(h, w)``, float32, whose mean is `electrons`.

    """
    signal = rng.poisson(np.maximum(electrons, 0)).astype(np.float32)
    if gain_spread:
        signal = rng.standard_gamma(signal / gain_spread**2, dtype=np.float32) * np.float32(gain_spread**2)
    if read_noise:
        signal += np.float32(read_noise) * rng.standard_normal(electrons.shape, np.float32)
    return signal


def add_hot_pixels(signal: Floats32, share: float, white: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Make some pixels hot, in place.

    Parameters
    ----------
    signal
        Image ``(h, w)``, float32; it is changed.
    share
        Probability of a pixel to be hot, 0 to 1.
    white
        A bright value of the image: 0.5 to 1.5 of it is added to a hot pixel.
    rng
        Source of places and values.

    Returns
    -------
    numpy.ndarray
        Mask ``(h, w)`` of the hot pixels.
    """
    hot = rng.random(signal.shape, np.float32) < share
    signal[hot] += white * rng.uniform(0.5, 1.5, int(hot.sum())).astype(np.float32)
    return hot
