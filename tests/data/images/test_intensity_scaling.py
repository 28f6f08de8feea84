"""Intensity scaling: robust, repeatable, quick on what does not fit into memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_emssl.data.images.intensity_scaling import IntensityScaling, Levels

SCALING = IntensityScaling()


class Stack:
    """A lazy stack that counts which planes are read."""

    def __init__(self, n: int, size: int) -> None:
        self.shape, self.dtype, self.read = (n, size, size), np.dtype(np.float32), []

    def __getitem__(self, i: int) -> np.ndarray:
        self.read.append(i)
        return np.random.default_rng(i).normal(100, 10, self.shape[1:]).astype(np.float32)


@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.int64, np.float16, np.float32, np.float64, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=3, min_side=0),
    )
)
@settings(max_examples=150, deadline=None)
def test_anything_becomes_finite_numbers_in_the_limits(array: np.ndarray) -> None:
    levels = SCALING.fit(array)
    unit = levels.to_unit(array)
    assert levels.white > levels.black
    assert unit.dtype == np.float32
    assert unit.shape == array.shape
    assert np.isfinite(unit).all()
    assert ((unit >= -0.5) & (unit <= 1.5)).all()


@given(values=hnp.arrays(np.float32, (6, 7), elements=st.floats(-1000, 1000, width=32)))
@settings(max_examples=50, deadline=None)
def test_values_come_back_in_their_units(values: np.ndarray) -> None:
    levels = IntensityScaling(low_percent=0, high_percent=100).fit(values)
    np.testing.assert_allclose(levels.from_unit(levels.to_unit(values)), values, atol=2e-3)


@pytest.mark.parametrize("constant", [0, 7, -3.5, 1e6, 1e20, -1e30])
def test_constant_planes_become_zeros(constant: float) -> None:
    array = np.full((5, 5), constant, np.float64)
    assert (SCALING.fit(array).to_unit(array) == 0).all()


def test_invalid_values_do_not_move_the_levels() -> None:
    good = np.random.default_rng(0).normal(50, 5, (100, 100))
    bad = good.copy()
    bad[0, :3] = np.nan, np.inf, -np.inf
    unit = SCALING.fit(bad).to_unit(bad)
    np.testing.assert_allclose(SCALING.fit(bad), SCALING.fit(good), rtol=0.02)
    assert unit[0, :3].tolist() == [0.0, 1.5, 0.0]
    assert SCALING.fit(np.full((3, 3), np.nan)) == Levels(0.0, 1.0)


def test_hot_and_dead_pixels_do_not_decide() -> None:
    plane = np.random.default_rng(0).normal(1000, 50, (256, 256))
    hot = plane.copy()
    hot[0, :20], hot[1, :20] = 1e6, 0
    np.testing.assert_allclose(SCALING.fit(hot), SCALING.fit(plane), rtol=0.02)


def test_large_offsets_keep_their_detail() -> None:
    plane = 2_000_000_000 + np.arange(100, dtype=np.uint32).reshape(10, 10)
    unit = IntensityScaling(low_percent=0, high_percent=100).fit(plane).to_unit(plane)
    np.testing.assert_allclose(unit.ravel(), np.linspace(0, 1, 100), atol=1e-6)


def test_large_planes_are_sampled_closely_and_always_alike() -> None:
    plane = np.random.default_rng(0).normal(100, 10, (2000, 2000)).astype(np.float32)
    levels = SCALING.fit(plane)
    assert levels == SCALING.fit(plane.copy())
    np.testing.assert_allclose(levels, np.percentile(plane, (0.1, 99.9)), atol=0.5)


def test_periodic_structure_does_not_fool_the_sample() -> None:
    plane = np.tile(np.array([0, 0, 0, 100], np.uint8), (2048, 512))
    assert SCALING.fit(plane) == Levels(0.0, 100.0)


def test_of_a_lazy_stack_few_planes_are_read() -> None:
    stack = Stack(5000, 256)
    levels = SCALING.fit(stack)
    assert len(stack.read) == 64
    assert {0, 4999} <= set(stack.read)
    np.testing.assert_allclose(levels, (100 - 30.9, 100 + 30.9), atol=0.7)


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    ),
    st.floats(-100, 100),
    st.floats(0.5, 1000),
    st.booleans(),
)
@settings(deadline=None)
def test_values_are_those_of_the_plain_formula_to_the_bit(
    plane: np.ndarray, black: float, span: float, clip: bool
) -> None:
    levels = Levels(black, black + span)
    kind = np.float32 if plane.dtype.itemsize <= 2 else np.float64
    with np.errstate(all="ignore"):
        plain = (plane.astype(kind) - kind(levels.black)) / kind(levels.white - levels.black)
        plain = np.nan_to_num(plain, nan=0.0, posinf=1.5, neginf=0.0)
        plain = np.asarray(np.clip(plain, -0.5, 1.5) if clip else plain, np.float32)
        before = plane.copy()
        unit = levels.to_unit(plane, clip)
        back = np.asarray(np.asarray(unit, np.float64) * (levels.white - levels.black) + levels.black, np.float32)
        assert np.array_equal(levels.from_unit(unit), back, equal_nan=True)
    assert np.array_equal(unit, plain, equal_nan=True)
    assert plane.tobytes() == before.tobytes()
