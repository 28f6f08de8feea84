"""Hidden pixels: none is seen, what is asked stays true, and the reach of noise is measured."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import lfilter

from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.data.patches.masked_pixels import HiddenPatches, hide, noise_reach, noise_variance

Floats = NDArray[np.float32]


def plane(shape: tuple[int, int] = (96, 96), seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("reach", [(0, 0), (0, 3), (2, 2), (6, 6)])
@pytest.mark.parametrize("shape", [(96, 96), (41, 130)])
def test_no_hidden_pixel_is_seen_anywhere(reach: tuple[int, int], shape: tuple[int, int]) -> None:
    values = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    hidden, asked = hide(values, values, reach, np.random.default_rng(1))
    centres = np.argwhere(np.isfinite(asked))
    assert 0.3 < len(centres) * (4 + 2 * reach[0]) * (4 + 2 * reach[1]) / values.size < 1.7
    np.testing.assert_array_equal(asked[np.isfinite(asked)], values[np.isfinite(asked)])
    seen = set(hidden.ravel().tolist())
    for y, x in centres:
        for at in ((y, x), (y + reach[0], x), (y, x + reach[1]), (y - reach[0], x), (y, x - reach[1])):
            if 0 <= at[0] < shape[0] and 0 <= at[1] < shape[1]:
                assert float(values[at]) not in seen


def test_another_value_of_a_hidden_pixel_changes_nothing_the_network_sees() -> None:
    values = plane()
    hidden, asked = hide(values, values, (0, 2), np.random.default_rng(3))
    changed = np.where(np.isfinite(asked), values + 100, values)
    again, asked_again = hide(changed, changed, (0, 2), np.random.default_rng(3))
    np.testing.assert_array_equal(again, hidden)
    np.testing.assert_allclose(asked_again, asked + 100, rtol=1e-5)


def test_replacements_come_from_nearby() -> None:
    ramp = np.add.outer(np.arange(96.0), np.zeros(96)).astype(np.float32)
    hidden, _ = hide(ramp, ramp, (1, 1), np.random.default_rng(0))
    assert np.percentile(np.abs(hidden - ramp), 99.9) <= 3


@pytest.mark.parametrize(("lag", "reach"), [(0.0, 0), (0.3, 1), (0.5, 3)])
def test_noise_of_a_slow_detector_reaches_along_lines(lag: float, reach: int) -> None:
    noise = lfilter([1], [1, -lag], plane((256, 256)), axis=1)
    assert noise_reach(noise) == (0, reach)
    assert noise_reach(noise.T) == (reach, 0)
    y, x = np.mgrid[:256, :256]
    assert noise_reach(noise + 3 * np.cos(y / 2) + 3 * np.cos(x / 2 + y / 5)) == (0, reach)


def test_blurred_noise_reaches_both_ways() -> None:
    assert noise_reach(ndimage.gaussian_filter(plane((256, 256)), 1.0)) in [(2, 2), (3, 3)]


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_the_noise_on_smooth_structure_is_measured(sigma: float) -> None:
    y, x = np.mgrid[:256, :256]
    noise = np.random.default_rng(0).normal(0, sigma, (256, 256))
    assert noise_variance(noise + 30 * np.cos(y / 9) + x) == pytest.approx(sigma**2, rel=0.05)
    assert noise_variance(np.full((3, 3), np.nan)) == 0
    assert noise_variance(np.zeros((2, 9))) == 0


def test_the_reach_of_odd_planes_is_nothing() -> None:
    for odd in (np.zeros((64, 64)), np.full((3, 200), 7, np.uint8), np.full((40, 40), np.nan)):
        assert noise_reach(odd) in [(0, 0)]


def test_patches_ask_for_what_is_hidden_in_any_turn() -> None:
    values = plane((90, 150)) + 50
    patches = HiddenPatches([LabelledPlane(values, values)], 64, 1, True, (0, 2))
    for step in range(4):
        images, targets = patches.batch(step, 4)
        assert images.shape == targets.shape == (4, 1, 64, 64)
        asked = torch.isfinite(targets)
        assert 0.01 < float(asked.float().mean()) < 0.1
        assert not (images[asked] == targets[asked]).any()
    torch.testing.assert_close(patches.batch(2, 4), patches.batch(2, 4), equal_nan=True)


def test_a_mirror_does_not_show_what_is_hidden() -> None:
    values = np.arange(40 * 150, dtype=np.float32).reshape(40, 150)
    patches = HiddenPatches([LabelledPlane(values, values)], 64, 1, False, (0, 0))
    image, target = (side[0, 0] for side in patches.batch(0, 1))
    assert not np.isin(target[torch.isfinite(target)].numpy(), image.numpy()).any()
