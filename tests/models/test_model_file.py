"""The model file: identical after save and load, and every kind of damage named in a sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from random_models import reconstructor
from safetensors.numpy import load_file, save_file

from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Finished, Preview
from napari_emssl.models.build import build_network
from napari_emssl.models.model_file import Model, count_parameters, half, read_card, read_model, save_model
from napari_emssl.networks.generators import generator_names


@pytest.mark.parametrize("name", generator_names())
def test_saved_and_loaded_gives_identical_output(name: str, tmp_path: Path) -> None:
    model = reconstructor(name)
    loaded = read_model(save_model(model, tmp_path / "m.safetensors"))
    assert loaded.card == model.card
    x = torch.rand(1, 1, 64, 64)
    assert torch.equal(build_network(loaded)(x), build_network(model)(x))


def test_the_card_is_read_without_the_weights(tmp_path: Path) -> None:
    assert read_card(save_model(reconstructor(), tmp_path / "m.safetensors")).name == "test"


def test_a_printed_job_says_which_model_and_no_weights() -> None:
    model = reconstructor()
    events = [Preview({"restored": np.zeros((128, 128))}, 3, "a patch"), Finished(model)]
    shown = [repr(event) for event in events]
    assert all(len(text) < 200 for text in shown), "the pages print events"
    assert "restored" in shown[0]
    assert f"Model('{model.name}', task='reconstruct'" in shown[1]


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists"):
        save_model(reconstructor(), path, overwrite=False)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_points_to_the_list() -> None:
    with pytest.raises(UserError, match="models list"):
        read_model("nowhere.safetensors")


@pytest.mark.parametrize("length", [0, 7, 100, 5000])
def test_a_truncated_file_is_named(length: int, tmp_path: Path) -> None:
    path = save_model(reconstructor(), tmp_path / "m.safetensors")
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
    model = reconstructor()
    lacking = {name: array for name, array in model.weights.items() if name != "head.bias"}
    with pytest.raises(UserError, match=r"lacks the tensor 'head\.bias'"):
        build_network(Model(model.card, lacking))
    misshapen = {**model.weights, "head.bias": np.zeros(3, np.float32)}
    with pytest.raises(UserError, match=r"'head\.bias'.* shape \(3,\)"):
        build_network(Model(model.card, misshapen))


def test_float16_halves_the_file_and_hardly_changes_the_output(tmp_path: Path) -> None:
    model = reconstructor("unet-3-96", width=8)
    full = save_model(model, tmp_path / "full.safetensors")
    small = save_model(model, tmp_path / "small.safetensors", storage="float16")
    assert small.stat().st_size < 0.56 * full.stat().st_size
    assert count_parameters(small) == count_parameters(full)
    loaded = read_model(small)
    assert all(array.dtype == model.weights[name].dtype for name, array in loaded.weights.items())
    x = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        expected, found = build_network(model)(x), build_network(loaded)(x)
    assert float((found - expected).abs().max()) < 2e-3 * float(expected.abs().max())


def test_the_card_says_how_weights_are_stored_and_copies_keep_it(tmp_path: Path) -> None:
    small = save_model(reconstructor(), tmp_path / "small.safetensors", storage="float16")
    assert read_card(small).storage == "float16"
    copy = save_model(read_model(small).renamed("copy"), tmp_path / "copy.safetensors")
    assert read_card(copy).storage == "float16"
    again = read_model(copy).weights
    assert all(np.array_equal(array, again[name]) for name, array in read_model(small).weights.items())
    back = save_model(read_model(small), tmp_path / "back.safetensors", storage="float32")
    assert {array.dtype for array in load_file(back).values()} <= {np.dtype(np.float32), np.dtype(np.int64)}


def test_float32_is_left_unsaid_so_that_its_bytes_are_what_they_were(tmp_path: Path) -> None:
    path = save_model(reconstructor(), tmp_path / "m.safetensors")
    assert b"storage" not in path.read_bytes()
    assert read_card(path).storage == "float32"


def test_biases_and_statistics_of_norms_stay_as_they_are(tmp_path: Path) -> None:
    weights = {"running_var": np.array([1e9, 1e-12], np.float32), "num_batches_tracked": np.array(70000)}
    path = save_model(Model(reconstructor().card, weights), tmp_path / "m.safetensors", storage="float16")
    loaded = read_model(path).weights
    assert all(np.array_equal(loaded[name], array) for name, array in weights.items())


_WEIGHTS = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4), elements=st.floats(width=32)
)


@given(_WEIGHTS)
@settings(deadline=None)
def test_what_does_not_fit_16_bits_is_left_alone(array: np.ndarray) -> None:
    stored = half(array)
    assert stored.shape == array.shape
    if stored.dtype == np.float32:
        assert np.array_equal(stored, array, equal_nan=True)
        return
    assert array.ndim > 1
    assert np.isfinite(stored).all()
    assert np.abs(stored.astype(np.float64) - array).max() <= np.abs(array).max() / 2048


@pytest.mark.parametrize("value", [1e5, 1e-9, np.inf, np.nan])
def test_overflow_and_underflow_are_not_rounded_away(value: float) -> None:
    assert half(np.full((2, 2), value, np.float32)).dtype == np.float32
