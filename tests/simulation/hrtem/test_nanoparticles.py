"""Gold particles: lattice, form, orientation, places, outlines."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_emssl.simulation.hrtem import nanoparticles
from napari_emssl.simulation.hrtem.simulate import HRTEMSettings
from napari_emssl.simulation.hrtem.specimen import Specimen, draw_diameters


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("twin_share", [0.0, 1.0])
@pytest.mark.parametrize("diameter", [2.0, 5.0])
def test_particles_are_gold_of_the_asked_size(diameter: float, twin_share: float) -> None:
    for seed in range(6):
        particle = nanoparticles.make_particle(diameter, rng(seed), twin_share=twin_share)
        assert particle.twinned == bool(twin_share)
        assert particle.diameter_nm == pytest.approx(diameter, rel=0.003)
        nearest = cKDTree(particle.atoms).query(particle.atoms, k=2)[0][:, 1]
        assert nearest.min() == pytest.approx(0.2884, abs=0.0005)  # also across the twin plane


@pytest.mark.parametrize("twin_share", [0.0, 1.0])
def test_most_atoms_have_twelve_neighbours_in_both_halves_of_a_twin(twin_share: float) -> None:
    particle = nanoparticles.make_particle(6.0, rng(1), twin_share=twin_share)
    neighbours = cKDTree(particle.atoms).query_ball_point(particle.atoms, 0.3, return_length=True) - 1
    assert neighbours.max() == 12
    assert np.mean(neighbours == 12) > 0.6


def test_a_sharp_form_is_wulffs_truncated_octahedron() -> None:
    normals = np.array([(1, 0, 0), (1, 1, 1)]) / np.sqrt([[1], [3]])
    faces = nanoparticles.random_habit(rng(), twinned=False).faces
    even = faces / np.linalg.norm(faces, axis=1, keepdims=True) / np.repeat([1.12, 1.0], [6, 8])[:, None]
    sites = nanoparticles.crystal(nanoparticles.Habit(even, sphere=2.0), 9.0, 0.0, rng())
    far_100, far_111 = (sites @ normals.T).max(axis=0)
    assert far_100 / far_111 == pytest.approx(1.12, abs=0.06)  # to a layer of atoms
    assert np.linalg.norm(sites, axis=1).max() > 1.2 * far_111


def test_zone_axis_points_along_the_beam() -> None:
    turned = nanoparticles.along_beam((1, 1, 2), np.deg2rad(5), rng(3)).apply(np.array([1, 1, 2]) / np.sqrt(6))
    assert np.rad2deg(np.arccos(turned[0])) == pytest.approx(5)


def test_free_orientations_favour_no_direction() -> None:
    particles = [nanoparticles.make_particle(1.0, rng(i), zone_axis_share=0) for i in range(3)]
    assert all(p.zone_axis is None for p in particles)
    turns = nanoparticles.Rotation.from_quat(rng().normal(size=(4000, 4))).apply([1, 0, 0])
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
    assert mask[distance < nanoparticles.ATOM_RADIUS_NM - wanted.pixel_size_nm].all()
    assert not mask[distance > 2 * nanoparticles.ATOM_RADIUS_NM + wanted.pixel_size_nm].any()
    rim = (distance > nanoparticles.ATOM_RADIUS_NM + wanted.pixel_size_nm) & mask
    assert rim.sum() < 0.05 * mask.sum()
