"""Lens and camera against theory: fringes, Thon rings, envelopes, noise."""

import numpy as np
import pytest
from hrtem_slices import carbon_slices, gold_slab, gold_slices, rng
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from napari_emssl.simulation.hrtem import multislice, optics
from napari_emssl.simulation.hrtem.multislice import SamplingGrid


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
