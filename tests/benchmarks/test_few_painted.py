"""The whole protocol on a handful of tiny images."""

import csv
import json
from pathlib import Path

import few_painted
import numpy as np
import pytest
from grey_vectors import grey_generator
from numbered_squares import squares, write_set

from napari_emssl.models.model_file import save_model


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *flags: str) -> None:
    command = ["few_painted.py", "--data", str(folder), "--cache", str(folder / "cache"), "--sets", "creme"]
    monkeypatch.setattr("sys.argv", [*command, "--k", "2", "--seeds", "1", "--precision", "fp32", *flags])
    few_painted.main()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, and a generator that tells bright from dark."""
    masks = {f"{name}.png": (squares(12) > 0).astype(np.uint8) for name in "abc"}
    write_set(tmp_path / "labelled" / "creme", "masks", masks)
    save_model(grey_generator(), tmp_path / "grey.safetensors")
    return tmp_path


def test_every_column_is_scored_and_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = str(folder / "grey.safetensors")
    flags = ("--generators", generator, "--starts", "in-context", "scratch", "--steps", "1", "--limit", "2")
    run(monkeypatch, folder, *flags, "--worst", "1", "-o", str(folder / "out"))
    rows = list(csv.DictReader((folder / "out" / "scores.csv").open()))
    assert {row["column"] for row in rows} == {
        "forest", "first look by filters", "in context grey", "in context grey + forest",
        "in context grey + first look by filters",
        "fine-tuned in context grey, 1 steps", "fine-tuned scratch, 1 steps",
    }  # fmt: skip
    assert len(rows) == 2 * 7
    assert all(float(row["dice"]) > 0.9 for row in rows if "scratch" not in row["column"])
    assert json.loads((folder / "out" / "summary.json").read_text())["run"]["sha256"].keys() == {generator}
    assert "in context grey + forest" in (folder / "out" / "summary.md").read_text()
    assert (folder / "out" / "worst.png").stat().st_size > 10_000


def test_a_second_run_gives_the_same_and_replaces_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ("--columns", "forest", "first-look")
    for name in ("one", "two"):
        run(monkeypatch, folder, *columns, "-o", str(folder / name))
    assert (folder / "one" / "scores.csv").read_text() == (folder / "two" / "scores.csv").read_text()
    with pytest.raises(SystemExit, match="holds results already"):
        run(monkeypatch, folder, *columns, "-o", str(folder / "one"))


@pytest.mark.parametrize("flags", [("--columns", "in-context"), ("--worst-column", "no such column")])
def test_what_cannot_be_had_is_named(flags: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="Columns that can be had"):
        run(monkeypatch, folder, *flags)
