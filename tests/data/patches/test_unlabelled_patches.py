"""Patches of unlabelled images: reproducible from their position, by area, of the size asked for."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.opening import as_image
from napari_emssl.data.patches.unlabelled_patches import UnlabelledPatches


def planes_of(*shapes: tuple[int, int]) -> list:
    rng = np.random.default_rng(0)
    return [as_image(rng.random(shape, dtype=np.float32)) for shape in shapes]


@given(st.tuples(st.integers(1, 80), st.integers(1, 80)), st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_a_patch_has_the_size_asked_for_even_of_smaller_planes(shape: tuple[int, int], size: int) -> None:
    plane = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    scaling = IntensityScaling()
    patch = UnlabelledPatches([as_image(plane)], size, scaling).draw(0).patch
    assert patch.shape == (1, size, size)
    assert set(patch.numpy().ravel()) <= set(scaling.fit(plane).to_unit(plane).ravel())


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
