"""The simulation against theory, its truth against its atoms, its files against the promise."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_emssl.data import crystals, multislice, optics
from napari_emssl.data.multislice import Grid, Slice, Species
from napari_emssl.data.simulate import HRTEMSettings, sample_stack, simulate_hrtem, write_hrtem
from napari_emssl.data.specimen import Specimen, draw_diameters
from napari_emssl.errors import UserError

SMALL = HRTEMSettings(size_px=96, particles_min=1, particles_max=2, diameter_max_nm=3, carbon_nm=2)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def gold_slab(axis: tuple[int, int, int], radius_nm: float, grid: Grid) -> NDArray[np.float64]:
    """A ball of gold with a zone axis along the beam, in the middle of the field."""
    sites = crystals.along_beam(axis, 0.0, rng()).apply(crystals.lattice_ball(radius_nm, np.zeros(3)))
    return np.asarray(sites + np.array([radius_nm, grid.extent_nm / 2, grid.extent_nm / 2]))


def gold_slices(atoms: NDArray[np.float64], grid: Grid, absorption: float) -> list[Slice]:
    species = Species.make("Au", grid, absorption)
    level = np.floor(atoms[:, 0]).astype(int)
    return [Slice(multislice.deposit(atoms[level == at, 1:], grid), species, 1.0) for at in range(level.max(), -1, -1)]


def carbon_slices(grid: Grid, count: int = 2, absorption: float = 0.0) -> list[Slice]:
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


def test_gold_has_its_mean_inner_potential() -> None:
    volts = multislice.atom_potential("Au", np.zeros(1))[0] * 4 / crystals.LATTICE_NM**3
    assert volts == pytest.approx(29.8, abs=0.2)  # 47.878 V A^2 * 10.558 A / 16.96 A^3


def test_the_potential_of_a_slice_adds_up_to_that_of_its_atoms() -> None:
    grid = Grid(128, 4.0)
    atoms = rng().random((50, 2)) * 4
    species = Species.make("C", grid, 0.0)
    part = Slice(multislice.deposit(atoms, grid), species, 1.0)
    phase = np.angle(multislice.transmission(part, grid, sigma=1e-4)) / 1e-4
    total = phase.sum() * grid.step_nm**2
    assert total == pytest.approx(50 * multislice.atom_potential("C", np.zeros(1))[0], rel=1e-3)


def test_atoms_between_samples_are_shared_and_none_is_lost() -> None:
    grid = Grid(8, 8.0)
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
    grid = Grid(360, 6.0)  # only what gold scatters beyond 20 per nm leaves the grid
    for slices, loss in ((carbon_slices(grid), 1e-3), (gold_slices(gold_slab((1, 1, 0), 1.5, grid), grid, 0.0), 1e-2)):
        wave = multislice.exit_wave(slices, grid, 300)
        image = optics.image_intensity(wave, grid, optics.Lens(300, 60, cs_mm=1.2, focal_spread_nm=4))
        assert image.std() > 0.01
        assert image.mean() == pytest.approx(1, abs=loss)


def test_absorption_and_aperture_darken_gold() -> None:
    grid = Grid(200, 6.0)
    atoms = gold_slab((1, 1, 0), 1.5, grid)
    open_lens, stopped = optics.Lens(300, 60), optics.Lens(300, 60, aperture_mrad=8)
    wave = multislice.exit_wave(gold_slices(atoms, grid, 0.0), grid, 300)
    absorbed = multislice.exit_wave(gold_slices(atoms, grid, 0.05), grid, 300)
    bright = optics.image_intensity(wave, grid, open_lens).mean()
    assert optics.image_intensity(wave, grid, stopped).mean() < bright - 0.01
    assert optics.image_intensity(absorbed, grid, open_lens).mean() < bright - 0.005


def test_particles_are_darker_near_a_zone_axis() -> None:
    grid = Grid(200, 8.0)
    lens = optics.Lens(300, 60, cs_mm=1.2, aperture_mrad=8)
    aligned = gold_slab((1, 1, 0), 2.0, grid)
    middle = aligned.mean(axis=0)
    tilted = crystals.Rotation.from_rotvec([0.1, 0.25, 0.17]).apply(aligned - middle) + middle
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
    grid = Grid(400, 16.0)
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
    grid = Grid(600, 24.0)
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
    grid = Grid(300, 12.0)
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


# --- particles


@pytest.mark.parametrize("twin_share", [0.0, 1.0])
@pytest.mark.parametrize("diameter", [2.0, 5.0])
def test_particles_are_gold_of_the_asked_size(diameter: float, twin_share: float) -> None:
    for seed in range(6):
        particle = crystals.make_particle(diameter, rng(seed), twin_share=twin_share)
        assert particle.twinned == bool(twin_share)
        assert particle.diameter_nm == pytest.approx(diameter, rel=0.003)
        nearest = cKDTree(particle.atoms).query(particle.atoms, k=2)[0][:, 1]
        assert nearest.min() == pytest.approx(0.2884, abs=0.0005)  # also across the twin plane


def test_zone_axis_points_along_the_beam() -> None:
    turned = crystals.along_beam((1, 1, 2), np.deg2rad(5), rng(3)).apply(np.array([1, 1, 2]) / np.sqrt(6))
    assert np.rad2deg(np.arccos(turned[0])) == pytest.approx(5)


def test_free_orientations_favour_no_direction() -> None:
    particles = [crystals.make_particle(1.0, rng(i), zone_axis_share=0) for i in range(3)]
    assert all(p.zone_axis is None for p in particles)
    turns = crystals.Rotation.from_quat(rng().normal(size=(4000, 4))).apply([1, 0, 0])
    np.testing.assert_allclose((turns[:, :, None] * turns[:, None, :]).mean(axis=0), np.eye(3) / 3, atol=0.02)


def test_fallen_particles_touch_the_film_and_never_each_other() -> None:
    wanted = HRTEMSettings(size_px=128, particles_min=8, particles_max=8, diameter_max_nm=3, overlap=1)
    specimen = Specimen.draw(wanted, rng(2))
    assert min(g[:, 0].min() for g in specimen.gold) > 0
    assert max(g[:, 0].min() for g in specimen.gold) > 0.5  # crowded: some lie on others
    for i, one in enumerate(specimen.gold):
        others = np.concatenate([g for j, g in enumerate(specimen.gold) if j != i])
        assert cKDTree(others).query(one)[0].min() > 0.28


def test_diameters_are_drawn_in_the_range_and_fit_the_field() -> None:
    for sizes in ("uniform", "lognormal"):
        wanted = HRTEMSettings(diameter_min_nm=3, diameter_max_nm=9, sizes=sizes)
        drawn = np.concatenate([draw_diameters(wanted, rng(i)) for i in range(60)])
        assert 3 <= drawn.min() < 3.7
        assert 8 < drawn.max() <= 9
    for seed in range(20):
        crowd = draw_diameters(HRTEMSettings(size_px=256, particles_min=12), rng(seed))
        assert len(crowd) >= 12
        assert crowd.max() <= 0.45 * 256 * 0.06
        assert np.sum(np.pi / 4 * crowd**2) <= 0.4 * (256 * 0.06) ** 2 + 1e-6


def test_masks_are_the_outline_of_the_projected_atoms() -> None:
    wanted = HRTEMSettings(size_px=128, particles_min=3, particles_max=3, diameter_max_nm=3)
    specimen = Specimen.draw(wanted, rng(5))
    mask = specimen.labels()[0] > 0
    pixels = np.indices(mask.shape).reshape(2, -1).T * wanted.pixel_size_nm
    distance = cKDTree(np.concatenate(specimen.gold)[:, 1:]).query(pixels)[0].reshape(mask.shape)
    assert mask[distance < crystals.ATOM_RADIUS_NM - wanted.pixel_size_nm].all()
    assert not mask[distance > 2 * crystals.ATOM_RADIUS_NM + wanted.pixel_size_nm].any()
    rim = (distance > crystals.ATOM_RADIUS_NM + wanted.pixel_size_nm) & mask
    assert rim.sum() < 0.05 * mask.sum()


def test_labels_tell_the_diameters() -> None:
    made = simulate_hrtem(HRTEMSettings(particles_max=9, diameter_max_nm=7, overlap=0, roughness_nm=0.05), 3)
    inside = [i for i in made.diameters_nm if not _cut(made.labels == i)]
    areas = np.array([(made.labels == i).sum() for i in inside])
    seen = np.sqrt(4 / np.pi * areas) * made.pixel_size_nm
    assert len(inside) > 3
    np.testing.assert_allclose(seen, [made.diameters_nm[i] for i in inside], rtol=0.2)
    assert set(np.unique(made.labels)) == {0, *made.diameters_nm}


def _cut(region: NDArray[np.bool_]) -> bool:
    return bool(region[0].any() or region[-1].any() or region[:, 0].any() or region[:, -1].any())


# --- whole images


def test_image_of_nothing_is_flat() -> None:
    nothing = HRTEMSettings(
        size_px=64, particles_min=0, particles_max=0, carbon_nm=0, uneven_illumination=0, dose_per_nm2=1e4
    )
    made = simulate_hrtem(nothing)
    np.testing.assert_allclose(made.clean, 1e4 * nothing.pixel_size_nm**2, rtol=1e-5)
    assert not made.labels.any()
    assert made.diameters_nm == {}


def test_a_seed_gives_one_image() -> None:
    one, same, other = (simulate_hrtem(SMALL, seed) for seed in (4, 4, 5))
    assert_array_equal(one.image, same.image)
    assert_array_equal(one.labels, same.labels)
    assert one.parameters == same.parameters
    assert not np.array_equal(one.image, other.image)


def test_particles_are_darker_than_the_film() -> None:
    made = simulate_hrtem(HRTEMSettings(size_px=256, particles_min=4, particles_max=4, diameter_max_nm=6), 1)
    assert made.clean[made.mask == 1].mean() < 0.95 * made.clean[made.mask == 0].mean()
    grains = made.clean[made.mask == 0].std() / made.clean[made.mask == 0].mean()
    assert 0.02 < grains < 0.2
    assert np.abs(made.image - made.clean).max() > 0


@settings(max_examples=8, deadline=None)
@given(
    size=st.integers(64, 101),
    pixel=st.floats(0.04, 0.3),
    kv=st.floats(60, 400),
    spread=st.sampled_from([0.0, 3.0]),
    aperture=st.sampled_from([None, 9.0]),
)
def test_any_microscope_gives_a_sound_image(
    size: int, pixel: float, kv: float, spread: float, aperture: float | None
) -> None:
    wanted = SMALL.model_copy(
        update={
            "size_px": size,
            "pixel_size_nm": pixel,
            "voltage_kv": kv,
            "focal_spread_nm": spread,
            "aperture_mrad": aperture,
            "sampling_nm": 0.08,
        }
    )
    made = simulate_hrtem(wanted)
    assert made.image.shape == made.clean.shape == made.labels.shape == (size, size)
    assert made.image.dtype == made.clean.dtype == np.float32
    assert made.labels.dtype == np.uint16
    assert np.isfinite(made.image).all()


def test_sample_stack_has_images_masks_and_instances() -> None:
    images, masks, instances, pixel_size = sample_stack(2, 160)
    assert images.shape == masks.shape == instances.shape == (2, 160, 160)
    assert (images.dtype, masks.dtype, instances.dtype) == (np.uint16, np.uint8, np.uint16)
    assert_array_equal(masks, instances > 0)
    assert 0.05 <= pixel_size <= 0.08
    assert not np.array_equal(images[0], images[1])


# --- settings and files


@pytest.mark.parametrize("name", ["particles", "diameter_nm", "defocus_nm"])
def test_a_range_must_ascend(name: str) -> None:
    stem, _, unit = name.partition("_")
    names = [f"{stem}_{end}{'_' + unit if unit else ''}" for end in ("min", "max")]
    with pytest.raises(ValueError, match="greater"):
        HRTEMSettings(**dict(zip(names, (20, 10), strict=True)))


def test_particles_larger_than_the_image_are_refused() -> None:
    with pytest.raises(UserError, match=r"too large.*Choose"):
        simulate_hrtem(HRTEMSettings(size_px=64, diameter_min_nm=10))


def test_a_field_too_large_for_memory_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"too large.*Choose"):
        next(write_hrtem(tmp_path / "new", 1, HRTEMSettings(size_px=4096, pixel_size_nm=0.5)))
    assert not (tmp_path / "new").exists()


def test_files_hold_what_was_simulated(tmp_path: Path) -> None:
    assert list(write_hrtem(tmp_path / "new", 2, SMALL, seed=7)) == [(1, 2), (2, 2)]
    made = simulate_hrtem(SMALL, [7, 1])
    folder = tmp_path / "new"
    with tifffile.TiffFile(folder / "images" / "00001.tif") as file:
        image = file.asarray()
        numerator, denominator = file.pages[0].tags["XResolution"].value
        assert denominator / numerator == pytest.approx(SMALL.pixel_size_nm, rel=1e-4)
        assert file.imagej_metadata["unit"] == "nm"
    assert image.dtype == np.uint16
    np.testing.assert_allclose(image, np.clip(made.image, 0, None), atol=0.5)
    target = tifffile.imread(folder / "targets" / "00001.tif")
    assert target.dtype == np.uint8
    assert_array_equal(target, made.mask)
    assert_array_equal(tifffile.imread(folder / "instances" / "00001.tif"), made.labels)
    record = json.loads((folder / "settings.json").read_text())
    assert HRTEMSettings(**record["settings"]) == SMALL
    assert (record["seed"], record["count"]) == (7, 2)


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    list(write_hrtem(tmp_path, 2, SMALL))
    before = (tmp_path / "images" / "00000.tif").read_bytes()
    with pytest.raises(UserError, match="already"):
        next(write_hrtem(tmp_path, 1, SMALL, seed=1))
    assert (tmp_path / "images" / "00000.tif").read_bytes() == before
    list(write_hrtem(tmp_path, 1, SMALL, seed=1, overwrite=True))
    assert (tmp_path / "images" / "00000.tif").read_bytes() != before
    assert not (tmp_path / "images" / "00001.tif").exists()


def test_strange_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    mine = tmp_path / "images" / "mine.tif"
    mine.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"mine\.tif"):
        next(write_hrtem(tmp_path, 1, SMALL))
    list(write_hrtem(tmp_path, 1, SMALL, overwrite=True))
    assert mine.read_bytes() == b"mine"
