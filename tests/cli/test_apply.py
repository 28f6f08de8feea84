"""``napari-emssl apply`` and ``evaluate``, with a model from ``finetune``."""

import json
from pathlib import Path

from terminal import FINETUNE, Tell, refused

from napari_emssl.models.model_file import read_card


def test_finetune_apply_evaluate(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    output, results, scores = tmp_path / "m.safetensors", tmp_path / "results", tmp_path / "scores.json"
    pairs = ["--images", images, "--targets", masks]
    assert tell("finetune", *pairs, "-o", output, "--steps", "2", *FINETUNE).status == 0
    assert read_card(output).task == "segment"
    told = tell("apply", output, images, "-o", results, "--device", "cpu")
    assert told.status == 0, told.err
    written = [Path(line) for line in told.out.splitlines()]
    assert len(written) == 4
    assert all(path.is_file() for path in written)
    refused(tell("apply", output, images, "-o", results, "--device", "cpu", "--quiet"), "exist")
    assert tell("apply", output, images, "-o", results, "--device", "cpu", "--overwrite").status == 0
    told = tell("evaluate", output, *pairs, "--json", scores, "--device", "cpu")
    assert told.status == 0, told.err
    content = json.loads(scores.read_text())
    assert {"mean", "images"} <= content.keys()
    assert len(content["images"]) == 4
    assert "mean" in told.out
    refused(tell("evaluate", output, *pairs, "--json", scores, "--device", "cpu"), "--overwrite")
    assert json.loads(tell("evaluate", output, *pairs, "--json", "-", "--device", "cpu", "--quiet").out) == content


def test_apply_goes_on_after_a_damaged_image(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    tell("finetune", "--images", images, "--targets", masks, "-o", output, "--steps", "1", *FINETUNE)
    (images / "broken.png").write_bytes(b"\x89PNG no more")
    told = tell("apply", output, images, "-o", tmp_path / "results", "--device", "cpu", "--quiet")
    assert told.status == 2
    assert "broken.png" in told.err
    assert len(told.out.splitlines()) == 4
