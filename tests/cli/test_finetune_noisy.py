"""``napari-emssl finetune --task denoise`` without targets: what a user types and what comes back."""

from pathlib import Path

import numpy as np
import pytest

from napari_emssl.data.images.image import read_image, write_image
from napari_emssl.models.model_file import read_card

pytest.importorskip("cyclopts")
from terminal import Tell, teller

SMALL = ["--device", "cpu", "--precision", "fp32", "--patch", "64", "--batch-size", "2", "--start", "scratch",
         "--generator", "unet-2-44", "--steps", "2"]  # fmt: skip


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    monkeypatch.setenv("NAPARI_EMSSL_HOME", str(tmp_path / "home"))
    return teller(capsys)


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
