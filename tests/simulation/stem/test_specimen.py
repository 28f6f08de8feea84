"""Specimens of columns: tilt, vacancies, boundaries, particles."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree
from stem_images import quiet

from napari_emssl.simulation.stem.simulate import simulate_stem


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
