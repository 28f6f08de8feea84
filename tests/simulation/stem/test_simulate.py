"""Simulated STEM images show what they must: lattices, Z contrast, truth beside the image."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree
from stem_images import peaks, quiet

from napari_emssl.simulation.stem.settings import STEMSettings
from napari_emssl.simulation.stem.simulate import GOLD_CROSS_SECTION_NM2, STEMImage, simulate_stem


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


def test_a_dose_changes_nothing_but_the_dose() -> None:
    low, high = (simulate_stem(STEMSettings(dose_per_nm2=dose), 8) for dose in (1e6, 2e6))
    np.testing.assert_array_equal(low.places_px, high.places_px)
    np.testing.assert_allclose(
        2 * low.no_background, high.no_background, rtol=1e-4, atol=1e-4 * high.no_background.max()
    )


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
