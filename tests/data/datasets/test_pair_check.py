"""Pairs that fit, and those that do not, are told apart and said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_emssl.data.datasets.pair_check import check_images, check_planes, factor_of
from napari_emssl.data.images.opening import as_image
from napari_emssl.simulation.stem.simulate import STEMSettings, simulate_stem


@pytest.fixture(scope="module")
def made():
    settings = STEMSettings(size_px=128, background=0.2)
    return [simulate_stem(settings, [5, number]) for number in range(4)]


def discs(shape=(120, 131), seed=0, count=25):
    """A clean image of blurred discs, and the same with noise."""
    rng = np.random.default_rng(seed)
    clean = np.zeros(shape)
    clean[tuple(rng.integers(0, n, count) for n in shape)] = 1
    clean = 100 * ndimage.gaussian_filter(clean, 3) * 50
    return clean + rng.normal(0, clean.std(), shape), clean


@pytest.mark.parametrize("kind", ["no_noise", "no_background", "sharp", "fine"])
def test_simulated_images_fit_their_truth_and_no_other(made, kind):
    for number, one in enumerate(made):
        check = check_planes(one.image, getattr(one, kind))
        assert not check.trouble, (number, check)
        assert check.factor == (2 if kind == "fine" else 1)
        assert np.hypot(*check.shift_px) < 1.5
        other = check_planes(one.image, getattr(made[number - 1], kind))
        assert other.trouble or abs(other.correlation) < 0.2


def test_the_linear_fit_is_found():
    noisy, clean = discs()
    check = check_planes(3 * noisy + 50, clean)
    assert check.gain == pytest.approx(3, rel=0.05)
    assert check.offset == pytest.approx(50, abs=0.05 * clean.max())
    assert (check.trouble, check.doubt, check.shift_px) == ("", "", (0, 0))
    assert check.describe().startswith("They fit (correlation 0.9")


@pytest.mark.parametrize("shift", [(2.3, 0.0), (0.0, -5.5), (-7.0, 11.0)])
@pytest.mark.parametrize("factor", [1, 2])
def test_shifts_are_measured_in_pixels_of_the_image(shift, factor):
    noisy, clean = discs((160, 160))
    moved = ndimage.shift(ndimage.zoom(clean, factor, order=1, grid_mode=True, mode="nearest"),
                          [factor * s for s in shift], mode="nearest")  # fmt: skip
    check = check_planes(noisy, moved)
    np.testing.assert_allclose(check.shift_px, shift, atol=0.3)
    assert check.trouble == f"They are shifted by {np.hypot(*check.shift_px):.1f} px: register them first."


def test_a_shift_of_a_pixel_is_only_a_doubt():
    noisy, clean = discs()
    check = check_planes(noisy, np.roll(clean, 1, axis=0))
    assert not check.trouble
    assert "shifted by 1.0 px" in check.doubt


def test_sizes_that_differ_are_trouble():
    check = check_planes(np.eye(512), np.ones((500, 512)))
    assert check.trouble.startswith("Sizes 512 x 512 and 500 x 512 differ")
    assert check.describe() == check.trouble


def test_a_finer_grid_is_for_super_resolution_only():
    noisy, clean = discs()
    fine = np.kron(clean, np.ones((2, 2)))
    assert "will give results on that grid" in check_planes(noisy, fine).describe()
    assert "only super-resolution" in check_planes(noisy, fine, factors=(1,)).trouble


def test_doubts():
    noisy, clean = discs()
    assert "swapped" in check_planes(clean, noisy).doubt
    assert "inverted" in check_planes(noisy, -clean).doubt
    assert "rescaled" in check_planes(noisy, clean / 1000).doubt


@pytest.mark.parametrize(("image", "target"), [(np.zeros((64, 64)), discs((64, 64))[1]),
                                               (discs((64, 64))[0], np.full((64, 64), 7)),
                                               (np.full((64, 64), np.nan), discs((64, 64))[1])])  # fmt: skip
def test_what_shows_nothing_is_trouble(image, target):
    assert "shows nothing" in check_planes(image, target).trouble


def test_the_same_image_twice_is_trouble():
    noisy, _ = discs()
    assert "nothing to learn" in check_planes(noisy, noisy.copy()).trouble


def test_missing_pixels_are_passed_over():
    noisy, clean = discs()
    expected = check_planes(noisy, clean)
    noisy[3:9, 4], clean[50, 60:63] = np.nan, np.inf
    check = check_planes(noisy, clean)
    assert not check.trouble
    assert check.correlation == pytest.approx(expected.correlation, abs=0.02)


def test_the_middle_of_a_large_plane_is_enough():
    noisy, clean = discs((1501, 1400), count=2500)
    edge = clean.copy()
    edge[:100] = 0
    assert check_planes(noisy, clean).gain == check_planes(noisy, edge).gain


def test_stacks_are_compared_plane_by_plane():
    pairs = [discs(seed=seed) for seed in range(7)]
    images, targets = (as_image(np.stack(side)) for side in zip(*pairs, strict=True))
    assert not check_images(images, targets).doubt
    odd = targets.planes.copy()
    odd[3] = odd[0]
    one_wrong = check_images(images, as_image(odd))
    assert not one_wrong.trouble
    assert one_wrong.doubt.startswith("1 of 5 planes compared: They do not show the same")
    assert "do not show the same" in check_images(images, as_image(targets.planes[::-1].copy())).trouble
    assert "7 planes but 6" in check_images(images, as_image(targets.planes[:6])).trouble


@pytest.mark.parametrize(("image", "target", "factor"), [((8, 9), (8, 9), 1), ((3, 8, 9), (3, 16, 18), 2),
                                                         ((8, 9), (16, 9), 0), ((8, 9), (9, 8), 0)])  # fmt: skip
def test_factors(image, target, factor):
    assert factor_of(image, target) == factor


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), kind=st.sampled_from("bBhIfd?"),
    factor=st.sampled_from((1, 2)), fill=st.sampled_from((0, 1, np.nan, np.inf)), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_plane_gets_an_answer(height, width, kind, factor, fill, seed):
    rng = np.random.default_rng(seed)
    image, target = (rng.normal(0, 50, (f * height, f * width)) for f in (1, factor))
    if kind in "fd":
        image[0, 0] = target[-1, -1] = fill
    check = check_planes(image.astype(kind), target.astype(kind))
    assert check.describe()
    assert -1.001 <= check.correlation <= 1.001
    assert np.isfinite([*check.shift_px, check.gain, check.offset]).all()
