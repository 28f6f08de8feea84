"""The probe of a scanning microscope, as the incoherent image knows it: a transfer function.

An annular dark-field image is the specimen's scattering power convolved with the probe's intensity, since electrons
scattered to high angles from different atoms do not interfere (S. J. Pennycook, D. E. Jesson, *Ultramicroscopy* 37
(1991) 14). The probe is a sum of Gaussians, so its transform has a closed form. Lengths are in nm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats32

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
_TAIL_WIDTHS = ((2.5, 0.7), (5.0, 0.3))
"""Widths of the tails in those of the core, and their shares: they fall off slower than a Gaussian."""
_FOCI = 5


@dataclass(frozen=True)
class Probe:
    """Intensity of a focused beam; its current is 1."""

    fwhm_nm: float
    """Full width at half maximum of the core in focus: diffraction limit and size of the source together."""
    ellipticity: float = 0.0
    """The core is this much longer, as a share of its mean width, along its long axis than across."""
    angle: float = 0.0
    """Direction of the long axis in rad, from x towards y."""
    tails: float = 0.0
    """Share of the current in the tails."""
    defocus_nm: float = 0.0
    focal_spread_nm: float = 0.0
    """Standard deviation of the focus."""
    convergence_mrad: float = 0.0
    """Half angle of the cone."""

    @property
    def parts(self) -> list[tuple[float, float]]:
        """Shares of the round Gaussians that widen the core, and their variances per axis in nm^2.

        A cone of half angle alpha is a disc of radius alpha df at the distance df from its focus, whose variance per
        axis is (alpha df)^2 / 4. Foci are averaged by Gauss-Hermite quadrature.
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(_FOCI if self.focal_spread_nm else 1)
        foci = self.defocus_nm + nodes * self.focal_spread_nm
        spread = (self.convergence_mrad * 1e-3 * foci) ** 2 / 4
        core = (self.fwhm_nm / FWHM_PER_SIGMA) ** 2
        shares = (1 - self.tails) * weights / weights.sum()
        tails = [(self.tails * share, core * (width**2 - 1)) for width, share in _TAIL_WIDTHS if self.tails]
        return [(float(a), float(b)) for a, b in zip(shares, spread, strict=True)] + tails

    def transfer(self, k_y: NDArray[np.floating], k_x: NDArray[np.floating]) -> Floats32:
        """Return the transform of the intensity, 1 at 0, at frequencies in 1/nm that broadcast against each other."""
        k_squared = k_y**2 + k_x**2
        widen = sum(
            share * np.exp(np.float32(-2 * np.pi**2 * variance) * k_squared) for share, variance in self._merged()
        )
        return np.asarray(widen * gaussian(k_y, k_x, self.fwhm_nm, self.ellipticity, self.angle), np.float32)

    def _merged(self) -> list[tuple[float, float]]:
        """Parts of the same width added up, since each costs an exponential over the whole grid."""
        merged: dict[float, float] = {}
        for share, variance in self.parts:
            merged[variance] = merged.get(variance, 0.0) + share
        return [(share, variance) for variance, share in merged.items()]

    @property
    def reach_nm(self) -> float:
        """Distance beyond which next to nothing of the current is found."""
        widest = max(variance for share, variance in self.parts if share > 1e-3)
        return 3.0 * float(np.sqrt(widest + (self.fwhm_nm * (1 + self.ellipticity) / FWHM_PER_SIGMA) ** 2))


def gaussian(
    k_y: NDArray[np.floating], k_x: NDArray[np.floating], fwhm: float, ellipticity: float = 0.0, angle: float = 0.0
) -> Floats32:
    """Transform of a Gaussian, 1 at frequency 0.

    Parameters
    ----------
    k_y, k_x
        Spatial frequencies; they broadcast against each other.
    fwhm
        Full width at half maximum, in the unit whose inverse the frequencies have.
    ellipticity
        How much longer than wide it is, as a share of the mean width.
    angle
        Direction of its long axis in rad, from x towards y.

    Returns
    -------
    numpy.ndarray
        float32, of the shape that `k_y` and `k_x` have together.
    """
    sigma = fwhm / FWHM_PER_SIGMA
    long, short = (sigma * (1 + ellipticity / 2)) ** 2, (sigma * (1 - ellipticity / 2)) ** 2
    cos, sin = np.cos(angle), np.sin(angle)
    xx, yy = long * cos**2 + short * sin**2, long * sin**2 + short * cos**2
    exponent = np.float32(xx) * k_x**2 + np.float32(yy) * k_y**2
    if ellipticity:
        exponent = exponent + np.float32(2 * (long - short) * cos * sin) * k_x * k_y
    return np.asarray(np.exp(np.float32(-2 * np.pi**2) * exponent), np.float32)
