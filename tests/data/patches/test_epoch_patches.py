"""Epochs are permutations, crops lie inside, image and target stay aligned."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.patches.epoch_patches import EpochPatches
from napari_emssl.data.patches.labelled import LabelledPlane


def labelled(number: int, shape: tuple[int, int] = (64, 64)) -> LabelledPlane:
    """A plane that says which it is, every pixel of it painted."""
    return LabelledPlane(np.full(shape, number, np.float32), np.full(shape, 1, np.uint8))


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_an_epoch_shows_every_plane_as_often_as_asked_for(count: int, size: int, epoch: int, visits: int) -> None:
    patches = EpochPatches([labelled(n) for n in range(count)], 32, seed=1, augment=False, visits=visits)
    steps = -(-count * visits // size)
    seen = [
        round(float(image.mean()))
        for step in range(epoch * steps, (epoch + 1) * steps)
        for image in patches.batch(step, size)[0]
    ]
    assert sorted(seen) == sorted(visits * list(range(count)))


def test_epochs_are_in_other_orders_and_crop_other_places() -> None:
    rng = np.random.default_rng(0)
    planes = [LabelledPlane(rng.random((64, 64), np.float32), np.ones((64, 64), np.uint8)) for _ in range(8)]
    patches = EpochPatches(planes, 32, seed=1, augment=False)
    first, again, second = (torch.cat([patches.batch(4 * e + k, 2)[0] for k in range(4)]) for e in (0, 0, 1))
    assert torch.equal(first, again)
    assert not any(torch.equal(one, other) for one in first for other in second)


def test_crops_never_leave_the_image() -> None:
    """The whole border of a plane is unpainted in a target that is padded; inside there is none of it."""
    patches = EpochPatches([labelled(0, (512, 512))], 448, seed=2)
    assert all(bool((patches.batch(step, 1)[1] == 1).all()) for step in range(12))


@pytest.mark.parametrize("upscale", [1, 2])
def test_image_and_target_stay_aligned(upscale: int) -> None:
    rows, columns = np.mgrid[:64, :64].astype(np.float32)
    image = (rows + 100 * columns) / 6400
    fine = np.repeat(np.repeat(image, upscale, 0), upscale, 1)
    plain = EpochPatches([LabelledPlane(image, fine)], 32, seed=3, upscale=upscale)
    for step in range(10):
        images, targets = plain.batch(step, 1)
        coarse = targets.reshape(1, 1, 32, upscale, 32, upscale).mean((3, 5))
        noise = (images - coarse)[..., 2:-2, 2:-2]
        assert abs(float(noise.mean())) < 0.02
        assert float(noise.std()) < 0.07
    labels = EpochPatches([LabelledPlane(image, (image > 0.5).astype(np.uint8) + 1)], 32, seed=3)
    for step in range(10):
        images, targets = labels.batch(step, 1)
        sure = (images[:, 0] - 0.5).abs() > 0.25
        assert torch.equal(targets[sure] == 2, images[:, 0][sure] > 0.5)


def test_augmentation_flips_resizes_and_adds_noise_for_both_kinds() -> None:
    image = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (96, 1))
    for target in (image, np.ones((96, 96), np.uint8)):
        patches = EpochPatches([LabelledPlane(image, target)], 32, seed=0)
        images = torch.cat([patches.batch(step, 1)[0] for step in range(40)])[:, 0]
        slopes = torch.stack([images.mean(1).diff(dim=1).mean(1), images.mean(2).diff(dim=1).mean(1)], 1)
        directions = {(round(float(a) * 300), round(float(b) * 300)) for a, b in slopes}
        assert {np.sign(a) for a, _ in directions} == {-1, 0, 1}
        steps = slopes.abs().amax(1) * 95
        assert float(steps.max() / steps.min()) > 1.5
        assert float(images.diff(dim=1).diff(dim=2).std()) > 0.005
