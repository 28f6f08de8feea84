"""``napari-emssl compare``: a table on stdout, files in a folder, sentences, going on, Ctrl-C."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from terminal import Tell

SMALL = ["--device", "cpu", "--precision", "fp32", "--batch-size", "2", "--patch", "32", "--steps", "3",
         "--evaluations", "3", "--quiet"]  # fmt: skip
STARTS = ["--starts", "scratch:unet-2-44:2", "scratch:unet-3-96:2"]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """Flags that name five small images and their masks."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(5):
        rng = np.random.default_rng(number)
        mask = np.zeros((64, 80), np.uint8)
        mask[10:30, 10 + number : 40] = 1
        np.save(tmp_path / "masks" / f"{number}.npy", mask)
        np.save(
            tmp_path / "images" / f"{number}.npy", (mask + 0.3 * rng.standard_normal(mask.shape)).astype(np.float32)
        )
    return ["--images", str(tmp_path / "images"), "--targets", str(tmp_path / "masks")]


def test_help_names_every_flag(tell: Tell) -> None:
    status, out, _ = tell("compare", "--help")
    assert status == 0
    for flag in ("starts", "test-images", "test-targets", "seeds", "steps", "train-count", "paint", "no-random-twins"):
        assert f"--{flag}" in out


def test_a_table_is_printed_and_everything_is_in_the_folder(data: list[str], tmp_path: Path, tell: Tell) -> None:
    folder = tmp_path / "out"
    status, out, err = tell("compare", *data, *STARTS, *SMALL, "--seeds", 2, "-o", folder)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("dice")
    assert [line.split()[0] for line in lines[2:4]] == STARTS[1:]
    assert str(folder) in lines[-1]
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3
    assert {row["kind"] for row in rows} == {"random"}
    assert json.loads((folder / "compare.json").read_text())["command"].startswith("napari-emssl")
    assert (folder / "curves.png").stat().st_size > 5000


def test_pretrained_starts_are_shown_with_their_lead(data: list[str], tmp_path: Path, tell: Tell) -> None:
    status, out, _ = tell("compare", *data, "--starts", "unet-3-96", *SMALL, "--seeds", 2, "-o", tmp_path / "out")
    assert status == 0
    assert "lead over the same network from random weights" in out
    assert "of 2" in out.splitlines()[-2]


def test_the_same_command_adds_seeds_and_other_settings_are_refused(
    data: list[str], tmp_path: Path, tell: Tell
) -> None:
    words = [*data, *STARTS, *SMALL, "-o", tmp_path / "out"]
    assert tell("compare", *words, "--seeds", 1)[0] == 0
    before = (tmp_path / "out" / "results.csv").read_text()
    assert tell("compare", *words, "--seeds", 2)[0] == 0
    assert (tmp_path / "out" / "results.csv").read_text().startswith(before)
    status, out, err = tell("compare", *words, "--learning-rate", "0.1")
    assert (status, out) == (2, "")
    assert "--learning-rate 0.002, not 0.1" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--starts", "scratch:unet-3-96"], "--output is missing"),
        (["-o", "x"], "--starts is missing"),
        (["--starts", "nothing", "-o", "x"], "no model 'nothing'"),
        (["--starts", "scratch", "-o", "x"], "scratch:unet-3-96"),
        (["--starts", "unet-3-96", "-o", "x", "--seeds", "0"], "--seeds must be at least 1"),
        (["--starts", "unet-3-96", "-o", "x", "--score-on", "unpainted"], "--paint 3"),
        (["--starts", "unet-3-96", "-o", "x", "--test-images", "nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    data: list[str], words: list[str], part: str, tmp_path: Path, tell: Tell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    status, out, err = tell("compare", *data, *words)
    assert (status, out) == (2, "")
    assert part in err
    assert len(err.splitlines()) == 1
    assert not Path("x").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(data: list[str], tmp_path: Path, tell: Tell) -> None:
    folder = tmp_path / "out"
    words = ["compare", *data, *STARTS, *SMALL, "--seeds", "1000", "-o", str(folder)]
    command = [sys.executable, "-m", "napari_emssl", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, **pipes) as process:
        end = time.monotonic() + 300
        while not (folder / "curves.png").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "same command" in out
    before = (folder / "results.csv").read_text()
    assert before.count("\n") % 3 == 1
    assert tell(*words[:-4], "--seeds", 1, "-o", folder)[0] == 0
    assert (folder / "results.csv").read_text().startswith(before)
