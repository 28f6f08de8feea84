"""``napari-emssl apply`` and ``evaluate``, with a model from ``finetune``."""

import json
from pathlib import Path

import numpy as np
import tifffile
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


def test_every_command_takes_one_image_of_several(tell: Tell, tmp_path: Path) -> None:
    film, mask = np.random.default_rng(0).random((2, 96, 96), np.float32), np.zeros((96, 96), np.uint8)
    mask[20:50, 30:70] = 1
    (tmp_path / "i").mkdir()
    (tmp_path / "t").mkdir()
    for name in "ab":
        tifffile.imwrite(tmp_path / "t" / f"{name}.tif", mask)
        with tifffile.TiffWriter(tmp_path / "i" / f"{name}.tif", ome=True) as tif:
            for detector, plane in zip(("BF", "DF"), film, strict=True):
                tif.write(plane, metadata={"Name": detector, "axes": "YX"}, photometric="minisblack")
    pairs = ["--images", tmp_path / "i", "--targets", tmp_path / "t"]
    model = tmp_path / "m.safetensors"
    told = tell("finetune", *pairs, "--image", "all", "-o", model, "--steps", "1", *FINETUNE)
    assert told.status == 0, told.err
    assert "is used" not in told.err
    assert "'BF' is used" in tell("evaluate", model, *pairs, "--device", "cpu").err
    told = tell("evaluate", model, *pairs, "--image", "all", "--json", "-", "--device", "cpu")
    assert len(json.loads(told.out)["images"]) == 4
    refused(tell("evaluate", model, *pairs, "--image", "HAADF", "--device", "cpu"), "'BF', 'DF'")
    told = tell("apply", model, tmp_path / "i", "--image", "DF", "-o", tmp_path / "r", "--device", "cpu")
    assert (told.status, len(told.out.splitlines())) == (0, 2), told.err
    told = tell("pack", tmp_path / "i", "--image", "all", "-o", tmp_path / "p.pack")
    assert "4 planes of 4 images" in told.out, told.err
    told = tell("measure", tmp_path / "t", "--image", "all", "-o", tmp_path / "p.csv")
    assert told.status == 0, told.err
