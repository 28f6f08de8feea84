"""Masks and numbered particles are told apart, and what is neither is refused."""

import numpy as np
import pytest
from particle_masks import table_of

import napari_emssl as em
from napari_emssl.errors import UserError
from napari_emssl.particles.instances import meaning_of, plain_labels

AUTO = em.MeasureSettings()


def discs(*values: int) -> np.ndarray:
    """Discs of 5 x 5 px with these values, apart from one another."""
    plane = np.zeros((12, 8 * len(values) + 4), np.uint8)
    for number, value in enumerate(values):
        plane[3:8, 8 * number + 3 : 8 * number + 8] = value
    return plane


def test_masks_and_numbered_particles_are_told_apart():
    for mask in ([np.array([[0, 255]])], [np.zeros((2, 2)), np.array([[3, 0]])], [discs(1, 2, 1, 2)]):
        assert meaning_of(mask, AUTO, "x").mask
    for numbered in (
        [np.array([[3, 0]]), np.array([[4, 0]])],
        [discs(1, 2, 3, 4)],
        [discs(*range(1, 40), *range(1, 40))],
    ):
        assert not meaning_of(numbered, AUTO, "x").mask
    assert not meaning_of([np.array([[1]])], em.MeasureSettings(labels="numbered"), "x").mask
    assert meaning_of([discs(1, 2, 3)], em.MeasureSettings(labels="mask"), "x").mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.float32])
def test_what_was_taken_for_what_is_told_where_it_was_not_to_be_expected(dtype: type):
    assert (
        "4 separate pieces, so they are taken for classes"
        in meaning_of([discs(1, 2, 1, 2).astype(dtype)], AUTO, "x").doubt
    )
    assert "1 of 3 numbers of x stand for several" in meaning_of([discs(1, 2, 3, 3).astype(dtype)], AUTO, "x").doubt
    assert not meaning_of([discs(1, 2, 3).astype(dtype)], AUTO, "x").doubt
    with pytest.raises(UserError, match="No pixel of x is 0"):  # as ilastik writes it
        meaning_of([(discs(1, 1, 1, 1) + 1).astype(dtype)], AUTO, "x")


@pytest.mark.parametrize(
    ("dtype", "number"), [(np.float16, 2**11 + 2), (np.float32, 2**24 + 2), (np.uint64, 2**63 + 1)]
)
def test_numbers_too_large_for_their_type_are_refused(dtype: type, number: int):
    with pytest.raises(UserError, match="Number the particles from 1 on"):
        plain_labels(np.array([[0, number]], dtype), "x")


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
