"""Weights carried from a generator to every head, of both families, with and without refinement."""

import numpy as np
import pytest
import torch

from napari_emssl.models.build import build_network, network_of
from napari_emssl.models.model_file import Card, Model, NetworkSpec, read_model, save_model
from napari_emssl.models.weights import to_numpy, transfer

NETWORKS = [
    ("unet-3-96", False, False),
    ("unet-4-424", False, False),
    ("hrnet-w18-small", False, False),
    ("hrnet-w18-small", False, True),
    ("hrnet-w18-small", True, False),
    ("hrnet-w18-small", True, True),
    ("hrnet-w48", False, True),
]


def spec(name: str, refine: bool, channels: int = 1) -> NetworkSpec:
    return NetworkSpec(name=name, width=2, out_channels=channels, refine=refine)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(("name", "before", "after"), NETWORKS)
def test_all_weights_that_fit_are_carried_over(name: str, before: bool, after: bool, channels: int) -> None:
    torch.manual_seed(1)
    base = to_numpy(network_of(spec(name, before)).state_dict())
    torch.manual_seed(2)
    network = network_of(spec(name, after, channels))
    untouched = to_numpy({key: tensor.clone() for key, tensor in network.state_dict().items()})
    left = transfer(base, network)
    heads = {"head.weight", "head.bias", "refinement.head.weight", "refinement.head.bias"} & set(untouched)
    expected = heads if channels > 1 else set()
    if after and not before:
        expected |= {key for key in untouched if key.startswith("refinement.")}
    assert set(left) == expected
    for key, tensor in to_numpy(network.state_dict()).items():
        np.testing.assert_array_equal(tensor, (untouched if key in left else base)[key])


@pytest.mark.parametrize("refine", [False, True])
def test_a_refined_model_is_saved_and_loaded(refine: bool, tmp_path) -> None:
    network = network_of(spec("hrnet-w18-small", refine))
    card = Card(name="m", task="reconstruct", network=spec("hrnet-w18-small", refine))
    loaded = read_model(save_model(Model(card, to_numpy(network.state_dict())), tmp_path / "m.safetensors"))
    assert loaded.card.network.refine is refine
    x = torch.rand(1, 1, 64, 64)
    assert torch.equal(build_network(loaded)(x), network.eval()(x))


def test_cards_from_before_refinement_are_read() -> None:
    assert NetworkSpec.model_validate({"name": "hrnet-w18", "width": None, "out_channels": 1}).refine is False
