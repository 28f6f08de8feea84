"""Of two runs with one output the second is told at once, instead of when it is done, or not at all."""

from pathlib import Path

import numpy as np
import pytest
from random_models import random_model
from terminal import Tell, refused

from napari_emssl.data.images.writers import write_image
from napari_emssl.models.model_file import save_model
from napari_emssl.training.file_lock import claimed, claimed_folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    mask = np.zeros((48, 64), np.uint8)
    mask[5:15, 5:20] = 1
    for n in range(2):
        write_image(tmp_path / "images" / f"{n}.tif", np.random.default_rng(n).random((48, 64), np.float32))
        write_image(tmp_path / "masks" / f"{n}.tif", mask)
    save_model(random_model(task="segment"), tmp_path / "m.safetensors")
    return tmp_path


def command(name: str, files: Path) -> list[object]:
    images, masks = ["--images", files / "images"], ["--targets", files / "masks"]
    return {
        "measure": ["measure", files / "masks", "-o", files / "out"],
        "evaluate": ["evaluate", files / "m.safetensors", *images, *masks, "--json", files / "out"],
        "pack": ["pack", files / "images", "-o", files / "out"],
        "simulate": ["simulate", "hrtem", "--count", 1, "--size", 64, "-o", files / "out"],
        "compare": ["compare", "--task", "segment", *images, *masks, "--starts", "scratch:unet-2-44:2", "--steps", 1,
                    "--seeds", 1, "--patch", 32, "--device", "cpu", "-o", files / "out"],
        "prepare": ["prepare", "au", *images, *masks, "--patch", 32, "--least-particle-px", 1, "-o", files / "out"],
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", ["measure", "evaluate", "pack"])
def test_a_file_is_held(tell: Tell, files: Path, name: str) -> None:
    with claimed(files / "out"):
        refused(tell(*command(name, files)), "Another run is writing")
    told = tell(*command(name, files))
    assert told.status == 0, told.err
    assert not [path.name for path in files.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["simulate", "compare", "prepare"])
def test_a_folder_is_held(tell: Tell, files: Path, name: str) -> None:
    with claimed_folder(files / "out"):
        refused(tell(*command(name, files)), "Another run is writing")
    told = tell(*command(name, files))
    assert told.status == 0, told.err
    assert not list((files / "out").glob(".*"))
