"""Statistics of a comparison, at which steps it scores, and its folder."""

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_emssl import atomic_files
from napari_emssl.atomic_files import hidden_name
from napari_emssl.errors import UserError
from napari_emssl.evaluation.comparison.results import Comparison, ResultRow
from napari_emssl.evaluation.comparison.results_folder import ResultsFolder, read_results
from napari_emssl.evaluation.comparison.run import score_steps

PRETRAINED = {0: [0.1, 0.5, 0.9], 1: [0.2, 0.7, 0.8], 2: [0.3, 0.6, 1.0]}
RANDOM = {0: [0.0, 0.4, 0.6], 1: [0.3, 0.5, 0.7], 2: [0.3, 0.4, 0.7]}
STEPS = (0, 10, 100)


def rows(start: str, kind: str, values: dict[int, list[float]], network: str = "unet-2-44") -> list[ResultRow]:
    return [
        ResultRow(
            start,
            kind,
            network,
            seed,
            step,
            step / 10,
            math.nan if step == 0 else 0.5,
            {"dice": value, "iou": value / 2},
        )
        for seed, scores in values.items()
        for step, value in zip(STEPS, scores, strict=True)
    ]


def found(*more: ResultRow) -> Comparison:
    both = [*rows("p", "pretrained", PRETRAINED), *rows("scratch:unet-2-44", "random", RANDOM)]
    return Comparison((*both, *more))


def test_means_and_spreads_over_seeds() -> None:
    mean = found().mean("p", 10)
    assert (mean.count, mean.mean) == (3, pytest.approx(0.6))
    assert mean.spread == pytest.approx(np.std([0.5, 0.7, 0.6], ddof=1))
    assert found().mean("p", 10, "iou").mean == pytest.approx(0.3)


def test_leads_are_paired_by_seed() -> None:
    gain = found().gain("p", 0)
    differences = [0.1, -0.1, 0.0]
    assert gain is not None
    assert gain.difference.mean == pytest.approx(0, abs=1e-12)
    assert gain.difference.error == pytest.approx(np.std(differences, ddof=1) / np.sqrt(3))
    assert gain.wins == 1
    assert found().gain("scratch:unet-2-44", 0) is None


def test_a_lead_needs_the_same_seed_and_the_same_network() -> None:
    more = rows("q", "pretrained", {2: [0.5, 0.5, 0.5], 7: [1, 1, 1]}) + rows(
        "r", "pretrained", PRETRAINED, "unet-3-96"
    )
    gain = found(*more).gain("q", 0)
    assert gain is not None
    assert (gain.difference.count, gain.difference.mean) == (1, pytest.approx(0.2))
    assert math.isnan(gain.difference.error)
    assert found(*more).twin("r") == ""
    assert found(*more).gain("r", 0) is None


def test_steps_to_match_are_where_the_random_twin_ends() -> None:
    assert found().steps_to_match("p") == 100  # 0.6 at step 10 is still below 0.667
    assert found(*rows("q", "pretrained", {0: [0.1, 0.7, 0.7]})).steps_to_match("q") == 10
    assert found(*rows("q", "pretrained", {0: [0.1, 0.2, 0.3]})).steps_to_match("q") is None
    assert found().steps_to_match("scratch:unet-2-44") is None


def test_the_table_shows_means_leads_and_wins() -> None:
    text = found().table().splitlines()
    assert text[2].split() == ["p", "0.200", "±0.100", "0.600", "±0.100", "0.900", "±0.100"]
    assert text[-2].split()[-2:] == ["+0.233", "±0.067"]
    assert text[-1].endswith("3 of 3")
    assert len({len(line) for line in (text[1], *text[2:4], *text[-2:])}) == 1


def test_one_seed_has_no_spread_in_the_table() -> None:
    one = Comparison(tuple(row for row in found().rows if row.seed == 0))
    assert "±" not in one.table().splitlines()[2]


@given(total=st.integers(1, 100_000), most=st.integers(2, 30))
def test_score_steps_begin_with_0_end_with_the_last_and_spread_between(total: int, most: int) -> None:
    steps = score_steps(total, most)
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, total)
    assert len(steps) <= max(most, 2)
    assert all(str(step).rstrip("0") in ("1", "2", "5") for step in steps[1:-1])


def test_score_steps_by_example() -> None:
    assert score_steps(200, 7) == [0, 5, 10, 20, 50, 100, 200]
    assert score_steps(300, 4) == [0, 100, 200, 300]
    assert score_steps(1, 7) == [0, 1]
    assert score_steps(5, 2) == [0, 5]


RECORD = {"settings": {"steps": 100, "seeds": 3}, "data": {"training": ["a"]}, "starts": {"p": "1"}}


