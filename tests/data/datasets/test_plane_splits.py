"""Parts of images that are held out: nothing is learnt from them, and nothing else is lost."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.datasets.plane_splits import split_within_images
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.images.image import Image
from napari_emssl.data.images.opening import as_image


def stack(count: int, height: int, width: int = 40) -> np.ndarray:
    """Planes whose pixels tell plane and row: 1000 times the plane plus the row."""
    rows = np.arange(height)[:, None] + np.zeros(width, int)
    return np.stack([1000 * plane + rows for plane in range(count)]).astype(np.int32)


def seen(catalogue, images) -> set[int]:
    """Plane and row of every pixel of these images."""
    planes = catalogue.planes_of(images)
    return {int(value) for number in planes for value in np.unique(catalogue.store.read(int(number)))}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 25), st.integers(8, 90)), min_size=1, max_size=3), st.sampled_from([8, 16, 32])
)
def test_every_row_is_learnt_from_or_held_out(shapes, patch):
    catalogue, split = split_within_images(open_sources([stack(*shape) for shape in shapes]), patch)
    assert len(split.training) == len(shapes)
    assert sorted(split.training + split.validation) == list(range(len(catalogue)))
    learnt = catalogue.planes_of(split.training)
    held = catalogue.planes_of(split.validation)
    assert sorted([*learnt, *held]) == list(range(len(catalogue.store.shapes)))
    total = sum(int(np.prod(catalogue.store.shapes[n])) for n in (*learnt, *held))
    assert total == sum(count * height * 40 for count, height in shapes)


def test_a_stack_gives_its_last_tenth_and_a_plane_its_lowest_rows():
    film, image = stack(25, 50), stack(1, 100)[0]
    catalogue, split = split_within_images(open_sources([film, image]), 16)
    assert [catalogue.names[n] for n in split.validation] == ["0 (held out)", "1 (held out)"]
    assert seen(catalogue, split.validation[:1]) == {1000 * plane + row for plane in (23, 24) for row in range(50)}
    assert seen(catalogue, split.validation[1:]) == set(range(80, 100))
    assert not seen(catalogue, split.training[1:]) & set(range(80, 100))


def test_a_piece_is_read_row_by_row_as_a_plane_is():
    catalogue, split = split_within_images(open_sources([stack(1, 100)]), 16)
    held = int(catalogue.planes_of(split.validation)[0])
    assert catalogue.store.shapes[held].tolist() == [20, 40]
    assert catalogue.store.read(held, 3, 5)[:, 0].tolist() == [83, 84]
    assert catalogue.store.read(held, 15, 99)[:, 0].tolist() == [95, 96, 97, 98, 99]


def test_what_is_too_small_is_learnt_from_as_a_whole():
    catalogue, split = split_within_images(open_sources([stack(2, 40)]), 32)
    assert (split.training, split.validation) == ([0], [])
    assert catalogue.counts.tolist() == [2]


def test_images_keep_their_names():
    images = [Image(name, as_image(stack(1, 50)).planes, (1,)) for name in ("film", "grid")]
    assert open_sources(images).names == ["film", "grid"]
    assert open_sources(images[:1]).names == ["film"]
