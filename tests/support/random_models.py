"""Models with random weights, and the network run over a whole plane with nothing in between."""

import numpy as np
import torch

from napari_emssl.models.build import build_network, network_of
from napari_emssl.models.model_file import Card, ClassInfo, Model, NetworkSpec
from napari_emssl.models.objectives import objective_of
from napari_emssl.models.weights import to_numpy
from napari_emssl.networks.generators import build_generator


def reconstructor(name: str = "unet-2-44", width: int = 2, channels: int = 1) -> Model:
    """A generator with the random weights of its initialization."""
    torch.manual_seed(1)
    spec = NetworkSpec(name=name, width=width, out_channels=channels)
    return Model(Card(name="test", task="reconstruct", network=spec), to_numpy(network_of(spec).state_dict()))


def random_model(name="unet-2-44", width=2, task="denoise", classes=("background", "particle"), refine=False, **card):
    """Random weights, norm statistics included, so that every layer changes what passes."""
    out_channels = card.get("upscale", 1) ** 2 if task != "segment" or len(classes) == 2 else len(classes)
    torch.manual_seed(0)
    network = build_generator(name, width, out_channels, refine)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    torch.nn.init.zeros_(network.head.bias)
    if refine:
        torch.nn.init.normal_(network.refinement.head.weight)
    infos = tuple(ClassInfo(name=one, target_value=k) for k, one in enumerate(classes)) if task == "segment" else ()
    card.setdefault("classes", infos)
    spec = NetworkSpec(name=name, width=width, out_channels=out_channels, refine=refine)
    return Model(Card(name="random", task=task, network=spec, **card), to_numpy(network.state_dict()))


def whole(model, plane, levels=None):
    """Decoded output ``(c, h, w)`` of one pass over the scaled, padded plane ``(h, w)``."""
    network = build_network(model)
    unit = (levels or model.card.scaling.fit(plane)).to_unit(plane)
    height, width = unit.shape
    stride = network.stride
    rows = reflected(height, stride)
    columns = reflected(width, stride)
    with torch.inference_mode():
        output = network(torch.from_numpy(unit[rows][:, columns])[None, None])
    return objective_of(model.card).decode(output)[0, :, :height, :width].numpy()


def reflected(size, stride):
    """Indices that extend an axis by reflection to a multiple of the stride."""
    period = max(2 * size - 2, 1)
    index = np.arange(-(-size // stride) * stride) % period
    return np.where(index < size, index, period - index)


def random_in_context(painted=(70, 5), scale=1.0, decoder="unet-2-44", filter_share=0.0):
    """A model in context with random weights and random painted pixels."""
    spec = NetworkSpec(
        name="unet-2-44", width=2, out_channels=5, vector_channels=4, mask_decoder=decoder, painted=painted,
        scale=scale, filter_share=filter_share, heads=("objects",),
    )  # fmt: skip
    torch.manual_seed(0)
    network = network_of(spec)
    for vectors in network.context:
        torch.nn.init.normal_(vectors)
    if decoder:
        torch.nn.init.normal_(network.mask_decoder.network.head.weight)
    classes = tuple(ClassInfo(name=f"class {k}" if k else "background", target_value=k) for k in range(len(painted)))
    card = Card(name="random-context", task="segment", network=spec, classes=classes)
    return Model(card, to_numpy(network.state_dict()))
