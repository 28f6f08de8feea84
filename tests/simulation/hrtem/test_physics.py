"""Scattering, lens and camera of the HRTEM simulation against theory."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from napari_emssl.simulation.hrtem import multislice, nanoparticles, optics
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


# --- scattering


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


# --- lattice and lens


def strongest_spacing(image: NDArray[np.float32], step_nm: float, shortest_nm: float) -> float:
    """Period of the strongest wave in an image above 0.5 nm^-1 ... 1/shortest."""
    spectrum = np.abs(np.fft.fft2((image - image.mean()) * np.hanning(len(image))[:, None] * np.hanning(len(image))))
    k = np.hypot(np.fft.fftfreq(len(image), step_nm)[:, None], np.fft.fftfreq(len(image), step_nm))
    spectrum[(k < 2) | (k > 1 / shortest_nm)] = 0
    return float(1 / k.flat[spectrum.argmax()])


@pytest.mark.parametrize(("axis", "spacing"), [((1, 1, 0), 0.2355), ((1, 0, 0), 0.2039)])
def test_aligned_gold_shows_its_lattice_fringes(axis: tuple[int, int, int], spacing: float) -> None:
    grid = SamplingGrid(400, 16.0)
    wave = multislice.exit_wave(gold_slices(gold_slab(axis, 4.0, grid), grid, 0.05), grid, 300)
    lens = optics.Lens(300, 58, cs_mm=1.2, focal_spread_nm=3, convergence_mrad=0.1, aperture_mrad=12)
    pixels = optics.resample(optics.image_intensity(wave, grid, lens), 256)  # 0.0625 nm a pixel
    assert strongest_spacing(pixels, 16 / 256, 0.18) == pytest.approx(spacing, rel=0.02)


def ring_power(image: NDArray[np.float32], step_nm: float, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean power of an image in rings of spatial frequency."""
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    k = np.hypot(np.fft.fftfreq(len(image), step_nm)[:, None], np.fft.fftfreq(len(image), step_nm))
    ring = np.digitize(k.ravel(), edges)
    return np.bincount(ring, power.ravel(), len(edges) + 1)[1:-1] / np.bincount(ring, minlength=len(edges) + 1)[1:-1]


@pytest.mark.parametrize("defocus", [58.0, 100.0, -80.0])
def test_thon_rings_lie_where_the_lens_transfers_nothing(defocus: float) -> None:
    grid = SamplingGrid(600, 24.0)
    wave = multislice.exit_wave(carbon_slices(grid, 1), grid, 300)
    lens = optics.Lens(300, defocus, cs_mm=1.2)
    edges = np.arange(1.5, 5.6, 0.05)
    power = ring_power(optics.image_intensity(wave, grid, lens), grid.step_nm, edges)
    effective = optics.Lens(300, defocus - 1.0, cs_mm=1.2)  # the atoms lie 1 nm above the plane of the exit wave
    zeros = [k for k in optics.contrast_zeros(effective, 5.3) if k > 1.7]
    assert zeros
    for zero in zeros:
        around = np.abs(edges[:-1] + 0.025 - zero) < 0.16
        lowest = edges[:-1][around][power[around].argmin()] + 0.025
        assert lowest == pytest.approx(zero, abs=0.05)


def test_scherzer_defocus_is_the_textbooks() -> None:
    assert optics.scherzer_defocus_nm(200, 1.0) == pytest.approx(60.1, abs=0.1)


def test_focal_spread_damps_linear_contrast_as_the_envelope_says() -> None:
    grid = SamplingGrid(300, 12.0)
    wave = multislice.exit_wave(carbon_slices(grid, 1), grid, 300)
    edges = np.array([4.0, 4.4])
    sharp, spread = (
        ring_power(
            optics.image_intensity(wave, grid, optics.Lens(300, 58, 1.2, focal_spread_nm=d)), grid.step_nm, edges
        )[0]
        for d in (0.0, 8.0)
    )
    damping = np.exp(-((np.pi * multislice.wavelength_nm(300) * 8 * 4.2**2) ** 2))
    assert spread / sharp == pytest.approx(damping, rel=0.1)


def test_astigmatism_moves_the_focus_along_its_axis() -> None:
    lens = optics.Lens(300, 60, astigmatism_nm=10, astigmatism_angle=0.0)
    along_x = optics.aberration(lens, np.array(0.0), np.array(3.0))
    along_y = optics.aberration(lens, np.array(3.0), np.array(0.0))
    assert along_x == pytest.approx(optics.aberration(optics.Lens(300, 50), np.array(0.0), np.array(3.0)))
    assert along_y == pytest.approx(optics.aberration(optics.Lens(300, 70), np.array(3.0), np.array(0.0)))


# --- camera


def test_resampling_keeps_waves_in_place() -> None:
    x = np.arange(60) / 60
    fine = 1 + np.cos(2 * np.pi * 5 * x)[:, None] * np.sin(2 * np.pi * 3 * x)
    y = np.arange(44) / 44
    coarse = 1 + np.cos(2 * np.pi * 5 * y)[:, None] * np.sin(2 * np.pi * 3 * y)
    np.testing.assert_allclose(optics.resample(fine.astype(np.float32), 44), coarse, atol=1e-5)


def test_shot_noise_is_poissonian() -> None:
    electrons = np.full((256, 256), 40, np.float32)
    image, clean = optics.record(electrons, 0.0, 0.0, rng())
    assert_array_equal(clean, electrons)
    assert image.mean() == pytest.approx(40, rel=0.005)
    assert image.var() == pytest.approx(40, rel=0.03)
    blurred, _ = optics.record(electrons, 0.3, 0.0, rng())
    assert blurred.var() < 0.5 * image.var()
    noisy, _ = optics.record(electrons, 0.0, 3.0, rng())
    assert noisy.var() == pytest.approx(49, rel=0.03)


def test_camera_halves_contrast_at_its_half_frequency() -> None:
    transfer = optics.camera_transfer(100, 0.3)
    assert transfer[0, 0] == 1
    assert transfer[30, 0] == transfer[0, 30] == pytest.approx(0.5)
