"""Origins: never divided between training and held out, draws nested and the same everywhere."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_emssl.data.splits.origins import draw_subset, origin_of, split_by_origin


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("d/Heart-LOC-2d-1.tif", "d/Heart-LOC-2d-9.tif", True),
        ("d/Heart-LOC-2d-1.tif", "d/Liver-LOC-2d-1.tif", False),
        ("d/c_iso.03530.png", "d/c_iso.03980.png", True),
        ("d/a_iso.2624.png", "d/b_iso.2624.png", False),
        ("d/Frame540.jpg", "d/Frame541.jpg", True),
        ("d/vol_z001.tif", "d/vol_z002.tif", True),
        ("d/1_0000_00.tif", "d/1_0000_01.tif", True),
        ("d/1_0000_00.tif", "d/1_0001_00.tif", False),
        ("d/00001.png", "d/00002.png", False),
        ("d/img_001.png", "d/img_002.png", False),
        ("d/Pt1.jpg", "d/Pt2.jpg", False),
        ("d/x.png", "e/x.png", False),
    ],
)
def test_sources(one: str, other: str, together: bool) -> None:
    assert (origin_of(one) == origin_of(other)) is together


names = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60)


@given(names=names, counts=st.tuples(st.integers(0, 30), st.integers(0, 30)), seed=st.integers(0, 5))
def test_sources_are_never_divided_and_held_out_sets_are_nested(names, counts, seed) -> None:
    items = [Path(f"{name}-LOC-{number}.png") for number, name in enumerate(names)]
    less, more = (split_by_origin(items, count, seed) for count in sorted(counts))
    assert set(less[1]) <= set(more[1])
    for training, held_out in (less, more):
        assert sorted([*training, *held_out]) == sorted(items)
        assert training
        if len(set(names)) > 1:
            assert not {origin_of(path) for path in training} & {origin_of(path) for path in held_out}


def test_enough_is_held_out_without_large_sources() -> None:
    items = [Path(f"{n:05d}.png") for n in range(50)] + [Path(f"big.{n:03d}.png") for n in range(150)]
    training, held_out = split_by_origin(items, 20, 0)
    assert len(held_out) == 20
    assert not any(path.name.startswith("big") for path in held_out)
    assert split_by_origin(items, 0.1, 0) == (training, held_out)
    assert split_by_origin(items, 20, 1)[1] != held_out
    assert split_by_origin(items, 0, 0) == (items, [])


def test_a_single_source_is_cut_once() -> None:
    items = [Path(f"vol.{n:03d}.png") for n in range(10)]
    assert split_by_origin(items, 3, 0) == (items[:7], items[7:])
    assert split_by_origin(items, 10, 0)[0] == items[:1]


def test_split_by_a_source_given() -> None:
    items = [("a", 1), ("a", 2), ("b", 3), ("b", 4)]
    training, held_out = split_by_origin(items, 2, 0, origin=lambda item: item[0])
    assert {len(training), len(held_out)} == {2}
    assert len({name for name, _ in held_out}) == 1


@given(count=st.integers(0, 40), more=st.integers(0, 40), seed=st.integers(0, 3))
def test_subsets_are_nested_ordered_and_independent_of_the_place(count: int, more: int, seed: int) -> None:
    items = [Path(f"/data/cem/{n}.tif") for n in range(30)]
    small, large = draw_subset(items, count, seed), draw_subset(items, count + more, seed)
    assert set(small) <= set(large)
    assert small == sorted(small, key=items.index)
    assert len(small) == min(count, 30)
    moved = draw_subset([Path("/elsewhere/deep") / path.relative_to("/data") for path in items], count, seed)
    assert [path.name for path in moved] == [path.name for path in small]
