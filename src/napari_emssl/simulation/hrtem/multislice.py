"""How fast electrons pass a specimen: scattering by atoms and the multislice algorithm.

Formulas follow E. J. Kirkland, *Advanced Computing in Electron Microscopy* (3rd ed., Springer 2020,
doi:10.1007/978-3-030-33260-0), chapters 5 and 6; scattering factors are those of P. A. Doyle and P. S. Turner, Acta
Cryst. A24 (1968) 390 (doi:10.1107/S0567739468000756). Lengths are in nm, spatial frequencies in 1/nm, angles in rad,
potentials in V.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ...data.arrays import Floats32

Element = Literal["Au", "C"]
Wave = NDArray[np.complex64]

_DOYLE_TURNER: dict[Element, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "Au": ((2.388, 4.226, 2.689, 1.255), (42.866, 9.743, 2.264, 0.307)),
    "C": ((0.731, 1.195, 0.456, 0.125), (36.995, 11.297, 2.814, 0.346)),
}
"""The a_i in Angstrom and the b_i in Angstrom^2 of Doyle and Turner's four Gaussians."""
_DEBYE_WALLER: dict[Element, float] = {"Au": 0.62, "C": 1.0}
"""B at room temperature in Angstrom^2; that of carbon is assumed."""
_POTENTIAL_CONSTANT = 47.878
"""h^2 / (2 pi m e) in V Angstrom^2."""
_REST_ENERGY_KEV = 510.99895
_HC_KEV_NM = 1.23984198


def wavelength_nm(voltage_kv: float) -> float:
    """Relativistic wavelength of electrons, hc / sqrt(eV (2 m c^2 + eV)), in nm: 0.00197 at 300 kV."""
    return float(_HC_KEV_NM / np.sqrt(voltage_kv * (2 * _REST_ENERGY_KEV + voltage_kv)))


def interaction_constant(voltage_kv: float) -> float:
    """Phase per projected potential, 2 pi / (lambda V) (m c^2 + eV) / (2 m c^2 + eV), in rad / (V nm).

    6.53e-3 at 300 kV (Kirkland, chapter 5).
    """
    ratio = (_REST_ENERGY_KEV + voltage_kv) / (2 * _REST_ENERGY_KEV + voltage_kv)
    return float(2 * np.pi / (wavelength_nm(voltage_kv) * voltage_kv * 1e3) * ratio)


def scattering_factor(element: Element, frequency: NDArray[np.floating]) -> NDArray[np.float64]:
    """Electron scattering factor of an atom at rest, in nm, at spatial frequencies in 1/nm.

    f(s) = sum_i a_i exp(-b_i s^2) with s = k / 2 (Doyle and Turner 1968; valid to s = 20 / nm).
    """
    s_squared = (np.asarray(frequency, np.float64) / 20) ** 2  # 1/nm -> 1/Angstrom, and s = k / 2
    a, b = _DOYLE_TURNER[element]
    terms = [a_i * np.exp(-b_i * s_squared) for a_i, b_i in zip(a, b, strict=True)]
    return np.asarray(0.1 * np.sum(terms, axis=0))


def atom_potential(element: Element, frequency: NDArray[np.floating]) -> NDArray[np.float64]:
    """Fourier transform of the projected potential of one vibrating atom, in V nm^3.

    (h^2 / 2 pi m e) f(k) exp(-B k^2 / 4), with 47.878 V Angstrom^2 for the constant (Kirkland, chapter 5) and the
    Debye-Waller factor of room temperature (B = 0.0062 nm^2 for gold, 0.01 nm^2 assumed for carbon).
    """
    vibration = np.exp(-_DEBYE_WALLER[element] * (np.asarray(frequency, np.float64) / 20) ** 2)
    return 1e-2 * _POTENTIAL_CONSTANT * scattering_factor(element, frequency) * vibration


