"""Patches: reproducible from their position, aligned with their targets, centred on paint."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.images.image import as_image
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.patches import (
    LabelledPlane,
    PaintedPatches,
    UnlabelledPatches,
    cut,
    random_crop,
    vary_intensity,
)


def planes_of(*shapes: tuple[int, int]) -> list:
    rng = np.random.default_rng(0)
    return [as_image(rng.random(shape, dtype=np.float32)) for shape in shapes]


@given(st.tuples(st.integers(1, 80), st.integers(1, 80)), st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_random_crop_has_the_size_asked_for_even_of_smaller_planes(shape: tuple[int, int], size: int) -> None:
    plane = np.arange(shape[0] * shape[1]).reshape(shape)
    crop = random_crop(plane, size, np.random.default_rng(0))
    assert crop.shape == (size, size)
    assert set(crop.ravel()) <= set(plane.ravel())


def test_a_patch_depends_on_seed_and_position_alone() -> None:
    images = planes_of((70, 90), (64, 64))
    forward = UnlabelledPatches(images, 32, IntensityScaling(), seed=5)
    backward = UnlabelledPatches(images, 32, IntensityScaling(), seed=5)
    positions = range(3 * len(forward))
    first = {k: forward[k] for k in positions}
    assert all(torch.equal(backward[k], first[k]) for k in reversed(positions))
    assert not torch.equal(UnlabelledPatches(images, 32, IntensityScaling(), seed=6)[0], first[0])


def test_an_epoch_visits_every_plane_by_its_area() -> None:
    patches = UnlabelledPatches(planes_of((64, 64), (32, 32), (10, 20)), 32, IntensityScaling())
    assert len(patches) == 4 + 1 + 1
    assert patches[0].shape == (1, 32, 32)
    assert len(UnlabelledPatches(planes_of((64, 64), (32, 32)), 32, IntensityScaling(), visits="once")) == 2


def test_planes_that_do_not_fit_into_memory_give_the_same_patches() -> None:
    images = planes_of((64, 64), (64, 64))
    kept, read_again = (UnlabelledPatches(images, 32, IntensityScaling(), cache_bytes=room) for room in (2**30, 0))
    assert all(torch.equal(kept[k], read_again[k]) for k in range(8))


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


@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_cut_over_the_border_mirrors_or_fills_with_zero(top: int, left: int, edge: int) -> None:
    plane = np.arange(1, 31).reshape(5, 6)
    mirrored, filled = (cut(plane, (top, left), edge, fill) for fill in ("reflect", "zero"))
    assert mirrored.shape == filled.shape == (edge, edge)
    assert (mirrored > 0).all()
    for row, column in ((0, 0), (edge - 1, edge - 1)):
        at = row + top, column + left
        within = 0 <= at[0] < 5 and 0 <= at[1] < 6
        assert filled[row, column] == (plane[at] if within else 0)
        if within:
            assert mirrored[row, column] == plane[at]


def test_intensity_varies_within_its_bounds_and_keeps_the_picture() -> None:
    rng = np.random.default_rng(0)
    images = torch.rand(64, 1, 16, 16)
    varied = vary_intensity(images, rng)
    shifts = (varied - images).mean(dim=(1, 2, 3))
    assert 0.03 < float(shifts.std()) < 0.15
    assert float(shifts.abs().max()) < 0.3
    both = torch.stack([images.flatten(1), varied.flatten(1)], dim=1)
    assert min(float(torch.corrcoef(pair)[0, 1]) for pair in both) > 0.8
