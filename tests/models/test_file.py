"""The model file: identical after save and load, and every kind of damage named in a sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from small_models import model_of

from napari_emssl.errors import UserError
from napari_emssl.models.file import Model, read_card, read_model, save_model
from napari_emssl.models.tasks import build_network
from napari_emssl.networks.generators import generator_names


@pytest.mark.parametrize("name", generator_names())
def test_saved_and_loaded_gives_identical_output(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    loaded = read_model(save_model(model, tmp_path / "m.safetensors"))
    assert loaded.card == model.card
    x = torch.rand(1, 1, 64, 64)
    assert torch.equal(build_network(loaded)(x), build_network(model)(x))


def test_the_card_is_read_without_the_weights(tmp_path: Path) -> None:
    assert read_card(save_model(model_of(), tmp_path / "m.safetensors")).name == "test"


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists"):
        save_model(model_of(), path, overwrite=False)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_points_to_the_list() -> None:
    with pytest.raises(UserError, match="models list"):
        read_model("nowhere.safetensors")


@pytest.mark.parametrize("length", [0, 7, 100, 5000])
def test_a_truncated_file_is_named(length: int, tmp_path: Path) -> None:
    path = save_model(model_of(), tmp_path / "m.safetensors")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match="damaged or cut short"):
        read_model(path)


def test_another_programs_file_has_no_card(tmp_path: Path) -> None:
    save_file({"a": np.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="no card"):
        read_model(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("card", "message"),
    [('{"format_version": 99}', "version 99"), ('{"format_version": 1}', "damaged"), ("{", "damaged")],
)
def test_a_bad_card_says_what_is_wrong(card: str, message: str, tmp_path: Path) -> None:
    save_file({"a": np.zeros(1)}, tmp_path / "m.safetensors", {"napari_emssl": card})
    with pytest.raises(UserError, match=message):
        read_model(tmp_path / "m.safetensors")


def test_missing_and_misshapen_tensors_are_named() -> None:
    model = model_of()
    lacking = {name: array for name, array in model.weights.items() if name != "head.bias"}
    with pytest.raises(UserError, match=r"lacks the tensor 'head\.bias'"):
        build_network(Model(model.card, lacking))
    misshapen = {**model.weights, "head.bias": np.zeros(3, np.float32)}
    with pytest.raises(UserError, match=r"'head\.bias'.* shape \(3,\)"):
        build_network(Model(model.card, misshapen))
