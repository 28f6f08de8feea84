"""The pretext task: strengths in their ranges, drawn per image, the same for the same seed."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_emssl.data.patches.corruption import corrupt, gaussian_blur, turn


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_noise_strength_is_drawn_per_image_from_its_range() -> None:
    noisy = corrupt(torch.zeros(64, 1, 64, 64), noise=(0.05, 0.2), blur=(0.0, 0.0), generator=seeded())
    spread = noisy.flatten(1).std(dim=1)
    assert float(spread.min()) > 0.045
    assert float(spread.max()) < 0.21
    assert float(spread.max() - spread.min()) > 0.1


def test_no_corruption_asked_for_changes_nothing() -> None:
    clean = torch.rand(2, 1, 32, 32)
    assert torch.equal(corrupt(clean, (0.0, 0.0), (0.0, 0.0), seeded()), clean)


def test_blur_is_the_gaussian_of_its_sigma() -> None:
    images = torch.rand(2, 1, 48, 48, dtype=torch.float64)
    blurred = gaussian_blur(images, torch.tensor([0.8, 2.0], dtype=torch.float64), 2.0)
    for image, sigma, found in zip(images[:, 0], (0.8, 2.0), blurred[:, 0], strict=True):
        expected = ndimage.gaussian_filter(image.numpy(), sigma, mode="mirror", radius=6)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_the_same_seed_corrupts_alike_and_another_differently() -> None:
    clean = torch.rand(2, 1, 32, 32)
    first, again, other = (corrupt(clean, (0.1, 0.2), (0.0, 2.0), seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@given(st.integers(1, 3), st.integers(2, 40), st.integers(2, 40))
@settings(max_examples=25, deadline=None)
def test_any_shape_comes_back_finite(count: int, height: int, width: int) -> None:
    corrupted = corrupt(torch.rand(count, 1, height, width), (0.0, 0.3), (0.0, 3.0), seeded())
    assert corrupted.shape == (count, 1, height, width)
    assert torch.isfinite(corrupted).all()


def test_the_eight_turns_differ_and_keep_a_mark() -> None:
    image = torch.arange(12.0).reshape(3, 4)
    turned = [turn(image, code) for code in range(8)]
    assert len({tuple(t.flatten().tolist()) + tuple(t.shape) for t in turned}) == 8
    assert all(sorted(t.flatten().tolist()) == sorted(image.flatten().tolist()) for t in turned)
