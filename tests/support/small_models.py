"""A small model with random weights."""

import torch

from napari_emssl.models.model_file import Card, Model, NetworkSpec
from napari_emssl.models.weights import network_of, to_numpy


def model_of(name: str = "unet-2-44", width: int = 2, channels: int = 1) -> Model:
    torch.manual_seed(1)
    spec = NetworkSpec(name=name, width=width, out_channels=channels)
    return Model(Card(name="test", task="reconstruct", network=spec), to_numpy(network_of(spec).state_dict()))
