"""Where denoising without clean images begins: what is compared is bounded, and chooses as the whole would."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.training.finetuning.noise_start import (
    best_smoothing,
    hidden,
    hidden_twice_where_few,
    parts_of,
)


def numbered(height: int, width: int) -> LabelledPlane:
    """A plane whose pixels are all different."""
    plane = np.arange(height * width, dtype=np.float32).reshape(height, width)
    return LabelledPlane(plane, plane)


def scene(edge: int, blur_px: float) -> LabelledPlane:
    """A noisy plane of blurred structure."""
    rng = np.random.default_rng(0)
    clean = ndimage.gaussian_filter(rng.standard_normal((edge, edge)), blur_px)
    noisy = (clean / clean.std() + rng.standard_normal(clean.shape)).astype(np.float32)
    return LabelledPlane(noisy, noisy)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 1500), st.integers(1, 1500)), min_size=1, max_size=6))
def test_parts_are_few_small_and_different(shapes: list[tuple[int, int]]) -> None:
    planes = [numbered(*shape) for shape in shapes]
    parts = parts_of(planes)
    assert len(parts) <= 4
    assert all(1 <= edge <= 512 for part in parts for edge in part.image.shape)
    for plane in planes[:4] if len(planes) == 1 else []:
        seen = np.concatenate([part.image.ravel() for part in parts])
        assert len(np.unique(seen)) == len(seen)
        assert max(plane.image.shape) > 1024 or len(seen) == plane.image.size  # one that is not large is seen whole


def test_no_more_than_a_megapixel_is_compared() -> None:
    plane = numbered(1100, 1200)
    for count in (1, 2, 9):
        compared = hidden_twice_where_few(parts_of([plane] * count), (0, 0))
        assert sum(part.image.size for part in compared) <= 2**20
    assert len(hidden_twice_where_few(parts_of([numbered(300, 300)]), (0, 0))) == 2


@pytest.mark.parametrize("blur_px", [1.0, 3.0])
def test_parts_choose_the_gaussian_that_the_whole_chooses(blur_px: float) -> None:
    plane = scene(1100, blur_px)
    by_parts, loss = best_smoothing(hidden_twice_where_few(parts_of([plane]), (0, 0)))
    by_all, whole_loss = best_smoothing([hidden(plane, (0, 0), seed=0)])
    assert by_parts == by_all
    assert loss == pytest.approx(whole_loss, rel=0.02)
