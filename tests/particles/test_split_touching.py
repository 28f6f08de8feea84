"""Touching particles are separated at their necks, and only there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from particle_masks import MASKS, QUICK, disc, table_of
from scipy import ndimage

from napari_emssl.particles.split_touching import cut_at_necks, join_fragments


def pair(distance, diameter=30):
    shape = (2 * diameter, 4 * diameter)
    return sum(disc(shape, diameter, 2 * diameter + s * distance / 2, diameter) for s in (-1, 1)) > 0


def test_touching_discs_are_two_and_one_when_nothing_is_separated():
    mask = pair(27)
    assert len(table_of(mask)) == 2
    assert len(table_of(mask, split=0)) == 1
    areas = table_of(mask).columns["area"]
    assert areas.sum() == mask.sum()
    assert areas[0] == pytest.approx(areas[1], rel=0.05)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_strength_is_a_share_of_the_width_whatever_the_size(scale):
    mask = pair(24 * scale, 30 * scale)
    neck = np.sqrt(1 - 0.8**2)
    assert len(table_of(mask, split=neck - 0.1)) == 1
    assert len(table_of(mask, split=neck + 0.15)) == 2


def test_single_shapes_stay_whole_at_the_default():
    ellipse = np.hypot(*(np.mgrid[:60, :100] - np.array([30, 50])[:, None, None]) / np.array([12, 40])[:, None, None])
    for mask in (disc((50, 50), 25, 24.5, 40), ellipse <= 1, np.ones((9, 9), bool)):
        assert len(table_of(mask)) == 1


def test_pinholes_do_not_cut_a_particle():
    mask = disc((60, 60), 30, 30, 44)
    mask[20:22, 30:32] = mask[38, 25] = mask[30, 40] = False
    table = table_of(mask)
    assert len(table) == 1
    assert table.columns["area"][0] == mask.sum()


@QUICK
@given(MASKS, st.floats(0, 1))
def test_particles_cover_the_mask_and_separation_only_cuts(mask, split):
    instances, classes = join_fragments(cut_at_necks(mask), split)
    whole, pieces = ndimage.label(mask, np.ones((3, 3)))
    np.testing.assert_array_equal(instances > 0, mask)
    assert set(np.unique(instances)) - {0} == set(range(1, len(classes)))
    assert len(classes) - 1 >= pieces
    for number in range(1, len(classes)):
        inside = instances == number
        assert len(np.unique(whole[inside])) == 1
        assert ndimage.label(inside, np.ones((3, 3)))[1] == 1
    if split == 0:
        assert len(classes) - 1 == pieces


@QUICK
@given(MASKS, st.floats(0, 1), st.floats(0, 1))
def test_stronger_separation_never_joins(mask, one, other):
    fragments = cut_at_necks(mask)
    weak, strong = join_fragments(fragments, min(one, other))[0], join_fragments(fragments, max(one, other))[0]
    for number in range(1, strong.max(initial=0) + 1):
        assert len(np.unique(weak[strong == number])) == 1


def test_classes_are_separate_even_where_they_touch():
    mask = np.zeros((20, 40), np.uint8)
    mask[5:15, 5:20], mask[5:15, 20:35] = 1, 7
    table = table_of(mask, labels="mask", split=0)
    np.testing.assert_array_equal(table.columns["class"], [1, 7])
    np.testing.assert_array_equal(table.columns["area"], [150, 150])
