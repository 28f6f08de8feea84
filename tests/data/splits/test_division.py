"""Planes are divided by a file, by their names or by shares; frames stay together, copies leak only on request."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_emssl.data.splits.copies import COPIES
from napari_emssl.data.splits.division import PlaneOrigin, SplitRules, divide
from napari_emssl.data.splits.held_out import Split
from napari_emssl.errors import UserError


def planes(count: int = 20, per_frame: int = 1, parts: tuple[str, ...] = ()) -> list[PlaneOrigin]:
    names = [f"{parts[n % len(parts)]}/{n}" if parts else f"set.h5#{n}" for n in range(count)]
    return [
        PlaneOrigin(name, f"data/{name}", f"frame {n // per_frame}", parts[n % len(parts)] if parts else None)
        for n, name in enumerate(names)
    ]


def rules(validation: float = 0.25, test: float = 0.2, unit: str = "frame", **more: object) -> SplitRules:
    return SplitRules(validation, test, unit, **{"seed": 3, **more})


def counts(split: Split) -> tuple[int, int, int]:
    return len(split.training), len(split.validation), len(split.test)


@pytest.mark.parametrize(
    ("total", "shares", "wanted"),
    [
        (240, (0.25, 0.2), (144, 48, 48)),
        (1100, (0.25, 0.2), (660, 220, 220)),
        (1740, (0.25, 0.2), (1044, 348, 348)),
        (2900, (0.25, 0.2), (1740, 580, 580)),
        (14_364, (0.15, 0.15), (10_377, 1_832, 2_155)),
    ],
)
def test_the_papers_numbers_follow_from_its_shares(
    total: int, shares: tuple[float, float], wanted: tuple[int, int, int]
) -> None:
    assert counts(divide(planes(total), rules(*shares)).split) == wanted


@given(st.integers(12, 60), st.integers(1, 4), st.integers(0, 9))
def test_all_that_was_cut_from_a_frame_is_in_one_part(count: int, per_frame: int, seed: int) -> None:
    entries = planes(count, per_frame)
    if len({entry.origin for entry in entries}) < 5:
        return
    split = divide(entries, rules(seed=seed)).split
    sides = [{entries[n].origin for n in part} for part in (split.training, split.validation, split.test)]
    assert all(sides)
    assert len(set.union(*sides)) == sum(map(len, sides))


def test_by_image_frames_are_divided() -> None:
    entries = planes(40, per_frame=8)
    split = divide(entries, rules(unit="image")).split
    assert {entries[n].origin for n in split.training} & {entries[n].origin for n in split.test}
    assert counts(split) == (24, 8, 8)


def test_copies_of_one_plane_lie_on_both_sides() -> None:
    division = divide(planes(10), rules(unit="copy"))
    assert (len(division.names), division.copies) == (10 * COPIES, COPIES)
    learnt, tested = ({n // COPIES for n in part} for part in (division.split.training, division.split.test))
    assert learnt & tested
    assert len(set(division.names)) == 10 * COPIES


def test_named_parts_stay_what_they_are_and_what_they_leave_open_is_drawn() -> None:
    entries = planes(30, parts=("training", "training", "test"))
    split = divide(entries, rules()).split
    assert {n for n, entry in enumerate(entries) if entry.part == "test"} == set(split.test)
    assert all(entries[n].part == "training" for n in split.validation)
    assert len(split.validation) == 5
    complete = planes(30, parts=("training", "validation", "test"))
    assert counts(divide(complete, rules()).split) == (10, 10, 10)


def test_a_file_rules(tmp_path: Path) -> None:
    first = divide(planes(), rules())
    first.write(tmp_path / "split.json", {"seed": 3})
    again = divide(planes()[::-1], rules(0.0, 0.5, seed=9, file=tmp_path / "split.json"))
    assert {again.names[n] for n in again.split.test} == {first.names[n] for n in first.split.test}
    with pytest.raises(UserError, match="missing"):
        divide(planes(10), rules(file=tmp_path / "split.json"))


def test_too_few_origins_are_no_test() -> None:
    with pytest.raises(UserError, match="--test 0"):
        divide(planes(20, per_frame=5), rules())
