"""``napari-emssl prepare au``: from frames to a set that fine-tuning reads at once."""

from pathlib import Path

import h5py
import numpy as np
from terminal import Tell, refused


def test_frames_become_a_set_that_is_split_by_frame(tell: Tell, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind, stack in (("images", rng.random((6, 70, 70))), ("labels", rng.integers(0, 2, (6, 70, 70)))):
        with h5py.File(tmp_path / f"{kind}.h5", "w") as file:
            file[kind] = stack
    words = ["--images", tmp_path / "images.h5", "--targets", tmp_path / "labels.h5", "--patch", 32, "--quiet"]
    status, out, err = tell("prepare", "au", *words, "-o", tmp_path / "set")
    assert (status, err) == (0, "")
    assert "24 patches of 6 frames" in out
    told = tell("finetune", "--task", "segment", "--images", tmp_path / "set", "--targets", tmp_path / "set",
                "--recipe", "paper", "--epochs", 1, "--patch", 32, "--start", "scratch", "--generator", "unet-2-44",
                "--device", "cpu", "--quiet", "-o", tmp_path / "model.safetensors")  # fmt: skip
    assert told.status == 0, told.err
    refused(tell("prepare", "au", *words, "-o", tmp_path / "set"), "exists already")
    refused(tell("prepare", "au", *words, "-o", tmp_path / "other", "--least-particle-px", 5000), "--least-particle-px")