def hard_sphere_structure_factor(
    frequency: NDArray[np.floating], density: float, distance_nm: float
) -> NDArray[np.float64]:
    """Structure factor S(k) of atoms that keep a distance, Percus and Yevick, Phys. Rev. 110 (1958) 1.

    In the closed form of N. W. Ashcroft and J. Lekner, Phys. Rev. 145 (1966) 83 (doi:10.1103/PhysRev.145.83). Atoms
    placed without regard to each other (S = 1) show too much contrast over long distances: two carbon atoms are never
    0.05 nm apart.

    Parameters
    ----------
    frequency
        Spatial frequencies in 1/nm, any shape, at least 0.
    density
        Atoms per nm^3.
    distance_nm
        Least distance of two atoms.

    Returns
    -------
    numpy.ndarray
        S(k), of the shape of `frequency`: small at low frequencies, about 1 at high ones.
    """
    eta = np.pi / 6 * density * distance_nm**3
    alpha = (1 + 2 * eta) ** 2 / (1 - eta) ** 4
    beta = -6 * eta * (1 + eta / 2) ** 2 / (1 - eta) ** 4
    gamma = eta * alpha / 2
    x = np.maximum(2 * np.pi * np.asarray(frequency, np.float64) * distance_nm, 0.05)
    # x is kept from 0, where the differences below are far smaller than their terms and would be lost in rounding
    sin, cos = np.sin(x), np.cos(x)
    term = alpha * (sin - x * cos) / x**2 + beta * (2 * x * sin + (2 - x**2) * cos - 2) / x**3
    term += gamma * (-(x**4) * cos + 4 * ((3 * x**2 - 6) * cos + (x**3 - 6 * x) * sin + 6)) / x**5
    return np.asarray(1 / (1 + 24 * eta * term / x))


