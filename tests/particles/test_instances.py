"""Masks and numbered particles are told apart, and what is neither is refused."""

import numpy as np
import pytest
from particle_masks import table_of

import napari_emssl as em
from napari_emssl.errors import UserError
from napari_emssl.particles.instances import is_mask


def test_masks_and_numbered_particles_are_told_apart():
    auto = em.MeasureSettings()
    assert is_mask([np.array([[0, 255]])], auto)
    assert is_mask([np.zeros((2, 2)), np.array([[3, 0]])], auto)
    assert not is_mask([np.array([[3, 0]]), np.array([[4, 0]])], auto)
    assert not is_mask([np.array([[1]])], em.MeasureSettings(labels="numbered"))


def test_numbered_particles_are_taken_as_they_are():
    numbered = np.zeros((30, 40), np.int64)
    numbered[2:10, 2:10], numbered[2:10, 10:18], numbered[20:28, 30:35] = 5, 7_000_000_000, 5
    table = table_of(numbered)
    np.testing.assert_array_equal(table.columns["label"], [5, 7_000_000_000])
    np.testing.assert_array_equal(table.columns["area"], [64 + 40, 64])


def test_numbers_without_background_are_particles_too():
    table = table_of(np.repeat([[1, 2]], 6, axis=0).repeat(5, axis=1))
    np.testing.assert_array_equal(table.columns["label"], [1, 2])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.random.default_rng(0).integers(0, 200, (32, 32)), "looks like a grey image"),
        (np.random.default_rng(0).random((32, 32)), "labels"),
        (np.array([[-1, 0, 0], [0, 0, -1]]), "negative"),
    ],
)
def test_what_is_no_labels_is_refused(wrong, said):
    with pytest.raises(UserError, match=said):
        em.measure_particles(wrong)
