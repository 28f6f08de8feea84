"""``napari-emssl finetune``: restoration from pairs, from a whole data set, and from noisy images alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from terminal import Tell

from napari_emssl.data.images.opening import read_image
from napari_emssl.data.images.writers import write_image
from napari_emssl.models.model_file import read_card

SHORT = ("--start", "scratch", "--generator", "unet-2-44", "--steps", 2, "--patch", 64, "--batch-size", 2, "--quiet")
SMALL = ["--device", "cpu", "--precision", "fp32", "--patch", "64", "--batch-size", "2", "--start", "scratch",
         "--generator", "unet-2-44", "--steps", "2"]  # fmt: skip


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
    pairs = ["--images", tree / "image", "--targets", fine]
    told = tell("finetune", "--task", "denoise", *pairs, "-o", tmp_path / "m.safetensors", *SHORT)
    assert told.status == 2
    assert "differ in size" in told.err


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A calibrated stack of a scene that stands still."""
    y, x = np.mgrid[:160, :128]
    clean = 100 + 20 * np.cos(y * 0.3) + 20 * np.cos(0.2 * x + 0.1 * y)
    noisy = clean + np.random.default_rng(0).normal(0, 10, (4, 160, 128))
    return write_image(tmp_path / "film.tif", noisy.astype(np.float32), 0.5)


def test_a_stack_alone_gives_a_denoiser(tell: Tell, film: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    told = tell("finetune", "--task", "denoise", "--images", film, "-o", output, *SMALL)
    assert told.status == 0
    assert "Neighbouring frames are targets of one another" in told.err
    assert "validation loss" in told.out
    assert read_card(output).history[-1].data["supervision"] == "frames"
    assert tell("apply", output, film, "-o", tmp_path / "out", "--device", "cpu", "--quiet").status == 0
    (written,) = (tmp_path / "out").iterdir()
    result = read_image(written)
    assert (len(result), result.plane_shape, result.pixel_size_nm) == (4, (160, 128), 0.5)


def test_blind_spot_can_be_asked_for(tell: Tell, film: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    words = ["finetune", "--task", "denoise", "--images", film, "-o", output, "--supervision", "blind-spot", *SMALL]
    assert "(blind-spot): as asked for" in tell(*words).err
    assert read_card(output).history[-1].data["supervision"] == "blind-spot"


def test_what_cannot_be_learnt_without_targets_is_refused(tell: Tell, film: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.safetensors"
    single = write_image(tmp_path / "single.tif", read_image(film).plane(0))
    for words, said in (
        (["--images", film], "--targets is missing: only --task denoise"),
        (["--images", film, "--task", "super-resolve"], "--targets is missing: only --task denoise"),
        (["--images", single, "--task", "denoise", "--supervision", "frames"], "only one frame"),
        (["--images", film, "--task", "denoise", "--test", "0.2"], "Leave out --test"),
        (["--images", film, "--task", "denoise", "--supervision", "n2v"], "--supervision must be"),
    ):
        told = tell("finetune", *words, "-o", output, "--steps", "1", "--start", "scratch")
        assert told.status == 2
        assert said in told.err
        assert len(told.err.splitlines()) <= 2
        assert not output.exists()


@pytest.mark.parametrize(("task", "workers"), [("segment", 1), ("denoise", 0)])
def test_a_test_is_scored_and_its_split_can_be_used_again(
    task: str, workers: int, tell: Tell, tree: Path, tmp_path: Path
) -> None:
    for number in range(6):
        mask = (plane(number) > 230).astype(np.uint8)
        write_image(tree / "circularMask" / f"{number:05d}.tif", mask, 0.02)
    words = ("finetune", "--task", task, "--images", tree, "--targets", tree, *SMALL, "--quiet")
    told = tell(*words, "--test", 0.3, "--workers", workers, "-o", tmp_path / "a.safetensors")
    assert told.status == 0, told.err
    assert ("test dice" if task == "segment" else "test l1") in told.out
    split = json.loads((tmp_path / "a-split.json").read_text())
    assert [len(split[part]) for part in ("training", "validation", "test")] == [3, 1, 2]
    told = tell(*words, "--split", tmp_path / "a-split.json", "--seed", 7, "-o", tmp_path / "b.safetensors")
    assert told.status == 0, told.err
    again = json.loads((tmp_path / "b-split.json").read_text())
    assert again["test"] == split["test"]
    first, second = (read_card(tmp_path / f"{name}.safetensors").history[-1] for name in "ab")
    assert first.settings["workers"] == workers
    assert set(first.metrics) == set(second.metrics)


def test_a_split_that_would_be_replaced_is_refused_before_training(tell: Tell, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "a-split.json").write_text("mine")
    told = tell("finetune", "--task", "denoise", "--images", tree, "--targets", tree, *SMALL,
                "--test", 0.3, "-o", tmp_path / "a.safetensors")  # fmt: skip
    assert told.status == 2
    assert "a-split.json" in told.err
    assert (tmp_path / "a-split.json").read_text() == "mine"
