"""``napari-emssl pretrain``: its flags and what a run leaves."""

import json
from pathlib import Path

from terminal import PRETRAIN, Tell, refused

from napari_emssl.models.model_file import read_card


def test_flags_of_the_design_are_there(tell: Tell) -> None:
    text = tell("pretrain", "--help").out
    flags = (
        "generator images validation epochs steps max-seconds batch-size patch seed device precision workers resume log"
    )
    for flag in ["-o", *(f"--{name}" for name in flags.split())]:
        assert f"{flag} " in text
    text = tell("finetune", "--help").out
    for flag in ("--task", "--images", "--targets", "--start", "--generator", "--zero", "--merge-classes", "--output"):
        assert flag in text


def test_folder_without_images_writes_nothing(tell: Tell, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "Thumbs.db").write_bytes(b"junk")
    refused(tell("pretrain", empty, "-o", tmp_path / "new" / "m.safetensors", "--log", tmp_path / "log"))
    assert {path.name for path in tmp_path.iterdir()} == {"empty"}


def test_pretrain_end_to_end(tell: Tell, images: Path, tmp_path: Path) -> None:
    output, log = tmp_path / "deep" / "gen.safetensors", tmp_path / "gen.jsonl"
    told = tell("pretrain", images, "-o", output, "--steps", "3", "--log", log, "--licence", "CC0", *PRETRAIN)
    assert told.status == 0, told.err
    assert str(output) in told.out
    card = read_card(output)
    assert (card.name, card.task, card.licence) == ("gen", "reconstruct", "CC0")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert lines[-1]["step"] == 3
    assert {"step", "seconds", "images_per_second", "losses"} <= lines[-1].keys()
    assert set(next(line for line in lines if "validation" in line)["validation"]) == {"l1"}
    pictures = output.with_name("gen-pictures")
    assert {"curves.png", "curves.csv"} <= {path.name for path in pictures.iterdir()}
    assert list(pictures.glob("step-*.png"))
    assert not output.with_name(output.name + ".autosave").exists()
    refused(tell("pretrain", images, "-o", output, "--steps", "3", *PRETRAIN), "--overwrite")
    assert tell("pretrain", images, "-o", output, "--steps", "1", "--overwrite", *PRETRAIN).status == 0


def test_pretext_tasks_are_asked_for_by_a_flag(tell: Tell, images: Path, tmp_path: Path) -> None:
    output = tmp_path / "gen.safetensors"
    refused(tell("pretrain", images, "-o", output, "--pretext", "restore+puzzle", *PRETRAIN), "'puzzle'")
    told = tell("pretrain", images, "-o", output, "--steps", "1", "--pretext", "episodes", *PRETRAIN)
    assert told.status == 0, told.err
    assert "episode_dice" in told.out
    spec = read_card(output).network
    assert (spec.vector_channels, spec.heads) == (16, ())
