"""The files of a training: autosaves are not lost, nor is a model when the disk is full."""

import os
from pathlib import Path
from typing import Any

from terminal import PRETRAIN, Tell, refused

from napari_emssl.models.model_file import read_card


def test_left_autosave_is_not_lost(tell: Tell, tmp_path: Path, images: Path) -> None:
    left = tmp_path / "m.safetensors.autosave"
    left.write_bytes(b"precious")
    refused(tell("pretrain", images, "-o", tmp_path / "m.safetensors"), "--resume", "--overwrite")
    assert left.read_bytes() == b"precious"


def test_full_disk_at_the_end_keeps_both(tell: Tell, images: Path, tmp_path: Path, monkeypatch: Any) -> None:
    output = tmp_path / "gen.safetensors"
    output.write_bytes(b"previous")
    replace, rescue = os.replace, tmp_path / "rescue"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_words: str(rescue))

    def full(source: Any, target: Any) -> None:
        if Path(target) == output:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    told = tell("pretrain", images, "-o", output, "--steps", "1", "--overwrite", *PRETRAIN)
    refused(told, "No space left", str(rescue))
    assert output.read_bytes() == b"previous"
    assert read_card(rescue / output.name).task == "reconstruct"
