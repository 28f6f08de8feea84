"""``napari-emssl simulate stem`` in the terminal."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_emssl.cli import main
from napari_emssl.simulation.stem.files import FOLDERS


def tell(*words: object) -> int:
    return main([str(word) for word in words])


def test_simulate_stem_writes_the_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "own"
    words = ["--crystal", "perovskite", "--elements", "Ba,Ti,O", "--a-nm", "0.4", "--zone-axis", "1,1,0"]
    more = ["--pixel-size-nm", "0.02", "--dose-per-nm2", "1e6", "--size", "64", "--specimen", "edge"]
    assert tell("simulate", "stem", "-o", out, "--count", 2, "--seed", 3, "--quiet", *words, *more) == 0
    assert "Wrote 2 images" in capsys.readouterr().out
    for name in FOLDERS:
        assert [path.name for path in sorted((out / name).iterdir())] == ["00000.png", "00001.png"]
    assert np.asarray(Image.open(out / "image" / "00001.png")).shape == (64, 64)
    record = json.loads((out / "parameters" / "00001.json").read_text())
    assert record["zone_axes"] == [[1, 1, 0]]
    assert (record["pixel_size_nm"], record["dose_per_nm2"], record["specimen"]) == (0.02, 1e6, "edge")
    assert json.loads((out / "settings.json").read_text())["settings"]["elements"] == "Ba,Ti,O"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--crystal", "Kryptonite"], "There is no crystal 'Kryptonite'"),
        (["--crystal", "missing.cif"], "missing.cif"),
        (["--zone-axis", "up"], "'up' is no zone axis"),
        (["--count", "0"], "--count must be at least 1"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--pixel-size-nm", "7"], "--pixel-size-nm"),
        (["--format", "jpeg"], "jpeg"),
        (["--a-nm", "0.4"], "needs a crystal"),
        (["--crystal", "own.cif", "--elements", "Au"], "needs a crystal"),
    ],
)
def test_bad_words_are_a_sentence_and_leave_nothing(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("simulate", "stem", "-o", tmp_path / "out", "--quiet", *words) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    assert tell("simulate", "stem", "-o", tmp_path, "--quiet") == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_help_names_units_and_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell("simulate", "stem", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Pixel size in nm; none: from 0.007 to 0.035" in told
    assert "Electrons per nm^2" in told
