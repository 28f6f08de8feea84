"""Frames as targets of one another: drift, likeness, what moved, levels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from napari_emssl.data.patches.frame_pairs import aligned, compare_frames, noisy_target

Floats = NDArray[np.float32]


def scene(seed: int = 0, size: int = 192) -> Floats:
    """Blobs of 3 px on a grey ground, 100 to about 150."""
    points = np.random.default_rng(seed).random((size, size)) > 0.99
    blobs = ndimage.gaussian_filter(points.astype(float), 3)
    return (100 + 50 * blobs / blobs.max()).astype(np.float32)


def noisy(clean: Floats, seed: int, sigma: float = 10) -> Floats:
    return (clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)).astype(np.float32)


def moved(plane: Floats, shift: tuple[float, float]) -> Floats:
    return np.asarray(ndimage.shift(plane, shift, order=3, mode="nearest"), np.float32)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0), (0.4, -1.3), (14.0, 20.0)])
def test_drift_is_found_and_taken_back(shift: tuple[float, float]) -> None:
    clean = scene()
    one, other = noisy(clean, 1), noisy(moved(clean, shift), 2)
    likeness = compare_frames(one, other)
    assert np.hypot(*np.subtract(likeness.shift_px, shift)) < 0.4
    assert likeness.structure > 0.7
    assert likeness.noise < 0.1
    back = aligned(one, other)
    known = np.isfinite(back)
    overlap = (192 - abs(shift[0])) * (192 - abs(shift[1])) / 192**2
    assert overlap - 0.15 < known.mean() <= overlap + 0.01
    assert np.abs(back - clean)[known].std() < 8
    assert abs(float((back - clean)[known].mean())) < 0.5


def test_unrelated_frames_have_nothing_in_common() -> None:
    assert compare_frames(noisy(scene(1), 1), noisy(scene(2), 2)).structure < 0.3


def test_noise_that_is_the_same_is_noticed() -> None:
    one = noisy(scene(), 1)
    assert compare_frames(one, one).noise > 0.9
    both = np.random.default_rng(5).normal(0, 10, one.shape).astype(np.float32)
    half = compare_frames(noisy(scene() + both, 1), noisy(scene() + both, 2)).noise
    assert 0.25 < half < 0.75


def test_what_moved_is_left_out() -> None:
    one, other = scene(), scene()
    one[60:90, 60:90] += 40
    other[110:140, 110:140] += 40
    back = aligned(noisy(one, 1), noisy(other, 2))
    unknown = np.isnan(back)
    assert unknown[65:85, 65:85].all()
    assert unknown[115:135, 115:135].all()
    assert unknown.mean() < 0.25
    still = aligned(noisy(scene(), 1), noisy(scene(), 2))
    assert np.isnan(still).mean() < 0.06


def test_levels_of_the_target_are_those_of_the_frame() -> None:
    clean = scene()
    back = aligned(noisy(clean, 1, 4), 3 * noisy(clean, 2, 4) + 1000)
    known = np.isfinite(back)
    assert abs(float((back - clean)[known].mean())) < 0.5
    assert float((back - clean)[known].std()) < 6


def test_two_neighbours_have_half_the_noise_of_one() -> None:
    clean = scene()
    frame, neighbours = noisy(clean, 1), [noisy(clean, 2), noisy(clean, 3)]
    one, both = ((noisy_target(frame, neighbours[:n]) - clean) for n in (1, 2))
    assert np.nanvar(both) < 0.65 * np.nanvar(one)


def test_pixels_without_a_value_and_frames_without_structure_do_no_harm() -> None:
    one, other = noisy(scene(), 1), noisy(scene(), 2)
    one[:20], other[50:60, 50:60] = np.nan, np.inf
    back = aligned(one, other)
    assert np.isnan(back[:20]).all()
    assert np.isnan(back[52:58, 52:58]).all()
    assert np.isfinite(back[100:]).mean() > 0.8
    flat = np.zeros((64, 48), np.uint8)
    assert compare_frames(flat, flat).structure == 0
    assert np.nanmax(np.abs(aligned(flat, flat))) == 0
