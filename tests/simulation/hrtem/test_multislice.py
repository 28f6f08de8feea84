"""Atoms scatter electrons as theory says, and slices add up."""

import numpy as np
import pytest
from hrtem_slices import carbon_slices, gold_slab, gold_slices, rng

from napari_emssl.simulation.hrtem import multislice, nanoparticles, optics
from napari_emssl.simulation.hrtem.multislice import SamplingGrid, Slice, Species


@pytest.mark.parametrize(
    ("kv", "picometres", "sigma"), [(100, 3.7014, 9.244e-3), (200, 2.5079, 7.288e-3), (300, 1.9687, 6.526e-3)]
)
def test_electrons_have_the_tabulated_wavelength_and_interaction(kv: float, picometres: float, sigma: float) -> None:
    assert multislice.wavelength_nm(kv) * 1e3 == pytest.approx(picometres, rel=1e-4)
    assert multislice.interaction_constant(kv) == pytest.approx(sigma, rel=1e-3)


@pytest.mark.parametrize(("s_per_angstrom", "x_ray_factor"), [(0.2, 3.560), (0.5, 1.686)])
def test_carbon_scatters_electrons_as_mott_and_bethe_say(s_per_angstrom: float, x_ray_factor: float) -> None:
    expected_angstrom = 0.023934 * (6 - x_ray_factor) / s_per_angstrom**2
    factor = multislice.scattering_factor("C", np.array(20 * s_per_angstrom))
    assert 10 * factor == pytest.approx(expected_angstrom, rel=0.02)


def test_gold_has_its_mean_inner_potential() -> None:
    volts = multislice.atom_potential("Au", np.zeros(1))[0] * 4 / nanoparticles.LATTICE_NM**3
    assert volts == pytest.approx(29.8, abs=0.2)  # 47.878 V A^2 * 10.558 A / 16.96 A^3


def test_the_potential_of_a_slice_adds_up_to_that_of_its_atoms() -> None:
    grid = SamplingGrid(128, 4.0)
    atoms = rng().random((50, 2)) * 4
    species = Species.make("C", grid, 0.0)
    part = Slice(multislice.deposit(atoms, grid), species, 1.0)
    phase = np.angle(multislice.transmission(part, grid, sigma=1e-4)) / 1e-4
    total = phase.sum() * grid.step_nm**2
    assert total == pytest.approx(50 * multislice.atom_potential("C", np.zeros(1))[0], rel=1e-3)


def test_atoms_between_samples_are_shared_and_none_is_lost() -> None:
    grid = SamplingGrid(8, 8.0)
    counts = multislice.deposit(np.array([(2.25, 3.5), (7.5, 0.0)]), grid)
    assert counts[2, 3] == counts[2, 4] == pytest.approx(0.375)
    assert counts[3, 3] == pytest.approx(0.125)
    assert counts[7, 0] == counts[0, 0] == pytest.approx(0.5)
    assert counts.sum() == pytest.approx(2)


def test_hard_spheres_have_percus_and_yevicks_compressibility() -> None:
    eta = np.pi / 6 * 100 * 0.14**3
    order = multislice.hard_sphere_structure_factor(np.array([0.0, 200.0]), 100, 0.14)
    assert order[0] == pytest.approx((1 - eta) ** 4 / (1 + 2 * eta) ** 2, rel=1e-3)
    assert order[1] == pytest.approx(1, abs=0.01)


def test_no_electron_is_lost_without_absorption_and_aperture() -> None:
    grid = SamplingGrid(360, 6.0)  # only what gold scatters beyond 20 per nm leaves the grid
    for slices, loss in ((carbon_slices(grid), 1e-3), (gold_slices(gold_slab((1, 1, 0), 1.5, grid), grid, 0.0), 1e-2)):
        wave = multislice.exit_wave(slices, grid, 300)
        image = optics.image_intensity(wave, grid, optics.Lens(300, 60, cs_mm=1.2, focal_spread_nm=4))
        assert image.std() > 0.01
        assert image.mean() == pytest.approx(1, abs=loss)


def test_absorption_and_aperture_darken_gold() -> None:
    grid = SamplingGrid(200, 6.0)
    atoms = gold_slab((1, 1, 0), 1.5, grid)
    open_lens, stopped = optics.Lens(300, 60), optics.Lens(300, 60, aperture_mrad=8)
    wave = multislice.exit_wave(gold_slices(atoms, grid, 0.0), grid, 300)
    absorbed = multislice.exit_wave(gold_slices(atoms, grid, 0.05), grid, 300)
    bright = optics.image_intensity(wave, grid, open_lens).mean()
    assert optics.image_intensity(wave, grid, stopped).mean() < bright - 0.01
    assert optics.image_intensity(absorbed, grid, open_lens).mean() < bright - 0.005


def test_particles_are_darker_near_a_zone_axis() -> None:
    grid = SamplingGrid(200, 8.0)
    lens = optics.Lens(300, 60, cs_mm=1.2, aperture_mrad=8)
    aligned = gold_slab((1, 1, 0), 2.0, grid)
    middle = aligned.mean(axis=0)
    tilted = nanoparticles.Rotation.from_rotvec([0.1, 0.25, 0.17]).apply(aligned - middle) + middle
    means = [
        optics.image_intensity(multislice.exit_wave(gold_slices(a, grid, 0.05), grid, 300), grid, lens).mean()
        for a in (aligned, tilted)
    ]
    assert means[0] < means[1]