@dataclass(frozen=True)
class SamplingGrid:
    """A periodic square field that is sampled ``n x n``; index i lies at ``i * step_nm``."""

    n: int
    extent_nm: float

    @property
    def step_nm(self) -> float:
        """Distance of two samples."""
        return self.extent_nm / self.n

    @cached_property
    def frequencies(self) -> tuple[Floats32, Floats32]:
        """Spatial frequencies along y, shape ``(n, 1)``, and along x, shape ``(1, n)``, in 1/nm."""
        k = np.fft.fftfreq(self.n, self.step_nm).astype(np.float32)
        return k[:, None], k[None, :]

    @cached_property
    def k_squared(self) -> Floats32:
        """Squared spatial frequencies ``(n, n)``, in 1/nm^2."""
        k_y, k_x = self.frequencies
        return np.asarray(k_y**2 + k_x**2)

    @property
    def k_passed(self) -> float:
        """Frequency up to which waves are kept, two thirds of the highest one, in 1/nm."""
        return self.n / self.extent_nm / 3

    @cached_property
    def passed(self) -> NDArray[np.bool_]:
        """Where the frequency is at most `k_passed`, ``(n, n)``: no product of two waves is aliased there."""
        return np.asarray(self.k_squared <= self.k_passed**2)

    def radial(self, values: NDArray[np.floating], k: NDArray[np.floating]) -> Floats32:
        """Spread a curve over the half plane of a real transform.

        `values` ``(m,)`` at the ascending frequencies `k` ``(m,)`` become ``(n, n // 2 + 1)`` float32.
        """
        return np.asarray(np.interp(np.sqrt(self.k_squared[:, : self.n // 2 + 1]), k, values), np.float32)


def deposit(points: NDArray[np.floating], grid: SamplingGrid) -> Floats32:
    """Share point charges ``(m, 2)``, as y and x in nm, bilinearly among the four samples around each.

    Returns ``(n, n)`` float32 with the sum `m`; points outside the field come in again on the other side, since the
    grid is periodic.
    """
    scaled = np.asarray(points, np.float32) / np.float32(grid.step_nm)
    low = np.floor(scaled)
    part = scaled - low
    index = low.astype(np.intp) % grid.n
    after = (index + 1) % grid.n
    total = np.zeros(grid.n * grid.n, np.float64)
    for row, weight_y in ((index[:, 0], 1 - part[:, 0]), (after[:, 0], part[:, 0])):
        for column, weight_x in ((index[:, 1], 1 - part[:, 1]), (after[:, 1], part[:, 1])):
            total += np.bincount(row * grid.n + column, weight_y * weight_x, grid.n * grid.n)
    return total.reshape(grid.n, grid.n).astype(np.float32)


@dataclass(frozen=True)
class Species:
    """The atoms of one element, as one slice after another sees them."""

    potential: Floats32
    """Transform of the projected potential per atom, in V nm, on the half plane ``(n, n // 2 + 1)``."""
    absorption: float
    """Imaginary part of the potential as a share of the real one."""

    @classmethod
    def make(
        cls,
        element: Element,
        grid: SamplingGrid,
        absorption: float,
        *,
        shared: bool = True,
        order: NDArray[np.floating] | None = None,
    ) -> "Species":
        """Tabulate an element on a grid.

        Parameters
        ----------
        element
            Au or C.
        grid
            The simulated field.
        absorption
            Imaginary part of the potential as a share of the real one.
        shared
            Whether atoms are shared among samples by `deposit`, whose blur is undone then, or sit on samples.
        order
            Structure factor at ``sampling(grid)`` by which the spectrum of randomly placed atoms is weighted.

        """
        k = sampling(grid)
        # an atom is a single sample of value 1, a peak whose integral is the area of that sample
        curve = atom_potential(element, k) / grid.step_nm**2
        if order is not None:
            curve = curve * np.append(1, np.sqrt(order[1:]))  # the mean stays
        half = grid.radial(np.where(k <= grid.k_passed, curve, 0), k)
        if shared:
            # sharing an atom bilinearly convolves it with a triangle along each axis: sinc^2 in the transform
            k_y, k_x = grid.frequencies
            half /= (np.sinc(k_y * grid.step_nm) * np.sinc(k_x * grid.step_nm)[:, : grid.n // 2 + 1]) ** 2
        return cls(half, absorption)


def sampling(grid: SamplingGrid) -> NDArray[np.float64]:
    """Return frequencies in 1/nm, dense enough to tabulate what depends on the length of the frequency alone."""
    return np.linspace(0, 0.75 * grid.n / grid.extent_nm, 4096)


@dataclass(frozen=True)
class Slice:
    """Atoms that scatter as if in one plane, and the way to the next plane."""

    atoms: Floats32
    """How many there are at each sample, ``(n, n)``; see `deposit`."""
    species: Species
    thickness_nm: float


def transmission(part: Slice, grid: SamplingGrid, sigma: float) -> Wave:
    """Transmission function exp(i sigma V - sigma V') of a slice (Kirkland, chapter 6).

    V is the projected potential of the slice's atoms, V' its absorptive part, a share of V.

    Parameters
    ----------
    part
        The slice.
    grid
        The simulated field.
    sigma
        Interaction constant in rad / (V nm), see `interaction_constant`.

    Returns
    -------
    numpy.ndarray
        ``(n, n)`` complex64, by which the wave in front of the slice is multiplied.
    """
    spectrum = scipy.fft.rfft2(part.atoms) * part.species.potential
    phase = np.float32(sigma) * scipy.fft.irfft2(spectrum, s=(grid.n, grid.n))
    result = np.empty((grid.n, grid.n), np.complex64)
    # exp(i phase) into both halves in place: no complex temporary of the size of the wave
    np.cos(phase, out=result.real)
    np.sin(phase, out=result.imag)
    if part.species.absorption:
        result *= np.exp(-part.species.absorption * phase)
    return result


def propagator(grid: SamplingGrid, voltage_kv: float, distance_nm: float) -> Wave:
    """Fresnel propagator exp(-i pi lambda dz k^2) (Kirkland, chapter 6), zero above 2/3 of the highest frequency.

    Parameters
    ----------
    grid
        The simulated field.
    voltage_kv
        Accelerating voltage.
    distance_nm
        Way to the next slice, dz.

    Returns
    -------
    numpy.ndarray
        ``(n, n)`` complex64, by which the transform of the wave is multiplied.
    """
    along_y, along_x = (np.exp(-1j * np.pi * wavelength_nm(voltage_kv) * distance_nm * k**2) for k in grid.frequencies)
    return np.asarray(along_y * along_x * grid.passed, np.complex64)


def exit_wave(slices: Iterable[Slice], grid: SamplingGrid, voltage_kv: float) -> Wave:
    """Send a plane wave of intensity 1 through the slices, first slice first.

    Parameters
    ----------
    slices
        The specimen from the side of the source to the side of the lens.
    grid
        The simulated field.
    voltage_kv
        Accelerating voltage.

    Returns
    -------
    numpy.ndarray
        Transform ``(n, n)`` of the wave behind the last slice, complex64, its lowest frequency at ``[0, 0]``.

    """
    sigma = interaction_constant(voltage_kv)
    steps: dict[float, Wave] = {}  # slices of one thickness share a propagator
    spectrum = np.zeros((grid.n, grid.n), np.complex64)
    spectrum[0, 0] = grid.n**2  # the transform of a wave that is 1 everywhere
    for part in slices:
        wave = scipy.fft.ifft2(spectrum)
        wave *= transmission(part, grid, sigma)
        if part.thickness_nm not in steps:
            steps[part.thickness_nm] = propagator(grid, voltage_kv, part.thickness_nm)
        spectrum = scipy.fft.fft2(wave, overwrite_x=True) * steps[part.thickness_nm]
    return spectrum
