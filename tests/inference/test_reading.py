"""Planes are read and scaled ahead of the network, in order, a bounded number of them."""

import time

import numpy as np
import pytest

from napari_emssl.data.images.image import Image
from napari_emssl.data.images.intensity_scaling import IntensityScaling, Levels
from napari_emssl.errors import UserError
from napari_emssl.inference import reading
from napari_emssl.inference.reading import UnreadableError, scaled_planes

STACK = np.random.default_rng(0).integers(0, 1000, (7, 20, 33)).astype(np.uint16)
SCALING = IntensityScaling()


class Counted:
    """A stack that notes how much of it was read, and is damaged at one plane."""

    def __init__(self, damaged: int = -1) -> None:
        self.shape, self.dtype, self.ndim = STACK.shape, STACK.dtype, STACK.ndim
        self.reads: list[int] = []
        self.damaged = damaged

    def __getitem__(self, index: int) -> np.ndarray:
        self.reads.append(index)
        if index == self.damaged:
            raise UserError("damaged")
        return STACK[index]


def blocks(planes: object, firsts: range, shared: Levels | None = None):
    return scaled_planes(Image("a", planes, (7,)), SCALING, firsts, 32, shared)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("shared", [None, Levels(0.0, 500.0)])
def test_blocks_are_what_scaling_each_plane_gives(size: int, shared: Levels | None) -> None:
    found = list(blocks(STACK, range(2, 7, size), shared))
    assert [block.first for block in found] == list(range(2, 7, size))
    for block in found:
        assert block.units.shape == (len(block.planes), 1, 32, 64)
        for plane, levels, unit in zip(block.planes, block.levels, block.units, strict=True):
            assert levels == (shared or SCALING.fit(plane))
            np.testing.assert_array_equal(unit[0, :20, :33], levels.to_unit(plane))
    np.testing.assert_array_equal(np.concatenate([block.planes for block in found]), STACK[2:])


def test_at_most_two_blocks_are_read_ahead_and_none_after_the_end() -> None:
    planes = Counted()
    ahead = blocks(planes, range(7))
    next(ahead)
    time.sleep(0.3)
    assert planes.reads == [0, 1, 2]
    ahead.close()
    time.sleep(0.1)
    assert len(planes.reads) <= 3


def test_large_planes_are_not_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_PX_AHEAD", 20 * 33 - 1)
    planes = Counted()
    ahead = blocks(planes, range(7))
    next(ahead)
    time.sleep(0.1)
    assert planes.reads == [0]


def test_a_damaged_plane_is_reported_in_its_turn() -> None:
    ahead = blocks(Counted(damaged=2), range(7))
    assert [next(ahead).first, next(ahead).first] == [0, 1]
    with pytest.raises(UnreadableError, match="damaged"):
        next(ahead)
