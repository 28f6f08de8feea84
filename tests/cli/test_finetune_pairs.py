"""Restoration from the terminal: a simulated data set, a model, its scores, its results."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_emssl.data.images.image import read_image, write_image

pytest.importorskip("cyclopts")
from terminal import Tell, teller


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    return teller(capsys)


def plane(number: int, size: int = 64) -> NDArray[np.float32]:
    y, x = np.mgrid[:size, :size]
    return (200 + 40 * np.cos(0.6 * x + number) + 40 * np.cos(0.6 * y)).astype(np.float32)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Six images in the layout of TEM-ImageNet."""
    for number in range(6):
        clean = plane(number)
        noise = np.random.default_rng(number).normal(0, 30, clean.shape)
        write_image(tmp_path / "data" / "image" / f"{number:05d}.tif", (clean + noise).astype(np.float32), 0.02)
        write_image(tmp_path / "data" / "noNoise" / f"{number:05d}.tif", clean, 0.02)
        fine = np.kron(clean - 120, np.ones((2, 2), np.float32))
        write_image(tmp_path / "data" / "noNoiseNoBackgroundUpinterpolation2x" / f"{number:05d}.tif", fine, 0.01)
    return tmp_path / "data"


SHORT = ("--start", "scratch", "--generator", "unet-2-44", "--steps", 2, "--patch", 64, "--batch-size", 2, "--quiet")


def test_a_data_set_is_named_once_and_the_task_finds_its_targets(tell: Tell, tree: Path, tmp_path: Path) -> None:
    model, scores = tmp_path / "m.safetensors", tmp_path / "scores.json"
    told = tell("finetune", "--task", "denoise", "--images", tree, "--targets", tree, "-o", model, *SHORT)
    assert told.status == 0, told.err
    told = tell("evaluate", model, "--images", tree, "--targets", tree, "--json", scores, "--quiet")
    assert told.status == 0, told.err
    written = json.loads(scores.read_text())
    assert len(written["images"]) == 6
    assert {"l1", "psnr", "ssim", "l1 fitted", "psnr fitted", "ssim fitted"} <= set(written["mean"])


def test_results_on_a_finer_grid_have_half_the_pixel_size(tell: Tell, tree: Path, tmp_path: Path) -> None:
    model, fine = tmp_path / "m.safetensors", tree / "noNoiseNoBackgroundUpinterpolation2x"
    told = tell(
        "finetune", "--task", "super-resolve", "--images", tree / "image", "--targets", fine, "-o", model, *SHORT
    )
    assert told.status == 0, told.err
    assert tell("apply", model, tree / "image" / "00000.tif", "-o", tmp_path / "out", "--quiet").status == 0
    result = read_image(tmp_path / "out" / "00000.tif")
    assert result.plane_shape == (128, 128)
    assert result.pixel_size_nm == pytest.approx(0.01)


def test_a_task_without_targets_in_the_data_set_is_refused(tell: Tell, tree: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    told = tell("finetune", "--task", "remove-background", "--images", tree, "--targets", tree, "-o", output, *SHORT)
    assert told.status == 2
    assert "no targets for 'remove-background'" in told.err
    assert not output.exists()


def test_targets_of_another_size_are_refused(tell: Tell, tree: Path, tmp_path: Path) -> None:
    fine = tree / "noNoiseNoBackgroundUpinterpolation2x"
    told = tell(
        "finetune",
        "--task",
        "denoise",
        "--images",
        tree / "image",
        "--targets",
        fine,
        "-o",
        tmp_path / "m.safetensors",
        *SHORT,
    )
    assert told.status == 2
    assert "differ in size" in told.err
