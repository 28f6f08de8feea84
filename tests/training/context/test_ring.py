"""Ground that is like the paint does not count as background."""

import torch

from napari_emssl.networks.attention import unit_vectors
from napari_emssl.training.context.ring import unlike_paint

SHARP = 10.0


def near(*direction: float, count: int, spread: float = 0.1, seed: int = 0) -> torch.Tensor:
    """Unit vectors ``(c, count)`` around a direction."""
    noise = torch.randn(len(direction), count, generator=torch.Generator().manual_seed(seed))
    return unit_vectors((torch.tensor(direction)[:, None] + spread * noise)[None, ..., None])[0]


PAINT = near(1.0, 0.0, 0.0, count=50)


def test_neighbours_in_a_ring_are_found_even_where_they_are_most_of_it() -> None:
    for neighbours in (10, 50, 85):
        ring = torch.cat([near(1, 0, 0, count=neighbours, seed=1), near(0, 1, 0, count=100 - neighbours, seed=2)], 1)
        kept = unlike_paint(ring, [PAINT], None, SHARP)
        assert kept[neighbours:].all()
        assert not kept[:neighbours].any()


def test_what_is_close_to_the_paint_says_which_of_two_grounds_is_background() -> None:
    paint, other = near(0.8, 0.6, 0, count=50), near(0.8, 0, 0.6, count=90, seed=1)
    ring = torch.cat([other, near(0, 1, 0, count=10, seed=2)], 1)
    close = torch.arange(100) >= 90
    assert unlike_paint(ring, [paint], None, SHARP)[:90].all(), "alike among themselves"
    kept = unlike_paint(ring, [paint], None, SHARP, close)
    assert kept[90:].all()
    assert not kept[:90].any()


def test_a_ring_unlike_the_paint_stays_whole() -> None:
    assert unlike_paint(near(0, 1, 0, count=60), [PAINT], None, SHARP).all()


def test_painted_background_speaks_for_pixels_like_it() -> None:
    ring, ground = near(0.7, 0.7, 0, count=40, spread=0.02), near(0.6, 0.8, 0, count=20, spread=0.02, seed=3)
    assert unlike_paint(ring, [PAINT], ground, SHARP).all()


def test_every_class_counts() -> None:
    other = near(0, 0, 1, count=30)
    ring = torch.cat([near(0, 0, 1, count=20, seed=4), near(0, 1, 0, count=60, seed=5)], 1)
    kept = unlike_paint(ring, [PAINT, other], None, SHARP)
    assert kept[20:].all()
    assert not kept[:20].any()


def test_of_a_ring_like_the_paint_the_least_alike_stays() -> None:
    ring = near(1, 0, 0, count=100, seed=6)
    ring[:, :5] = near(0.8, 0.6, 0, count=5, spread=0.01)
    kept = unlike_paint(ring, [PAINT], None, SHARP)
    assert 1 <= kept.sum() <= 10
    assert kept[:5].all()
