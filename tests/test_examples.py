"""The examples run, on tiny data."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_emssl.models.model_file import read_card
from napari_emssl.models.recommended import recommended_context_generator

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> Callable[..., Any]:
    main: Callable[..., Any] = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
    return main


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    mask = np.zeros((96, 96), np.uint8)
    mask[20:60, 30:70] = 1
    for number in range(4):
        for kind, array in (("images", 100 * mask + rng.normal(0, 10, mask.shape)), ("targets", mask)):
            (folder / kind).mkdir(exist_ok=True)
            np.save(folder / kind / f"{number}.npy", array.astype(np.float32 if kind == "images" else np.uint8))
    return folder


def test_pretrain_then_use(pairs: Path, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    example("pretrain")(pairs / "images", path, steps=2)
    assert read_card(path).name == "my-generator"
    assert example("use_generator")(path).shape == (2, 1, 64, 96)


def test_use_generator() -> None:
    assert example("use_generator")().shape == (2, 1, 64, 96)
    recommended = example("use_generator")(recommended_context_generator())
    assert (recommended.shape[0], *recommended.shape[2:]) == (2, 64, 96), "the generator in front of the list too"


def test_finetune_arrays() -> None:
    model, labels = example("finetune_arrays")(seconds=0.5, size=128)
    assert model.card.task == "segment"
    assert labels.shape == (128, 128)


def test_finetune_folder_then_apply(pairs: Path, tmp_path: Path) -> None:
    assert 0 <= example("finetune_folder")(pairs, pairs, seconds=0.5) <= 1
    np.save(tmp_path / "stack.npy", np.zeros((3, 64, 64), np.uint8))
    written = example("apply_stack")(pairs / "my-model.safetensors", tmp_path / "stack.npy", tmp_path / "results")
    assert written.exists()


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'example("{path.stem}")' in text
