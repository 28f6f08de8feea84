"""Splits: sources stay whole, parts stay apart, larger parts contain smaller ones, a file brings them back."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_emssl.data.splits.held_out import Split, make_split, read_split, write_split
from napari_emssl.errors import UserError

SIZES = st.lists(st.integers(1, 12), min_size=3, max_size=25)


def images_of(sizes: list[int]) -> tuple[list[str], list[str]]:
    """Names and sources of images, as many of each source as asked for."""
    sources = [f"s{number}" for number, size in enumerate(sizes) for _ in range(size)]
    return [f"{source}/{number}.tif" for number, source in enumerate(sources)], sources


@given(sizes=SIZES, seed=st.integers(0, 4), data=st.data())
def test_parts_are_apart_by_source_and_as_large_as_asked_for(sizes: list[int], seed: int, data) -> None:
    names, sources = images_of(sizes)
    test = data.draw(st.integers(0, len(names) // 3))
    validation = data.draw(st.integers(0, len(names) // 3))
    split = make_split(names, sources, validation, test, None, seed)
    parts = vars(split)
    origins = [{sources[number] for number in part} for part in parts.values()]
    assert split.training
    assert all(part == sorted(set(part)) for part in parts.values())
    assert len(split.validation) <= validation
    assert len(split.test) <= test
    assert not set(split.training) & set(split.validation) | set(split.test) & set(split.training + split.validation)
    assert not origins[2] & (origins[0] | origins[1])
    if len(set(sources) - origins[2]) > 1:
        assert not origins[0] & origins[1]


@given(sizes=SIZES, seed=st.integers(0, 4), data=st.data())
def test_larger_parts_contain_smaller_ones(sizes: list[int], seed: int, data) -> None:
    names, sources = images_of(sizes)
    third = len(names) // 3
    few, many = sorted(data.draw(st.tuples(st.integers(0, third), st.integers(0, third))))
    less, more = (make_split(names, sources, 0, count, None, seed) for count in (few, many))
    assert set(less.test) <= set(more.test)
    less, more = (make_split(names, sources, count, third, None, seed) for count in (few, many))
    assert less.test == more.test
    assert set(less.validation) <= set(more.validation)
    less, more = (make_split(names, sources, 1, 1, count + 1, seed) for count in (few, many))
    assert set(less.training) <= set(more.training)
    assert (less.validation, less.test) == (more.validation, more.test)


def test_the_numbers_of_the_paper_come_out() -> None:
    names, sources = images_of([40] * 300)
    split = make_split(names, sources, 500, 500, 5000, seed=3)
    assert {name: len(part) for name, part in vars(split).items()} == {"training": 5000, "validation": 500, "test": 500}
    other = make_split(names, sources, 500, 500, 5000, seed=4)
    assert other.test != split.test
    assert other.training != split.training
    assert make_split(names, sources, 500, 0, None, seed=3).validation != split.test


def test_images_of_one_source_are_cut_twice() -> None:
    names = [f"{number}.tif" for number in range(10)]
    split = make_split(names, ["volume"] * 10, 2, 3, None, 0)
    assert split == Split([0, 1, 2, 3, 4], [5, 6], [7, 8, 9])


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(UserError, match="--validation 6 and --test 4 leaves none of 10 images to learn from"):
        make_split(*images_of([1] * 10), 6, 4, None, 0)


def test_a_split_comes_back_from_its_file(tmp_path: Path) -> None:
    names, sources = images_of([3] * 10)
    split = make_split(names, sources, 4, 3, 12, 0)
    path = tmp_path / "model-split.json"
    write_split(path, split, names, sources, {"seed": 7})
    assert read_split(path, names) == split
    order = list(reversed(names))
    again = read_split(path, order)
    assert [order[number] for number in reversed(again.test)] == [names[number] for number in split.test]
    content = json.loads(path.read_text())
    assert (content["seed"], content["counts"]) == (7, {"training": 12, "validation": 4, "test": 3})
    assert content["sources"]["test"] == sorted({sources[number] for number in split.test})
    with pytest.raises(UserError, match="exists"):
        write_split(path, split, names, sources, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "not a split"),
        ("[]", "not a split"),
        ('{"format": 1}', "none to learn from"),
        ('{"format": 2}', "format 2"),
        ('{"format": 1, "training": ["a", "x"], "validation": [], "test": []}', "1 of 2.*'x'"),
        ('{"format": 1, "training": ["a"], "validation": ["a"], "test": []}', "twice"),
        ('{"format": 1, "training": [], "validation": ["a"], "test": []}', "none to learn from"),
        ('{"format": 1, "training": [3], "validation": [], "test": []}', "lists of names"),
    ],
)
def test_what_is_no_split_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_split(path, ["a", "b"])
    with pytest.raises(UserError, match="cannot be read"):
        read_split(tmp_path / "nope.json", ["a"])
