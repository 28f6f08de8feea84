"""What simulated STEM images must show: lattices, Z contrast, probe, noise, vacuum."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.feature import peak_local_max

from napari_emssl.simulation.stem import render, scan
from napari_emssl.simulation.stem.conditions import Conditions, draw_conditions, drawn_fields
from napari_emssl.simulation.stem.probe import Probe
from napari_emssl.simulation.stem.render import Field
from napari_emssl.simulation.stem.settings import STEMSettings
from napari_emssl.simulation.stem.simulate import GOLD_CROSS_SECTION_NM2, STEMImage, simulate_stem

QUIET = dict.fromkeys(
    ("tilt_deg", "vacancies", "disorder_nm", "probe_ellipticity", "probe_tails", "defocus_nm", "focal_spread_nm",
     "background", "carbon_nm", "flicker", "gain_spread", "read_noise", "lag", "smoothing_px", "hot_pixels",
     "line_jitter_nm", "drift_nm", "flyback_nm"),
    0.0,
)  # fmt: skip


def quiet(**more: Any) -> STEMSettings:
    """A perfect crystal under a perfect microscope, but for the shot noise."""
    plain = {"specimen": "crystal", "pixel_size_nm": 0.01, "probe_fwhm_nm": 0.07, "dose_per_nm2": 1e8}
    return STEMSettings(**(QUIET | plain | more))


def peaks(image: NDArray[Any]) -> NDArray[np.float64]:
    """Local maxima away from the border, to a part of a pixel by their centre of mass."""
    rough = peak_local_max(image, min_distance=3, threshold_rel=0.2, exclude_border=8)
    offsets = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    values = image[tuple((rough[:, None] + offsets).transpose(2, 0, 1))]
    weights = values - values.min(axis=1, keepdims=True)
    return rough + (weights[..., None] * offsets).sum(axis=1) / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("crystal", "axis", "distance"),
    [
        ("Au", "110", 0.2497),
        ("Au", "100", 0.2039),
        ("W", "111", 0.2584),
        ("Si", "110", 0.1358),
        ("MoS2", "001", 0.1824),
        ("graphene", "001", 0.1421),
    ],
)
def test_peaks_stand_apart_as_the_lattice_says(crystal: str, axis: str, distance: float) -> None:
    made = simulate_stem(quiet(crystal=crystal, zone_axis=axis, layers=1, thickness_nm=4))
    found = peaks(made.no_noise) * made.pixel_size_nm
    nearest = cKDTree(found).query(found, k=2)[0][:, 1]
    assert len(found) > 20
    assert np.median(nearest) == pytest.approx(distance, rel=0.02)


def test_positions_are_where_the_peaks_are() -> None:
    made = simulate_stem(STEMSettings(specimen="crystal", crystal="Au", zone_axis="110", dose_per_nm2=1e9), 3)
    found = peaks(made.no_noise)
    apart = cKDTree(made.places_px).query(found)[0]
    assert len(found) > 20
    assert np.median(apart) < 0.35


def test_columns_scatter_with_the_power_of_z() -> None:
    made = simulate_stem(quiet(crystal="MoS2", layers=1))
    y, x = np.indices(made.image.shape)
    inner = ((made.places_px > 10) & (made.places_px < 245)).all(axis=1)
    sums = []
    for row, column in made.places_px[inner]:
        sums.append(made.no_background[(y - row) ** 2 + (x - column) ** 2 <= 8**2].sum())
    per_kind = {z: np.mean([s for s, of in zip(sums, made.mean_z[inner], strict=True) if of == z]) for z in (42, 16)}
    assert per_kind[42] / per_kind[16] == pytest.approx(42**1.7 / (2 * 16**1.7), rel=0.02)
    assert set(made.atoms[made.mean_z == 42]) == {1}
    assert set(made.atoms[made.mean_z == 16]) == {2}
    expected = 1e8 * GOLD_CROSS_SECTION_NM2 * (42 / 79) ** 1.7
    np.testing.assert_allclose(made.electrons[made.mean_z == 42], expected, rtol=1e-9)


def test_all_scattered_electrons_are_in_the_image() -> None:
    made = simulate_stem(quiet(crystal="Au", zone_axis="110", thickness_nm=5, pixel_size_nm=0.03))
    atoms_per_nm3 = 4 / 0.40782**3
    expected = 1e8 * GOLD_CROSS_SECTION_NM2 * atoms_per_nm3 * 5 * 0.03**2
    assert made.no_noise.mean() == pytest.approx(expected, rel=0.03)


def test_the_cross_section_is_rutherfords() -> None:
    charge_ev_nm, rest_kev, kv, inner_rad = 1.43996, 510.999, 300.0, 0.05
    momentum_velocity = kv * (kv + 2 * rest_kev) / (kv + rest_kev) * 1e3
    rutherford = np.pi * (79 * charge_ev_nm / momentum_velocity) ** 2 / np.tan(inner_rad / 2) ** 2
    assert rutherford == pytest.approx(2.65e-4, rel=0.05)
    assert 0.8 * rutherford < GOLD_CROSS_SECTION_NM2 < rutherford


def test_shot_noise_is_poisson() -> None:
    made = simulate_stem(quiet(crystal="Au", zone_axis="100", thickness_nm=3, dose_per_nm2=2e6))
    assert np.array_equal(made.image, np.rint(made.image))
    squares = (made.image - made.no_noise) ** 2 / made.no_noise
    assert squares.mean() == pytest.approx(1, abs=0.03)
    assert (made.image - made.no_noise).mean() == pytest.approx(0, abs=5 * float(np.sqrt(made.no_noise.mean())) / 256)


def conditions(**more: float) -> Conditions:
    return draw_conditions(quiet(**more), np.random.default_rng(0))


@pytest.mark.parametrize(
    "noise",
    [
        {},
        {"gain_spread": 0.6},
        {"read_noise": 1.5, "flicker": 0.05},
        {"smoothing_px": 0.7, "gain_spread": 0.4},
        {"lag": 0.5},
    ],
    ids=str,
)
def test_the_mean_of_many_recordings_is_the_clean_image(noise: dict[str, float]) -> None:
    drawn, (field, crystal) = conditions(**noise), one_column(Probe(0.07), 4000.0)
    rng, count = np.random.default_rng(1), 400
    made = [render.record_scan(crystal, crystal, field, drawn, rng) for _ in range(count)]
    images, clean = np.stack([one[0] for one in made]), made[0][1]
    spread, seen = images.std(axis=0) / np.sqrt(count), clean > 0.2
    assert seen.sum() > 200
    assert (np.abs(images.mean(axis=0) - clean)[seen] / spread[seen]).max() < 5
    assert np.abs(images.mean(axis=0) - clean).mean() < 0.02 * clean.max()


def test_a_slow_detector_smears_lines_and_moves_nothing() -> None:
    plain, (field, crystal) = field_of(Probe(0.07)), one_column(Probe(0.07), 1.0)
    lagged = field.image(crystal * scan.lag_transfer(np.fft.rfftfreq(field.n), 0.5))
    assert lagged.sum() == pytest.approx(plain.sum(), rel=1e-3)
    np.testing.assert_allclose(ndimage.center_of_mass(lagged), ndimage.center_of_mass(plain), atol=0.02)
    assert width(lagged[24]) > 1.03 * width(plain[24])
    assert width(lagged[:, 24]) == pytest.approx(width(plain[:, 24]), rel=0.01)
    noise = scan.with_lag(np.random.default_rng(0).standard_normal((300, 300), np.float32), 0.5)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1] == pytest.approx(0, abs=0.02)


def test_line_jitter_blurs_the_mean_along_x() -> None:
    field, crystal = one_column(Probe(0.07), 1e6)
    drawn, rng = conditions(line_jitter_nm=0.015), np.random.default_rng(2)
    mean = np.mean([render.record_scan(crystal, crystal, field, drawn, rng)[0] for _ in range(600)], axis=0)
    clean = field.image(crystal)
    blurred = ndimage.gaussian_filter(clean, (1.5 * 0.4, 1.5))
    assert np.abs(mean - blurred).max() < 0.04 * clean.max()
    assert np.abs(mean - clean).max() > 0.08 * clean.max()


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_detector_adds_variance_as_set(spread: float) -> None:
    signal = scan.detect(np.full((400, 400), 7, np.float32), spread, 2.0, np.random.default_rng(0))
    assert signal.mean() == pytest.approx(7, abs=0.05)
    assert signal.var() == pytest.approx(7 * (1 + spread**2) + 4, rel=0.03)


def one_column(probe: Probe, electrons: float, size: int = 48) -> tuple[Field, NDArray[np.complex64]]:
    """Spectrum of a single column in the middle, in pixels of 0.01 nm."""
    field = Field.around(size, 0.01, 0.4)
    spot = np.full((1, 2), size / 2)
    spectrum = render.points_spectrum(spot, np.array([electrons]), np.zeros((1, 2)), field)
    return field, spectrum * probe.transfer(*field.frequencies)


def width(profile: NDArray[Any]) -> float:
    """Full width at half maximum in samples, by linear interpolation."""
    half, top = profile.max() / 2, int(profile.argmax())
    right = top + int(np.argmax(profile[top:] < half))
    left = top - int(np.argmax(profile[top::-1] < half))
    return float(
        (right - (half - profile[right]) / (profile[right - 1] - profile[right]))
        - (left + (half - profile[left]) / (profile[left + 1] - profile[left]))
    )


@pytest.mark.parametrize("fwhm", [0.05, 0.08, 0.14])
def test_the_probe_is_as_wide_as_set(fwhm: float) -> None:
    field, spectrum = one_column(Probe(fwhm), 1.0)
    image = field.image(spectrum)
    assert width(image[24]) * 0.01 == pytest.approx(fwhm, rel=0.03)
    assert width(image[:, 24]) * 0.01 == pytest.approx(fwhm, rel=0.03)
    assert image.sum() == pytest.approx(1, rel=2e-3)


def test_tails_defocus_and_astigmatism_spread_the_probe() -> None:
    plain = field_of(Probe(0.08))
    tails = field_of(Probe(0.08, tails=0.3))
    assert tails.max() < 0.75 * plain.max()
    assert tails[24, 44] > 20 * plain[24, 44]
    defocused = field_of(Probe(0.08, defocus_nm=6, convergence_mrad=25))
    assert width(defocused[24]) * 0.01 == pytest.approx(
        np.sqrt(0.08**2 + 8 * np.log(2) * (0.025 * 6 / 2) ** 2), rel=0.03
    )
    spread = field_of(Probe(0.08, focal_spread_nm=5, convergence_mrad=25))
    assert width(plain[24]) < width(spread[24]) < width(defocused[24])
    long = field_of(Probe(0.08, ellipticity=0.4, angle=0.0))
    assert width(long[24]) / width(long[:, 24]) == pytest.approx(1.2 / 0.8, rel=0.03)


def field_of(probe: Probe) -> NDArray[np.float32]:
    field, spectrum = one_column(probe, 1.0)
    return field.image(spectrum)


def test_the_sharp_image_has_narrower_columns_of_the_same_height() -> None:
    made = simulate_stem(quiet(crystal="Au", zone_axis="110", thickness_nm=4, probe_fwhm_nm=0.1))
    assert made.sharp.max() == pytest.approx(made.no_background.max(), rel=1e-5)
    covered = [(plane > plane.max() / 2).sum() for plane in (made.sharp, made.no_background)]
    assert covered[0] < 0.4 * covered[1]
    np.testing.assert_allclose(np.median(cKDTree(made.places_px).query(peaks(made.sharp))[0]), 0, atol=0.3)


def test_nothing_is_drawn_in_vacuum() -> None:
    made = simulate_stem(quiet(specimen="particles", crystal="Pt", diameter_nm=0.9, pixel_size_nm=0.02), 5)
    far = ndimage.distance_transform_edt(made.circular_mask == 0) > 0.3 / 0.02
    assert far.mean() > 0.3
    for plane in (made.no_noise, made.no_background, made.sharp):
        assert plane[far].max() < 1e-3 * plane.max()
    assert made.circular_mask[far].max() == 0
    assert made.gaussian_mask[far].max() == 0
    assert made.image[far].max() <= 3


def test_background_is_what_no_background_lacks() -> None:
    settings = quiet(crystal="Au", zone_axis="100", thickness_nm=2, background=0.5, carbon_nm=3)
    made, bare = simulate_stem(settings, 1), simulate_stem(quiet(crystal="Au", zone_axis="100", thickness_nm=2), 1)
    np.testing.assert_array_equal(made.no_background, bare.no_background)
    behind = made.no_noise - made.no_background
    assert behind.min() > 0
    assert behind.mean() > 0.1 * made.no_background.max()
    rough = behind - ndimage.gaussian_filter(behind, 20)
    assert rough.std() < 0.2 * behind.mean()


def test_a_background_does_not_ring() -> None:
    made = simulate_stem(quiet(specimen="particles", crystal="Au", diameter_nm=0.6, background=10, lag=0.35), 4)
    far = ndimage.distance_transform_edt(made.circular_mask == 0) > 60
    wiggles = np.abs(np.diff(made.no_noise, n=4, axis=1))
    assert far.sum() > 200
    assert wiggles[far[:, 2:-2]].max() < 1e-3 * made.no_noise[far].mean()


def test_carbon_scatters_as_its_thickness_says() -> None:
    made = simulate_stem(quiet(specimen="particles", crystal="Au", diameter_nm=0.6, carbon_nm=10, pixel_size_nm=0.03))
    far = ndimage.distance_transform_edt(made.circular_mask == 0) > 20
    expected = 1e8 * GOLD_CROSS_SECTION_NM2 * (6 / 79) ** 1.7 * 100 * 10 * 0.03**2
    assert made.no_noise[far].mean() == pytest.approx(expected, rel=0.25)


def test_a_tilt_smears_columns() -> None:
    straight, tilted = (
        simulate_stem(quiet(crystal="Au", zone_axis="110", thickness_nm=8, tilt_deg=tilt)) for tilt in (0, 1)
    )
    assert tilted.no_noise.max() < 0.9 * straight.no_noise.max()
    assert tilted.no_noise.mean() == pytest.approx(straight.no_noise.mean(), rel=0.01)


def test_vacancies_take_atoms_away() -> None:
    full, holed = (simulate_stem(quiet(crystal="graphene", layers=1, vacancies=share)) for share in (0, 0.2))
    assert len(holed.atoms) == pytest.approx(0.8 * len(full.atoms), rel=0.15)
    assert set(holed.atoms) == {1}


@pytest.mark.parametrize("crystal", ["Au", "SrTiO3", "MoS2"])
def test_no_two_columns_of_a_boundary_collide(crystal: str) -> None:
    for seed in range(4):
        made = simulate_stem(quiet(specimen="boundary", crystal=crystal, layers=1, pixel_size_nm=0.02), seed)
        apart = cKDTree(made.places_px).query(made.places_px, k=2)[0][:, 1] * 0.02
        spacing = np.median(apart)
        assert apart.min() > 0.6 * min(spacing, 0.26)
        assert made.no_background[:, :20].max() > 0
        covered = ndimage.distance_transform_edt(np.logical_not(made.circular_mask)).max() * 0.02
        assert covered < 2 * 0.4


def test_a_particle_has_the_atoms_of_its_volume() -> None:
    counts = []
    for seed in range(40):
        made = simulate_stem(
            quiet(specimen="particles", crystal="Au", diameter_nm=2, pixel_size_nm=0.03, size_px=160), seed
        )
        if len(made.parameters["diameters_nm"]) == 1:
            counts.append(made.atoms.sum())
    ball = np.pi / 6 * 2**3 * 4 / 0.40782**3
    assert len(counts) > 3
    assert 0.5 * ball < np.mean(counts) < 1.3 * ball


def test_scan_distortion_is_undone_by_its_path() -> None:
    path = scan.Path(5.0, (0.1, -0.2), 0.08)
    places = np.random.default_rng(0).uniform(-0.3, 5.3, (200, 2))
    seen = path.image_of(places)
    np.testing.assert_allclose(seen + path.displacement(seen), places, atol=1e-5)
    assert np.abs(seen - places).max() > 0.1


def test_a_dose_changes_nothing_but_the_dose() -> None:
    low, high = (simulate_stem(STEMSettings(dose_per_nm2=dose), 8) for dose in (1e6, 2e6))
    np.testing.assert_array_equal(low.places_px, high.places_px)
    np.testing.assert_allclose(
        2 * low.no_background, high.no_background, rtol=1e-4, atol=1e-4 * high.no_background.max()
    )


def test_what_is_given_is_used_and_moves_no_other_draw() -> None:
    laws = drawn_fields()
    assert set(QUIET) - {"carbon_nm"} <= set(laws)
    free = draw_conditions(STEMSettings(), np.random.default_rng(4))
    fixed = draw_conditions(STEMSettings(probe_tails=0.9, drift_nm=0.5), np.random.default_rng(4))
    assert (fixed.probe_tails, fixed.drift_nm) == (0.9, 0.5)
    same = set(laws) - {"probe_tails", "drift_nm"}
    assert all(getattr(free, name) == getattr(fixed, name) for name in same)


@pytest.mark.parametrize("seed", range(5))
def test_drawn_values_lie_where_the_help_says(seed: int) -> None:
    drawn = draw_conditions(STEMSettings(), np.random.default_rng(seed))
    for name, (low, high, _) in drawn_fields().items():
        assert getattr(drawn, name) <= high
        assert getattr(drawn, name) >= low or name in ("pixel_size_nm", "diameter_nm")
    assert drawn.probe_fwhm_nm >= 2 * drawn.pixel_size_nm - 1e-12


def test_masks_are_discs_and_gaussians_around_the_columns() -> None:
    made = simulate_stem(quiet(crystal="Si", zone_axis="110", thickness_nm=4, mask_radius_nm=0.04))
    pixels = np.stack(np.indices((256, 256)), axis=-1).reshape(-1, 2)
    distance = cKDTree(made.mask_places_px).query(pixels)[0].reshape(256, 256)
    clear = np.abs(distance - 4) > 1e-3
    np.testing.assert_array_equal(made.circular_mask[clear], (distance <= 4)[clear])
    near = distance < 8
    np.testing.assert_allclose(made.gaussian_mask[near], np.exp(-(distance[near] ** 2) / 8), atol=1e-5)
    assert made.gaussian_mask[~near].max() < 1e-3
    outside = ((made.mask_places_px < -0.5) | (made.mask_places_px > 255.5)).any(axis=1)
    assert outside.any()
    inside = {tuple(place) for place in made.places_px[made.in_masks]}
    assert inside == {tuple(place) for place in made.mask_places_px[~outside]}


def test_faint_columns_are_left_out_of_the_masks() -> None:
    settings = {"crystal": "SrTiO3", "zone_axis": "100", "thickness_nm": 4}
    made, all_of_them = (simulate_stem(quiet(mask_least=least, **settings)) for least in (0.1, 0.0))
    assert set(made.mean_z[made.in_masks]) == {38.0} | {z for z in made.mean_z if 8 < z < 22}
    assert not made.in_masks[made.mean_z == 8].any()
    assert all_of_them.in_masks.all()


def test_fine_pixels_are_quarters_of_pixels() -> None:
    made: STEMImage = simulate_stem(quiet(crystal="Au", zone_axis="110", thickness_nm=4, pixel_size_nm=0.02))
    binned = made.fine.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    assert made.fine.shape == (512, 512)
    np.testing.assert_allclose(binned, made.no_background, atol=0.04 * made.no_background.max())
    assert np.corrcoef(binned.ravel(), made.no_background.ravel())[0, 1] > 0.9999
