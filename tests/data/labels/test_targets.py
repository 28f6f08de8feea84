"""Painting and masks to core targets; holding painted objects out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_emssl.data.labels.targets import (
    hold_out,
    painted_objects,
    target_from_painting,
    targets_from_masks,
    targets_from_painting,
)
from napari_emssl.errors import UserError


def disc(shape: tuple[int, int], y: int, x: int, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def discs(*centres: tuple[int, int], radius: float = 6, value: int = 1) -> np.ndarray:
    labels = np.zeros((120, 160), np.int32)
    for y, x in centres:
        labels[disc(labels.shape, y, x, radius)] = value
    return labels


def test_near_makes_a_ring_of_half_the_diameter() -> None:
    labels = discs((60, 80), radius=10)
    target = target_from_painting(labels)
    distance = ndimage.distance_transform_edt(labels == 0)
    np.testing.assert_array_equal(target == 2, labels == 1)
    assert (target[(distance > 0) & (distance <= np.sqrt(2))] == 0).all()
    assert (target[(distance > 1.5) & (distance <= 10)] == 1).all()
    assert (target[distance > 12.5] == 0).all()


def test_rings_are_never_narrower_than_4_or_wider_than_48_px() -> None:
    for radius, reach in [(1, 4), (60, 48)]:
        labels = np.zeros((300, 300), np.uint8)
        labels[disc(labels.shape, 150, 150, radius)] = 1
        distance = ndimage.distance_transform_edt(labels == 0)
        ring = distance[target_from_painting(labels) == 1]
        assert reach < ring.max() <= reach + 1.5


def test_rings_spare_other_objects_and_their_borders() -> None:
    labels = discs((60, 60), radius=10) + discs((60, 74), radius=2, value=2)
    target = target_from_painting(labels)
    np.testing.assert_array_equal(target == 2, labels == 1)
    np.testing.assert_array_equal(target == 3, labels == 2)
    assert not (target[ndimage.binary_dilation(labels > 0, np.ones((3, 3)))] == 1).any()


def test_object_in_the_corner_and_on_a_tiny_plane() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[:3, :3] = 1
    assert (target_from_painting(labels)[5:7, 0] == 1).all()
    assert set(np.unique(target_from_painting(np.eye(4, 6, dtype=np.uint8)))) <= {0, 1, 2}


def test_background_label_counts_in_every_mode() -> None:
    labels = discs((60, 60))
    labels[0, :] = 7
    for unpainted, elsewhere in [("near", 0), ("ignored", 0), ("background", 1)]:
        target = target_from_painting(labels, unpainted, 7)
        assert (target[0] == 1).all()
        assert target[119, 159] == elsewhere
        np.testing.assert_array_equal(target == 2, labels == 1)
    assert set(np.unique(target_from_painting(labels, "ignored", 7)[1:])) == {0, 2}


def test_several_background_labels_and_ignored_ones() -> None:
    labels = discs((60, 60)) + discs((60, 74), radius=3, value=5)
    labels[0, :], labels[119, :] = 7, 8
    for unpainted, elsewhere in [("near", 0), ("ignored", 0), ("background", 1)]:
        (target,), values = targets_from_painting([labels], unpainted, (7, 8), ignored_labels=(5,))
        assert values == (1,)
        assert (target[[0, 119]] == 1).all()
        assert (target[labels == 5] == 0).all(), "not even as a part of the ring around its neighbour"
        assert target[110, 10] == elsewhere
        np.testing.assert_array_equal(target == 2, labels == 1)


def test_regions_are_fully_annotated_and_the_rest_keeps_its_meaning() -> None:
    planes = [discs((60, 60)), discs((60, 60)), np.zeros((120, 160), np.int32)]
    planes[0][56:64, 90:98] = 5
    region = np.zeros((120, 160), bool)
    region[40:100, 40:100] = True
    for unpainted, meaning in [("near", 0), ("ignored", 0), ("background", 1)]:
        targets, _ = targets_from_painting(planes, unpainted, regions=[region, None, region])
        plain, _ = targets_from_painting(planes, unpainted)
        np.testing.assert_array_equal(targets[0][region] == 1, (planes[0] == 0)[region])
        np.testing.assert_array_equal(targets[0][~region], plain[0][~region])
        np.testing.assert_array_equal(targets[1], plain[1])
        np.testing.assert_array_equal(targets[2][region], 1)
        assert (targets[2][~region] == meaning).all()
    assert set(np.unique(targets_from_painting(planes[:1], "ignored", regions=[region])[0])) == {0, 1, 2, 3}
    with pytest.raises(UserError, match="Only one class"):
        targets_from_painting(planes[1:2], "ignored", regions=[None])


def test_classes_are_consecutive_and_agree_between_planes() -> None:
    planes = [discs((60, 60), value=9), discs((60, 60), value=4), np.zeros((120, 160), np.int32)]
    targets, values = targets_from_painting(planes)
    assert values == (4, 9)
    assert [target.max() for target in targets] == [3, 2, 0]
    assert all(target.dtype == np.uint8 for target in targets)
    merged, values = targets_from_painting(planes, merge_classes=True)
    assert values == (4,)
    assert [target.max() for target in merged] == [2, 2, 0]


def test_painting_that_cannot_teach_is_refused_with_a_way_out() -> None:
    empty = np.zeros((9, 9), np.uint8)
    only_background = empty + 2
    with pytest.raises(UserError, match=r"No pixel is painted in 'Labels'\. Paint one particle"):
        target_from_painting(empty, name="'Labels'")
    with pytest.raises(UserError, match="Only background is painted"):
        target_from_painting(only_background, background_label=2)
    with pytest.raises(UserError, match=r"Only one class is painted .* background"):
        target_from_painting(np.eye(9, dtype=np.uint8), "ignored")
    with pytest.raises(UserError, match="Only one class"):
        target_from_painting(empty + 1)
    with pytest.raises(UserError, match="20 different values"):
        target_from_painting(np.arange(21).reshape(3, 7))


def test_two_classes_need_no_background_when_the_rest_is_ignored() -> None:
    labels = discs((60, 60)) + discs((20, 20), value=2)
    np.testing.assert_array_equal(target_from_painting(labels, "ignored"), np.where(labels, labels + 1, 0))


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 3, 4), int), np.full((3, 3), 0.5), np.full((3, 3), -1), np.full((3, 3), np.nan)]
)
def test_what_are_no_labels_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(UserError, match="the painting"):
        target_from_painting(bad)


@given(
    labels=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int64, np.bool_, np.float32]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=24),
        elements=st.sampled_from([0, 0, 0, 1]),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_painting_gives_a_target_or_a_sentence(labels: np.ndarray) -> None:
    for unpainted in ("near", "ignored", "background"):
        try:
            target = target_from_painting(labels, unpainted)
        except UserError:
            continue
        assert target.shape == labels.shape
        np.testing.assert_array_equal(target == 2, labels == 1)
        assert set(np.unique(target)) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("mask", "values"), [([[0, 255]], (255,)), ([[0, 1, 2]], (1, 2)), ([[0.0, 1.0]], (1,)), ([[False, True]], (1,))]
)
def test_masks_with_background_zero(mask: list, values: tuple[int, ...]) -> None:
    (target,), found = targets_from_masks([np.array(mask)])
    assert found == values
    np.testing.assert_array_equal(target, [np.arange(1, len(values) + 2)])


def test_mask_values_agree_between_images() -> None:
    targets, values = targets_from_masks([np.array([[0, 2]]), np.array([[0, 1]]), np.array([[0, 0]])])
    assert values == (1, 2)
    np.testing.assert_array_equal(np.concatenate(targets), [[1, 3], [1, 2], [1, 1]])


def test_masks_with_unpainted_zero() -> None:
    (target,), values = targets_from_masks([np.array([[0, 1, 3, 7]])], "unpainted")
    assert values == (3, 7)
    np.testing.assert_array_equal(target, [[0, 1, 2, 3]])
    (target,), values = targets_from_masks([np.array([[0, 1, 3, 7]])], "unpainted", True)
    np.testing.assert_array_equal(target, [[0, 1, 2, 2]])
    for bad, words in [([[0, 1]], "Only background"), ([[0, 2]], "Only one class"), ([[0, 0]], "No pixel")]:
        with pytest.raises(UserError, match=words):
            targets_from_masks([np.array(bad)], "unpainted")


def test_numbered_objects_are_refused_or_merged() -> None:
    masks = [np.arange(100, dtype=np.uint16).reshape(10, 10)]
    with pytest.raises(UserError, match=r"99 different values .*--merge-classes"):
        targets_from_masks(masks)
    (target,), values = targets_from_masks(masks, merge_classes=True)
    assert values == (1,)
    np.testing.assert_array_equal(target, np.where(masks[0], 2, 1))


def test_masks_of_one_class_only_are_refused() -> None:
    with pytest.raises(UserError, match="Only one class"):
        targets_from_masks([np.ones((3, 3), np.uint8)])
    with pytest.raises(UserError, match="No pixel is painted in masks"):
        targets_from_masks([np.zeros((3, 3), np.uint8)], name="masks")


def test_masks_are_read_with_the_values_of_a_model() -> None:
    (target,), values = targets_from_masks([np.array([[0, 2]])], class_values=(1, 2))
    assert values == (1, 2)
    np.testing.assert_array_equal(target, [[1, 3]])
    with pytest.raises(UserError, match="does not know the values 5"):
        targets_from_masks([np.array([[0, 5]])], class_values=(1, 2))
    (target,), _ = targets_from_masks([np.zeros((2, 2), int)], class_values=(1,))
    assert (target == 1).all()


def test_objects_are_found_by_class() -> None:
    target = np.ones((20, 20), np.uint8)
    target[2:5, 2:5], target[5:8, 5:8], target[2:5, 5:9] = 2, 2, 3
    found = painted_objects(target)
    assert sorted((item.core_class, int(item.mask.sum())) for item in found) == [(2, 18), (3, 12)]
    for item in found:
        assert (target[item.box][item.mask] == item.core_class).all()
    assert painted_objects(np.zeros((3, 3), np.uint8)) == []


CENTRES = [(20, 20), (20, 80), (20, 140), (90, 20), (90, 80), (90, 140)]


@pytest.mark.parametrize("unpainted", ["near", "background"])
@pytest.mark.parametrize("seed", range(4))
def test_whole_objects_with_their_background_are_held_out(seed: int, unpainted) -> None:
    target = target_from_painting(discs(*CENTRES), unpainted)
    (training,), (validation,) = hold_out([target], 0.3, seed)
    assert not ((training > 0) & (validation > 0)).any()
    assert ((training == target) | (training == 0)).all()
    assert ((validation == target) | (validation == 0)).all()
    assert [len(painted_objects(side)) for side in (training, validation)] == [4, 2]
    assert (validation == 1).any()
    assert not (ndimage.binary_dilation(training > 0, np.ones((3, 3))) & (validation > 0)).any()
    for y, x in CENTRES:
        inside = disc(target.shape, y, x, 6)
        assert (training[inside] == 2).all() or (validation[inside] == 2).all()


def test_holding_out_is_repeatable_and_depends_on_the_seed() -> None:
    target = target_from_painting(discs(*CENTRES))
    parts = [hold_out([target], 0.2, seed)[1][0] for seed in (0, 0, 1, 2, 3)]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert any((parts[0] != part).any() for part in parts[2:])


def test_objects_are_counted_over_all_targets() -> None:
    pair = [target_from_painting(discs(*CENTRES[:3])), target_from_painting(discs(*CENTRES[3:]))]
    assert hold_out(pair[:1], 0.2, 0) is None
    training, validation = hold_out(pair, 0.2, 0)
    assert sum(len(painted_objects(side)) for side in training) == 5
    assert sum(len(painted_objects(side)) for side in validation) == 1
    assert hold_out(pair, 0, 0) is None
    assert hold_out([], 0.2, 0) is None


def test_the_last_object_of_a_class_stays_in_training() -> None:
    labels = discs(*CENTRES)
    labels[disc(labels.shape, 55, 50, 5)] = 2
    target = target_from_painting(labels)
    for seed in range(5):
        (training,), _ = hold_out([target], 0.5, seed)
        assert set(np.unique(training)) == {0, 1, 2, 3}


def test_no_validation_without_two_classes_in_it() -> None:
    target = target_from_painting(discs(*CENTRES), "near")
    assert hold_out([np.where(target == 1, 0, target)], 0.3, 0) is None


@given(target=hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 3)))
@settings(max_examples=60, deadline=None)
def test_any_target_is_split_without_neighbours(target: np.ndarray) -> None:
    parts = hold_out([target], 0.4, 0)
    if parts is None:
        return
    (training,), (validation,) = parts
    assert training.dtype == validation.dtype == np.uint8
    assert not (ndimage.binary_dilation(training > 0, np.ones((3, 3))) & (validation > 0)).any()
    np.testing.assert_array_equal(
        np.where(training, training, validation)[training + validation > 0], target[training + validation > 0]
    )


def _three_discs_more(count: int) -> np.ndarray:
    """A core target of `count` objects in a row, all but the last ones in the lower half."""
    target = np.ones((64, 16 * 12), np.uint8)
    for number in range(count):
        top = 40 if number < 6 else 8
        target[top : top + 8, 16 * number + 4 : 16 * number + 12] = 2
    return target


def test_what_was_held_out_or_learnt_from_stays_on_its_side_when_painting_grows() -> None:
    from napari_emssl.data.labels.objects import KnownPoint, inner_points

    old, grown = _three_discs_more(6), _three_discs_more(10)
    moved = 0
    for seed in range(10):
        learnt, held = (parts[0] for parts in hold_out([old], 0.34, seed))
        known = [KnownPoint(*point, False) for point in inner_points(learnt)]
        known += [KnownPoint(*point, True) for point in inner_points(held)]
        learnt_now, held_now = (parts[0] for parts in hold_out([grown], 0.34, seed, known=[known]))
        assert not ((held == 2) & (learnt_now == 2)).any()
        assert not ((learnt == 2) & (held_now == 2)).any()
        assert len(inner_points(held_now)) == 3
        anew = hold_out([grown], 0.34, seed)[0][0]
        moved += bool(((held == 2) & (anew == 2)).any())
    assert moved > 5, "drawn anew, held-out objects do move: this test would show it"


def test_nothing_is_held_out_where_all_has_been_learnt_from() -> None:
    from napari_emssl.data.labels.objects import KnownPoint, inner_points

    target = _three_discs_more(6)
    known = [KnownPoint(*point, False) for point in inner_points(target)]
    assert hold_out([target], 0.2, 0, known=[known]) is None


def test_an_object_grown_together_with_a_learnt_one_is_not_held_out() -> None:
    from napari_emssl.data.labels.objects import KnownPoint, inner_points

    target = _three_discs_more(6)
    points = inner_points(target)
    known = [KnownPoint(*points[0], True), KnownPoint(*points[1], False)]
    target[42:44, 4:28] = 2
    parts = hold_out([target], 0.2, 0, known=[known])
    assert parts is not None
    assert parts[0][0][points[0]] == 2


@pytest.mark.parametrize("merge_classes", [False, True])
def test_values_that_no_card_can_hold_are_refused_before_any_work(merge_classes: bool) -> None:
    mask = np.zeros((8, 8), np.int64)
    mask[2:5, 2:5] = 2**32
    with pytest.raises(UserError, match="4294967296 in the targets is too large"):
        targets_from_masks([mask], merge_classes=merge_classes)
    mask[mask > 0] -= 1
    assert targets_from_masks([mask], merge_classes=merge_classes)[1] == (2**32 - 1,)
