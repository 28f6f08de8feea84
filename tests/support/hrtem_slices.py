"""Slices of gold and of carbon to send electrons through."""

import numpy as np
from numpy.typing import NDArray

from napari_emssl.simulation.hrtem import multislice, nanoparticles
from napari_emssl.simulation.hrtem.multislice import SamplingGrid, Slice, Species


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def gold_slab(axis: tuple[int, int, int], radius_nm: float, grid: SamplingGrid) -> NDArray[np.float64]:
    """A ball of gold with a zone axis along the beam, in the middle of the field."""
    sites = nanoparticles.along_beam(axis, 0.0, rng()).apply(nanoparticles.lattice_ball(radius_nm, np.zeros(3)))
    return np.asarray(sites + np.array([radius_nm, grid.extent_nm / 2, grid.extent_nm / 2]))


def gold_slices(atoms: NDArray[np.float64], grid: SamplingGrid, absorption: float) -> list[Slice]:
    species = Species.make("Au", grid, absorption)
    level = np.floor(atoms[:, 0]).astype(int)
    return [Slice(multislice.deposit(atoms[level == at, 1:], grid), species, 1.0) for at in range(level.max(), -1, -1)]


def carbon_slices(grid: SamplingGrid, count: int = 2, absorption: float = 0.0) -> list[Slice]:
    species = Species.make("C", grid, absorption)
    places = rng(1).random((count, round(100 * grid.extent_nm**2), 2)) * grid.extent_nm
    return [Slice(multislice.deposit(p, grid), species, 1.0) for p in places]
