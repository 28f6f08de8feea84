"""``napari-emssl measure``: what a user types and what comes back."""

import csv

import numpy as np
import pytest
from terminal import read_back

from napari_emssl.data.images.writers import write_image
from napari_emssl.jobs.settings import MeasureSettings


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a calibrated mask, numbered particles without calibration, and their images."""
    monkeypatch.chdir(tmp_path)
    numbered = np.zeros((60, 80), np.uint16)
    rows, columns = np.ogrid[:60, :80]
    for number, (y, x, diameter) in enumerate(((30, 20, 16), (30, 50, 24), (4, 70, 12)), start=1):
        numbered[(rows - y) ** 2 + (columns - x) ** 2 <= diameter**2 / 4] = number
    write_image("masks/a.tif", (numbered > 0).astype(np.uint8), 0.5)
    write_image("masks/b.tif", numbered)
    for name in "ab":
        write_image(f"images/{name}.tif", (numbered * 10 + 5).astype(np.uint16))
    return tmp_path


WHOLE = "--no-exclude-border"


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_calibrated_mask(folder, tell):
    status, out, _ = tell(
        "measure", "masks/a.tif", "-o", "p.csv", "--histogram", "p.png", "--images", "images/a.tif", WHOLE
    )
    assert status == 0
    assert "3 particles; equivalent diameter: mean 8." in out
    assert "log-normal mu" in out
    rows = rows_of(folder / "p.csv")
    assert [float(row["mean_intensity"]) for row in rows] == [35, 15, 25]
    assert float(rows[1]["equivalent_diameter_nm"]) == pytest.approx(8, rel=0.02)
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_of_both_kinds_says_what_it_mixes(folder, tell):
    status, out, err = tell("measure", "masks", "-o", "p.csv", "--images", "images", WHOLE)
    assert status == 0
    assert "1 mask and 1 file of numbered particles" in err
    assert "1 of 2 files has no single pixel size (b.tif)" in err
    assert [line.split(" ")[0] for line in out.splitlines()[:2]] == ["3", "3"]
    rows = rows_of(folder / "p.csv")
    assert [row["file"] for row in rows] == ["a.tif"] * 3 + ["b.tif"] * 3
    assert [row["label"] for row in rows] == ["1", "2", "3", "1", "2", "3"]
    assert [bool(row["equivalent_diameter_nm"]) for row in rows] == [True] * 3 + [False] * 3
    assert all(row["equivalent_diameter_px"] for row in rows)


def test_a_pixel_size_by_hand(folder, tell):
    status, _, err = tell("measure", "masks", "-o", "p.csv", "--pixel-size", 2, WHOLE)
    assert status == 0
    assert "0.5 nm" in err
    assert [row["pixel_size_nm"] for row in rows_of(folder / "p.csv")] == ["0.5"] * 3 + ["2"] * 3
    tell("measure", "masks", "-o", "p.csv", "--pixel-size", 2, "--correct-pixel-size", "--overwrite")
    assert {row["pixel_size_nm"] for row in rows_of(folder / "p.csv")} == {"2"}


def test_limits(folder, tell):
    words = ("masks/a.tif", "-o", "p.csv", "--min-diameter", 7, "--overwrite", "--quiet")
    status, out, _ = tell("measure", *words)
    assert status == 0
    assert "Left out: 1 particle cut by the border." in out
    assert [row["label"] for row in rows_of(folder / "p.csv")] == ["1", "2"]
    assert tell("measure", *words, "--max-diameter", 10)[0] == 0
    assert [(row["label"], row["x_px"]) for row in rows_of(folder / "p.csv")] == [("1", "20")]


def test_nothing_found_is_a_header_and_a_sentence(folder, tell):
    write_image("empty.tif", np.zeros((3, 20, 20), np.uint8), 0.1)
    status, out, _ = tell("measure", "empty.tif", "-o", "p.csv")
    assert (status, out) == (0, "No particle was found; p.csv holds the header only.\n")
    assert (folder / "p.csv").read_text().startswith("file,plane,label,class,x_px,y_px,equivalent_diameter_nm,")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.tif", "-o", "p.csv"), "no file or folder 'none.tif'"),
        (("masks/a.tif",), "--output"),
        (("masks/a.tif", "-o", "images/a.tif"), "exists"),
        (("masks/a.tif", "-o", "masks/a.tif", "--overwrite"), "would replace"),
        (("masks/a.tif", "-o", "p.png", "--histogram", "p.png"), "would replace"),
        (("masks/a.tif", "-o", "p.csv", "--histogram", "p.pdf"), "ends in .png"),
        (("masks/a.tif", "-o", "p.csv", "--split", 1.5), "--split must be at most 1"),
        (("masks/a.tif", "-o", "p.csv", "--min-diameter", 5, "--max-diameter", 2), "--min-diameter is greater"),
        (("masks", "-o", "p.csv", "--min-diameter", 5), "would mean nm for some files"),
        (("masks", "-o", "p.csv", "--images", "images/a.tif"), "no image of the same name"),
        (("masks/a.tif", "-o", "p.csv", "--images", "small.tif"), "does not fit"),
        (("grey.tif", "-o", "p.csv"), "looks like a grey image"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_nothing(folder, tell, words, said):
    write_image("small.tif", np.zeros((9, 9), np.uint8))
    write_image("grey.tif", np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    before = sorted(folder.rglob("*"))
    status, _, err = tell("measure", *words)
    assert status == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"labels": "mask", "split": 0.4, "min_diameter": 2.5, "max_diameter": 1e3},
        {"exclude_border": True, "pixel_size": 0.0625, "correct_pixel_size": True, "labels": "numbered"},
    ],
)
def test_settings_to_flags_to_settings(values):
    settings = MeasureSettings(**values)
    assert read_back(settings) == settings


def test_every_setting_says_what_it_is():
    for field in MeasureSettings.model_fields.values():
        assert field.description
        assert field.description.endswith(".")


def test_files_of_one_name_are_told_apart_and_files_are_paired_together(folder, tell):
    write_image("masks/more/a.tif", np.pad(np.ones((5, 5), np.uint8), 9), 0.5)
    assert tell("measure", "masks", "-o", "p.csv", WHOLE)[0] == 0
    assert {row["file"] for row in rows_of(folder / "p.csv")} == {"a.tif", "b.tif", "more/a.tif"}
    (folder / "images" / "b.tif").unlink()
    status, _, err = tell("measure", "masks/a.tif", "masks/b.tif", "-o", "q.csv", "--images", "images")
    assert status == 2
    assert "b.tif has no image of the same name" in err
