"""Painting a few objects of a dense target."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.labels.sparse_painting import count_objects, paint_few


def scene(seed: int = 0, classes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A core target with nine discs, their classes in turn, and their numbers."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:160, :160]
    target, numbers = np.ones((160, 160), np.uint8), np.zeros((160, 160), np.uint16)
    for number in range(1, 10):
        row, column = (30 + 50 * (number % 3), 30 + 50 * (number // 3 % 3))
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= rng.integers(5, 12) ** 2
        target[disc], numbers[disc] = 2 + number % classes, number
    return target, numbers


@given(seed=st.integers(0, 1000), count=st.integers(1, 12), classes=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_what_is_painted_is_true_and_whole(seed: int, count: int, classes: int) -> None:
    target, numbers = scene(seed, classes)
    painted = paint_few(target, numbers, count, np.random.default_rng(seed))
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted[painted > 0], target[painted > 0])
    for core in range(2, 2 + classes):
        inside = np.unique(numbers[painted == core])
        assert len(inside) == min(count, count_objects(numbers * (target == core)))
        assert (painted[np.isin(numbers, inside)] == core).all()
    assert (painted == 1).any()


def test_most_of_a_target_stays_unpainted_and_the_ring_lies_around_the_object() -> None:
    target, numbers = scene()
    painted = paint_few(target, numbers, 1, np.random.default_rng(0))
    assert 0 < np.mean(painted > 0) < 0.1
    rows, columns = np.nonzero(painted == 2)
    around = painted[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4]
    assert (around == 1).sum() > 50


def test_the_same_generator_paints_the_same_and_another_differs() -> None:
    target, numbers = scene()
    one, same, other = (paint_few(target, numbers, 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("fill", [0, 1, 2])
def test_targets_without_objects_or_background_are_no_trouble(fill: int) -> None:
    target = np.full((40, 40), fill, np.uint8)
    numbers = np.full((40, 40), int(fill == 2), np.uint16)
    painted = paint_few(target, numbers, 3, np.random.default_rng(0))
    assert set(np.unique(painted)) <= {0, fill}
