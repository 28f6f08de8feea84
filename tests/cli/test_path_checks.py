"""Files are checked before any work, and nothing that was there is lost."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terminal import Tell, refused

from napari_emssl.atomic_files import hidden_name, replacing
from napari_emssl.cli import path_checks
from napari_emssl.errors import UserError
from napari_emssl.evaluation.reproduction.plan import read_plan
from napari_emssl.evaluation.reproduction.runs_folder import RunsFolder
from napari_emssl.export.bioimageio import check_empty


def test_missing_files_are_named_before_any_work(tell: Tell, tmp_path: Path, images: Path) -> None:
    output = tmp_path / "out" / "m.safetensors"
    refused(tell("pretrain", images, tmp_path / "nope", "-o", output), "nope")
    refused(tell("finetune", "--images", images, "--targets", tmp_path / "nope", "-o", output), "nope")
    refused(tell("finetune", "--images", images, "--targets", images, "-o", output, "--resume", "gone"), "gone")
    assert not output.parent.exists()


def test_output_that_is_there_stays(tell: Tell, tmp_path: Path, images: Path, masks: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    refused(tell("pretrain", images, "-o", taken), "taken", "--overwrite")
    refused(tell("finetune", "--images", images, "--targets", masks, "-o", taken), "taken", "--overwrite")
    refused(tell("pretrain", images, "-o", tmp_path / "x", "--log", taken), "taken", "--overwrite")
    refused(tell("pretrain", images, "-o", tmp_path / "x", "--pictures", masks), "not empty", "--overwrite")
    refused(tell("pretrain", images, "-o", tmp_path), "is a folder")
    refused(tell("pretrain", images, "-o", taken / "x"), "is a file")
    refused(tell("demo", "--headless", images), "not empty")
    refused(tell("simulate", "hrtem", "-o", images), "not empty")
    assert taken.read_text() == "mine"
    assert not list(tmp_path.glob("x*"))


def left_by_a_killed_program(path: Path) -> Path:
    """A file as a program that is gone left it while it wrote `path`."""
    left = hidden_name(path)
    left = left.with_name(left.name.replace(f"-{os.getpid()}-", "-999999999-"))
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("{")
    return left


def test_a_folder_with_what_a_killed_program_left_is_empty(tmp_path: Path) -> None:
    plan = read_plan("smoke").plan
    uses: dict[str, Callable[[Path], object]] = {
        "simulation": lambda folder: path_checks.require_empty_folder(folder, overwrite=False),
        "reproduction": lambda folder: RunsFolder(folder, plan),
        "package": check_empty,
    }
    for name, use in uses.items():
        left = left_by_a_killed_program(tmp_path / name / "plan.json")
        use(left.parent)
        assert not left.exists(), name


def test_a_folder_is_no_output_file(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    for output in ("", ".", tmp_path.anchor, images):
        refused(tell("pretrain", images, "-o", output), "is a folder")
        refused(tell("pack", images, "-o", output), "is a folder")
        refused(tell("measure", masks, "-o", output), "is a folder")
        what = "would replace" if output is images else "Name a file"
        refused(tell("finetune", "--images", images, "--targets", masks, "-o", output), what)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipes_are_never_replaced(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "a.pipe"
    os.mkfifo(pipe)
    for words in (["pretrain", images], ["pack", images], ["measure", masks]):
        refused(tell(*words, "-o", pipe, "--overwrite"), "is a pipe or a device")
    with pytest.raises(UserError, match="is a pipe or a device"), replacing(pipe, overwrite=True):
        pass
    assert pipe.is_fifo()


def test_overwrite_never_replaces_what_is_read(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    image, model = images / "0.npy", tmp_path / "m.safetensors"
    before = image.read_bytes()
    pretrain, finetune = ["pretrain", images], ["finetune", "--images", images, "--targets", masks]
    for words in (
        [*pretrain, "-o", image],
        ["pretrain", image, "-o", image],
        [*pretrain, "-o", model, "--log", image],
        [*pretrain, "-o", model, "--pictures", images],
        [*pretrain, "-o", model, "--log", model],
        [*pretrain, "-o", model, "--log", tmp_path / "m-split.json"],
        [*finetune, "-o", masks / "0.npy"],
        ["pack", images, "-o", image],
        ["evaluate", model, "--images", images, "--targets", masks, "--json", masks / "0.npy"],
        ["compare", "--starts", "scratch:unet-2-44", "--images", images, "--targets", masks, "-o", masks],
    ):
        refused(tell(*words, "--overwrite"), str(words[-1]), "would replace", "another name")
    assert image.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "masks"]


def test_folder_that_cannot_be_written(tell: Tell, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_words: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    refused(tell("pretrain", images, "-o", images / "new" / "x"), "Permission denied", "another folder")


def test_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    path_checks.write_json(Path("-"), {"a": [1.0, float("inf")], 3: "é"})
    assert json.loads(capsys.readouterr().out) == {"a": [1.0, None], "3": "é"}


def test_names_of_files_that_are_no_text_come_back_from_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"micro\xe9.tif")
    path_checks.write_json(tmp_path / "a.json", {"images": [{"image": name}]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["images"][0]["image"] == name
