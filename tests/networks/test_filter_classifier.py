"""Filters say what is bright, steep and bent, the same in tiles as in the whole, and never overrule a sure network."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import gaussian

from napari_emssl.networks.filter_classifier import (
    GRID_PX,
    RECEPTIVE_FIELD_PX,
    RESPONSES,
    FilterClassifier,
    PixelFilters,
)  # fmt: skip


def responses(image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return PixelFilters()(torch.tensor(image, dtype=torch.float32)[None, None])[0].numpy()


@pytest.mark.parametrize(
    ("number", "sigma", "tolerance"), [(0, 0.5, 1e-5), (2, 2.0, 1e-5), (3, 4.0, 3e-3), (5, 16.0, 3e-3)]
)
def test_brightness_is_that_behind_a_gaussian(number: int, sigma: float, tolerance: float) -> None:
    image = gaussian(np.random.default_rng(0).random((256, 320)), 3)
    wanted = gaussian(image, sigma, truncate=4)
    inside = np.s_[80:-80, 80:-80]
    np.testing.assert_allclose(responses(image)[4 * number][inside], wanted[inside], atol=tolerance)


def test_a_slope_is_steep_and_a_parabola_is_bent() -> None:
    y, x = np.mgrid[:256, :256] - 128.0
    slope, parabola = responses(3 * y + 4 * x), responses(y**2)
    middle = np.s_[:, 128, 128]
    for number in range(RESPONSES // 4):
        pixel = GRID_PX if number >= 3 else 1  # wide filters count in pixels of their own grid
        assert slope[middle][4 * number + 1] == pytest.approx(5 * pixel, rel=1e-3)
        assert parabola[middle][4 * number + 2] == pytest.approx(2 * pixel**2, rel=1e-3)
        assert parabola[middle][4 * number + 3] == pytest.approx(0, abs=2e-2)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**16))
def test_a_tile_with_its_halo_has_the_responses_of_the_whole(row: int, column: int, seed: int) -> None:
    image = np.random.default_rng(seed).random((260, 260), np.float32)
    halo = RECEPTIVE_FIELD_PX // 2
    grown = -(-halo // GRID_PX) * GRID_PX
    top, left = GRID_PX * row, GRID_PX * column
    tile = image[top : top + 2 * grown + 16, left : left + 2 * grown + 16]
    inside = np.s_[:, grown : grown + 16, grown : grown + 16]
    whole = responses(image)[:, top : top + tile.shape[0], left : left + tile.shape[1]]
    np.testing.assert_allclose(responses(tile)[inside], whole[inside], atol=1e-5)


def test_below_one_half_they_decide_only_where_the_network_is_in_doubt() -> None:
    filters = FilterClassifier(2, 0.4)
    against = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]).view(1, 2, 1, 4)
    sure = torch.tensor([9.0, 0.2, -0.2, -9.0]).view(1, 1, 1, 4)
    assert (filters.mixed(against, sure)[:, 1] > 0.5).flatten().tolist() == [True, False, True, False]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_without_a_share_they_change_no_probability(channels: int) -> None:
    filters = FilterClassifier(max(channels, 2), 0.0)
    logits = 3 * torch.randn(2, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    found = filters(torch.rand(2, 1, 8, 8), logits)
    assert found.shape == logits.shape
    if channels == 1:
        torch.testing.assert_close(found, logits, atol=1e-3, rtol=1e-3)
    else:
        torch.testing.assert_close(found.softmax(1), logits.softmax(1), atol=1e-4, rtol=0)
