"""Statistics of a size distribution: mean, median, standard deviation and a log-normal fit."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..formatting import counted, significant

_LEAST_BINS, _MOST_BINS = 8, 60


@dataclass(frozen=True)
class Summary:
    """Statistics of some diameters; NaN where there are too few."""

    unit: str
    """``nm`` or ``px``."""
    count: int
    mean: float
    median: float
    std: float
    """Sample standard deviation (n - 1)."""
    lognormal_mu: float
    """Mean of the natural logarithm of the diameter in `unit`: most likely location of a log-normal distribution."""
    lognormal_sigma: float
    """Standard deviation (n) of that logarithm: most likely width of a log-normal distribution."""

    def describe(self) -> str:
        """Return the summary in a line."""
        if not self.count:
            return "No particles."
        if self.count == 1:
            return f"1 particle; equivalent diameter {significant(self.mean)} {self.unit}."
        mean, median = significant(self.mean), significant(self.median)
        return (
            f"{counted(self.count, 'particle')}; equivalent diameter: mean {mean} {self.unit}, "
            f"median {median} {self.unit}, standard deviation {significant(self.std, 3)} {self.unit}; "
            f"log-normal mu {self.lognormal_mu:.4g}, sigma {self.lognormal_sigma:.3g}."
        )

    def density(self, diameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the density of the log-normal fit at `diameters` > 0, per `unit`; the fit needs a sigma above 0."""
        z = (np.log(diameters) - self.lognormal_mu) / self.lognormal_sigma
        scale = diameters * self.lognormal_sigma * math.sqrt(2 * math.pi)
        return np.asarray(np.exp(-0.5 * z**2) / scale)

    @property
    def fitted(self) -> bool:
        """Whether there is a log-normal fit to draw."""
        return self.count > 1 and self.lognormal_sigma > 0


def summary_of(diameters: NDArray[np.float64], unit: str) -> Summary:
    """Return the statistics of diameters > 0 ``(n,)`` in `unit`."""
    n = len(diameters)
    if n == 0:
        return Summary(unit, 0, *[math.nan] * 5)
    logarithms = np.log(diameters)
    std = float(diameters.std(ddof=1)) if n > 1 else math.nan
    sigma = float(logarithms.std()) if n > 1 else math.nan
    mean, median = float(diameters.mean()), float(np.median(diameters))
    return Summary(unit, n, mean, median, std, float(logarithms.mean()), sigma)


def histogram_of(diameters: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return counts ``(n,)`` and edges ``(n + 1,)`` of a histogram of at least one diameter.

    Bins are as wide as D. Freedman and P. Diaconis, Z. Wahrscheinlichkeitstheorie verw. Gebiete 57 (1981) 453
    (doi:10.1007/BF01025868), advise, but there are at least 8 and at most 60.
    """
    low, high = float(diameters.min()), float(diameters.max())
    if high - low < 1e-9 * high:
        low, high = 0.95 * low, 1.05 * high
    lower, upper = np.percentile(diameters, (25, 75))
    width = max(2 * float(upper - lower) / np.cbrt(len(diameters)), 0.0)
    # quartiles that differ by rounding alone would ask for more bins than there is memory
    bins = int(np.clip(np.ceil((high - low) / width) if width > 1e-9 * high else 0, _LEAST_BINS, _MOST_BINS))
    counts, edges = np.histogram(diameters, np.linspace(low, high, bins + 1))
    return counts.astype(np.float64), edges
