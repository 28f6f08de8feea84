"""A terminal, and small images, masks and a model to name in it."""

from pathlib import Path

import numpy as np
import pytest
from terminal import Tell, Told

from napari_emssl.cli import main
from napari_emssl.models.model_file import Card, Model, NetworkSpec, save_model


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Run a command line and catch what it says."""

    def run(*words: object) -> Told:
        status = main([str(word) for word in words])
        return Told(status, *capsys.readouterr())

    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of four small images of noise."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        np.save(folder / f"{number}.npy", rng.integers(0, 255, (72, 80), np.uint8))
    return folder


@pytest.fixture
def masks(images: Path) -> Path:
    """A folder of masks that pair with the images."""
    folder = images.with_name("masks")
    folder.mkdir()
    for path in images.iterdir():
        mask = np.zeros((72, 80), np.uint8)
        mask[20:40, 20:50] = 1
        np.save(folder / path.name, mask)
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A model file of a few numbers."""
    card = Card(name="tiny", task="reconstruct", network=NetworkSpec(name="unet-2-44"), licence="CC0")
    weights = {"a.weight": np.zeros((2, 3), np.float32), "a.running_mean": np.zeros(2, np.float32)}
    return save_model(Model(card, weights), tmp_path / "tiny.safetensors")
