"""What is painted is true, as much as was asked for, and the same whenever it is asked for."""

import numpy as np
import pytest
from few_labels.micrographs import MicrographSet, as_micrograph
from few_labels.painting import Micrograph, paint
from hypothesis import given
from hypothesis import strategies as st
from numbered_squares import EDGE_PX, picture, squares
from scipy import ndimage


def micrograph(mask: np.ndarray, **meaning: object) -> Micrograph:
    return as_micrograph("made-up", picture(mask), mask, MicrographSet("", **meaning))


@pytest.mark.parametrize("count", [1, 3, 5])
def test_so_many_whole_particles_with_rings_and_dabs(count: int) -> None:
    numbers = squares(12)
    target = paint(micrograph(numbers), count, np.random.default_rng(0))
    painted = np.unique(numbers[target == 2])
    assert len(painted) == count
    assert np.array_equal(target == 2, np.isin(numbers, painted))
    ring = ndimage.binary_dilation(target == 2, iterations=3) & (numbers == 0)
    assert (target[ring] == 1).all()
    _, dabs = ndimage.label((target == 1) & ~ring)
    assert 1 <= dabs <= count + 1  # dabs may touch, or be cut in two by a ring
    assert (target == 0).mean() > 0.5


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_particles_are_painted_whole_or_not_at_all(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.choice(5, (7, 9), p=(0.4, 0.2, 0.15, 0.2, 0.05)), np.ones((5, 5), int)).astype(np.uint8)
    made = micrograph(mask, particles=(1, 3), excluded=(4,))
    target = paint(made, count, rng)
    for core, numbers in zip((2, 4), made.paintable, strict=True):
        shares = [(target[made.numbers == number] == core).mean() for number in numbers]
        assert sorted(shares, reverse=True) == [1.0] * min(count, len(shares)) + [0.0] * (len(shares) - count)
    assert (target[target > 0] == made.truth[target > 0]).all()
    assert (target[mask == 4] == 0).all()


def test_more_particles_are_those_of_before_and_others() -> None:
    numbers = squares(12)
    one, three = (paint(micrograph(numbers), count, np.random.default_rng((7, 1))) for count in (1, 3))
    assert (three[one == 2] == 2).all()
    again = paint(micrograph(numbers), 3, np.random.default_rng((7, 1)))
    assert np.array_equal(three, again)


def test_a_particle_beside_a_painted_one_is_not_background() -> None:
    numbers = np.zeros((60, 60), np.uint8)
    for number in range(1, 7):
        numbers[20 : 20 + EDGE_PX, 6 + EDGE_PX * (number - 1) : 6 + EDGE_PX * number] = number
    target = paint(micrograph(numbers), 1, np.random.default_rng(0))
    assert (target == 2).sum() == EDGE_PX**2
    assert not (target[numbers > 0] == 1).any()


def test_each_kind_of_background_has_its_ring_and_dabs() -> None:
    mask = np.where(squares(12) > 0, 2, 0).astype(np.uint8)
    mask[:, 48:][mask[:, 48:] == 0] = 1
    made = micrograph(mask, particles=(2,))
    target = paint(made, 12, np.random.default_rng(0))
    assert set(np.unique(target)) == {0, 1, 2, 3}
    right = np.zeros(mask.shape, bool)
    right[:, 48:] = True
    near = ndimage.binary_dilation(target == 3, iterations=3) & (target != 3)
    assert (target[near & right] == 2).all()
    assert (target[near & ~right] == 1).all()
