"""``napari-emssl simulate``: the files that it writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal import Tell

from napari_emssl.simulation.stem.files import FOLDERS


def test_simulate_stem_writes_the_folders(tmp_path: Path, tell: Tell) -> None:
    out = tmp_path / "own"
    words = ["--crystal", "perovskite", "--elements", "Ba,Ti,O", "--a-nm", "0.4", "--zone-axis", "1,1,0"]
    more = ["--pixel-size-nm", "0.02", "--dose-per-nm2", "1e6", "--size", "64", "--specimen", "edge"]
    told = tell("simulate", "stem", "-o", out, "--count", 2, "--seed", 3, "--quiet", *words, *more)
    assert told.status == 0
    assert "Wrote 2 images" in told.out
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
        (["--zone-axis", "up"], "'up' is not a zone axis"),
        (["--count", "0"], "--count must be at least 1"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--pixel-size-nm", "7"], "--pixel-size-nm"),
        (["--format", "jpeg"], "jpeg"),
        (["--a-nm", "0.4"], "needs a kind of crystal"),
        (["--crystal", "own.cif", "--elements", "Au"], "needs a kind of crystal"),
    ],
)
def test_bad_words_are_a_sentence_and_leave_nothing(
    words: list[str], sentence: str, tmp_path: Path, tell: Tell
) -> None:
    told = tell("simulate", "stem", "-o", tmp_path / "out", "--quiet", *words)
    assert told.status == 2
    assert sentence in told.err
    assert "Traceback" not in told.err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_is_kept(tmp_path: Path, tell: Tell) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    told = tell("simulate", "stem", "-o", tmp_path, "--quiet")
    assert told.status == 2
    assert "is not empty" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_help_names_units_and_ranges(tell: Tell) -> None:
    told = tell("simulate", "stem", "--help")
    assert told.status == 0
    text = " ".join(told.out.split())
    assert "Pixel size in nm; none: from 0.007 to 0.035" in text
    assert "Electrons per nm^2" in text


def test_simulate_hrtem(tell: Tell, tmp_path: Path) -> None:
    told = tell("simulate", "hrtem", "-o", tmp_path / "s", "--count", "2", "--size", "64", "--seed", "3", "--quiet")
    assert told.status == 0, told.err
    assert len(list((tmp_path / "s" / "images").iterdir())) == 2


def test_simulate_collage_needs_no_micrograph(tell: Tell, tmp_path: Path) -> None:
    out = tmp_path / "c"
    told = tell("simulate", "collage", "-o", out, "--count", "2", "--size", "64", "--seed", "3", "--quiet")
    assert told.status == 0, told.err
    for name in ("images", "targets", "instances"):
        assert [path.name for path in sorted((out / name).iterdir())] == ["00000.tif", "00001.tif"]
    record = json.loads((out / "settings.json").read_text())
    assert (record["simulate"], record["seed"], record["settings"]["size_px"]) == ("collage", 3, 64)


def test_simulate_collage_cuts_from_micrographs(tell: Tell, tmp_path: Path, images: Path) -> None:
    flags = ["--count", "1", "--size", "64", "--quiet"]
    assert tell("simulate", "collage", images, images / ".." / "images" / "0.npy", "-o", tmp_path / "x").status == 2
    for seed in range(2):
        told = tell("simulate", "collage", images, "-o", tmp_path / str(seed), *flags)
        assert told.status == 0, told.err
    one, other = (np.asarray(Image.open(tmp_path / str(n) / "images" / "00000.tif")) for n in range(2))
    assert np.array_equal(one, other)
    contradiction = ["--radius-min-px", "50", "--radius-max-px", "20"]
    for words, sentence in [(["nowhere"], "There is no file"), (contradiction, "above")]:
        told = tell("simulate", "collage", *words, "-o", tmp_path / "bad", *flags)
        assert (told.status, sentence in told.err) == (2, True)
        assert not (tmp_path / "bad").exists()
