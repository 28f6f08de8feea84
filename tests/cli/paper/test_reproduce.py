"""``napari-emssl reproduce``: the smoke plan that ships, a dry run, and what is refused."""

import re
from pathlib import Path

import pytest
from small_plans import make_data, write_plan
from terminal import Tell, refused


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Data where the smoke plan looks for them."""
    root = make_data(tmp_path / "data")
    (root / "frames").mkdir()
    (root / "tiles").rename(root / "frames" / "images")
    return root


def test_the_smoke_plan_runs_from_data_to_page(tell: Tell, data: Path, tmp_path: Path) -> None:
    words = ["reproduce", "smoke", "--data", data, "-o", tmp_path / "out", "--device", "cpu", "--seeds", 1, "--quiet"]
    dry = tell(*words, "--dry-run")
    assert (dry.status, dry.err) == (0, "")
    assert "6 runs" in dry.out
    assert re.search(r"6 runs, \d.* one after the other, \d+ MB on disk", dry.out)
    assert not (tmp_path / "out").exists()
    status, out, err = tell(*words)
    assert (status, err) == (0, "")
    assert "4 of 4 runs are complete" in out
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000
    assert (tmp_path / "out" / "smoke.csv").read_text().count("\n") == 1 + 2 * 2 * 3
    assert "4 of 4" in tell(*words).out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["table9"], "no plan 'table9'"),
        (["table2", "--shard", "3/2"], "--shard takes"),
        (["table2", "--shard", "x"], "--shard takes"),
        (["table2", "--data", "nowhere"], "nowhere"),
        (["nothing", "--data", "nowhere", "--dry-run"], "no plan 'nothing'"),
        (["table2"], "No run of the plan can be done"),
        (["table2", "--processes", "0"], "--processes must be at least 1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    words: list[str], part: str, tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = tell("reproduce", *words, "-o", "out", "--device", "cpu", "--quiet")
    refused(told, part)
    assert not Path("out").exists()


def test_a_plan_of_ones_own(tell: Tell, data: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan.toml")
    (data / "frames").rename(data / "elsewhere")
    words = [
        "reproduce",
        plan,
        "--data",
        data,
        "-o",
        tmp_path / "out",
        "--device",
        "cpu",
        "--shard",
        "1/2",
        "--seeds",
        1,
    ]
    status, out, err = tell(*words)
    assert status == 0, err
    assert "1 of 2 runs are complete" in out
