"""Patches around paint: aligned with their targets, centred on paint, reproducible from seed and step."""

import numpy as np
import pytest
import torch

from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.data.patches.painted_patches import PaintedPatches, vary_intensity


def marked(size: int = 96) -> LabelledPlane:
    """A plane whose value tells its target: 0.5 + 0.25 * target inside a painted square."""
    target = np.zeros((size, size), np.uint8)
    target[20:60, 20:60] = 1
    target[30:50, 35:45] = 2
    return LabelledPlane((0.25 * target).astype(np.float32), target)


@pytest.mark.parametrize("seed", range(3))
def test_image_and_target_stay_aligned_under_augmentation(seed: int) -> None:
    patches = PaintedPatches([marked()], 48, seed, augment=True)
    images, targets = zip(*(patches._draw(np.random.default_rng([seed, k])) for k in range(40)), strict=True)
    image, target = torch.stack(images)[:, 0], torch.stack(targets)
    inside = torch.isclose(image, 0.25 * target.float(), atol=0.06)
    painted = target > 0
    assert painted.float().mean() > 0.1
    assert float(inside[painted].float().mean()) > 0.9  # resized patches blur the edges of the mark, no more


def test_without_augmentation_the_mark_is_exact() -> None:
    images, targets = PaintedPatches([marked()], 48, augment=False).batch(0, 16)
    painted = targets > 0
    assert torch.equal(images[:, 0][painted], 0.25 * targets[painted].float())


def test_every_patch_holds_paint_and_classes_are_drawn_alike() -> None:
    item = marked()
    _, targets = PaintedPatches([item], 32, augment=False).batch(0, 64)
    assert all(bool((target > 0).any()) for target in targets)
    rare = float((targets == 2).any(dim=(1, 2)).float().mean())
    assert rare > 0.5  # class 2 is an eighth of the paint


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    patches = PaintedPatches([marked()], 32, seed=1)
    first = patches.batch(7, 4)
    patches.batch(8, 4)
    again = PaintedPatches([marked()], 32, seed=1).batch(7, 4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_intensity_varies_within_its_bounds_and_keeps_the_picture() -> None:
    rng = np.random.default_rng(0)
    images = torch.rand(64, 1, 16, 16)
    varied = vary_intensity(images, rng)
    shifts = (varied - images).mean(dim=(1, 2, 3))
    assert 0.03 < float(shifts.std()) < 0.15
    assert float(shifts.abs().max()) < 0.3
    both = torch.stack([images.flatten(1), varied.flatten(1)], dim=1)
    assert min(float(torch.corrcoef(pair)[0, 1]) for pair in both) > 0.8