def test_the_folder_holds_all_scores_the_summary_and_the_curves(tmp_path: Path) -> None:
    ledger = ResultsFolder(tmp_path / "new" / "folder", RECORD, overwrite=False)
    ledger.add(found().rows)
    assert {path.name for path in ledger.folder.iterdir()} == {
        "compare.json", "results.csv", "summary.csv", "summary.json", "curves.png",
    }  # fmt: skip
    assert str(read_results(ledger.folder / "results.csv")) == str(list(found().rows))
    with (ledger.folder / "summary.csv").open(newline="") as file:
        line = next(line for line in csv.DictReader(file) if line["start"] == "p" and line["step"] == "100")
    assert (float(line["median"]), float(line["quantile_10"])) == (pytest.approx(0.9), pytest.approx(0.82))
    assert (line["score"], line["twin"], line["wins"], line["pairs"]) == ("dice", "scratch:unet-2-44", "3", "3")
    assert float(line["gain"]) == pytest.approx(0.7 / 3, abs=1e-6)
    summary = json.loads((ledger.folder / "summary.json").read_text())
    assert summary["steps_to_match_random"] == {"p": 100}
    assert len(summary["rows"]) == 2 * 2 * 3
    assert (ledger.folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_earlier_comparison_goes_on_with_more_starts_and_seeds(tmp_path: Path) -> None:
    ResultsFolder(tmp_path, RECORD, overwrite=False).add(rows("p", "pretrained", PRETRAINED))
    more = RECORD | {"settings": {"steps": 100, "seeds": 9}, "starts": {"q": "2"}}
    ledger = ResultsFolder(tmp_path, more, overwrite=False)
    assert ledger.comparison.runs() == {("p", 0), ("p", 1), ("p", 2)}
    ledger.add(rows("q", "pretrained", {0: [0, 0, 0]}))
    assert json.loads((tmp_path / "compare.json").read_text())["starts"] == {"p": "1", "q": "2"}
    assert ResultsFolder(tmp_path, RECORD, overwrite=True).rows == []


class _Killed(BaseException):
    pass


def _kill_adding(results: ResultsFolder, run: list[ResultRow], renaming: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a run, and end the program when it has renamed so many files to their places."""
    real, done = atomic_files.move, []

    def move(source: Path, target: Path) -> None:
        real(source, target)
        done.append(target)
        if len(done) == renaming:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "move", move)
        with pytest.raises(_Killed):
            results.add(run)


@pytest.mark.parametrize("renaming", range(1, 6))
def test_a_comparison_that_is_killed_while_it_writes_ends_like_any_other(
    renaming: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = rows("p", "pretrained", PRETRAINED), rows("q", "pretrained", {0: [0.5, 0.6, 0.7]})
    record = RECORD | {"starts": {"p": "1", "q": "2"}}
    for name in ("whole", "killed"):
        ResultsFolder(tmp_path / name, record, overwrite=False).add(first)
    ResultsFolder(tmp_path / "whole", record, overwrite=False).add(second)
    _kill_adding(ResultsFolder(tmp_path / "killed", record, overwrite=False), second, renaming, monkeypatch)
    again = ResultsFolder(tmp_path / "killed", record, overwrite=False)
    again.summarize() if again.comparison.runs() >= {("q", 0)} else again.add(second)
    for file in (tmp_path / "whole").iterdir():
        assert (tmp_path / "killed" / file.name).read_bytes() == file.read_bytes(), file.name


def test_scores_of_a_comparison_that_is_replaced_are_never_taken_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ResultsFolder(tmp_path, RECORD, overwrite=False).add(rows("p", "pretrained", PRETRAINED))
    other = RECORD | {"settings": {"steps": 200, "seeds": 3}}
    run = rows("q", "pretrained", {0: [0, 0, 0]})
    _kill_adding(ResultsFolder(tmp_path, other, overwrite=True), run, 1, monkeypatch)
    with pytest.raises(UserError, match="--overwrite"):
        ResultsFolder(tmp_path, other, overwrite=False)


def test_what_a_killed_run_left_is_no_other_folder(tmp_path: Path) -> None:
    left = hidden_name(tmp_path / "compare.json").name.replace(f"-{os.getpid()}-", "-999999999-")
    (tmp_path / left).write_text("{")
    assert ResultsFolder(tmp_path, RECORD, overwrite=False).rows == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"steps": 200, "seeds": 3}}, "--steps 100, not 200"),
        ({"data": {"training": ["b"]}}, "other images"),
        ({"starts": {"p": "other"}}, "'p' with other weights"),
    ],
)
def test_what_differs_is_refused_in_a_sentence(change: dict, message: str, tmp_path: Path) -> None:
    ResultsFolder(tmp_path, RECORD, overwrite=False).add(rows("p", "pretrained", PRETRAINED))
    with pytest.raises(UserError, match=f"{message}.*--overwrite"):
        ResultsFolder(tmp_path, RECORD | change, overwrite=False)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("notes.txt", "mine", "holds no comparison"),
        ("compare.json", "{", "damaged"),
        ("compare.json", "[]", "damaged"),
        ("compare.json", '{"format": 99}', "another version"),
    ],
)
def test_other_folders_are_left_alone(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        ResultsFolder(tmp_path, RECORD, overwrite=False)
    assert [path.read_text() for path in tmp_path.iterdir()] == [text]


def test_a_damaged_table_is_not_added_to(tmp_path: Path) -> None:
    ResultsFolder(tmp_path, RECORD, overwrite=False).add(rows("p", "pretrained", PRETRAINED))
    (tmp_path / "results.csv").write_text("start,seed\np,x\n")
    with pytest.raises(UserError, match=r"results\.csv.*damaged"):
        ResultsFolder(tmp_path, RECORD, overwrite=False)
