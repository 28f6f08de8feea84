"""The U-Net on a ResNet50: shape, number of weights, and how far it sees."""

import torch

from napari_emssl.networks.generators import build_generator

RESNET50_WITHOUT_CLASSIFIER = 23_508_032
"""Weights of torchvision's ResNet50 (25 557 032) without those of its classifier."""


def test_the_encoder_is_a_resnet50_of_one_channel() -> None:
    network = build_generator("resnet50-unet", width=1, out_channels=2)
    count = sum(weights.numel() for weights in network.encoder.parameters())
    assert count == RESNET50_WITHOUT_CLASSIFIER - 2 * 64 * 7 * 7
    assert network.eval()(torch.zeros(1, 1, 64, 96)).shape == (1, 2, 64, 96)


def test_nothing_beyond_its_reach_matters() -> None:
    network = build_generator("resnet50-unet", width=1).double().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1 / module.weight[0].numel())  # positive: no ReLU cuts a gradient
    x = torch.rand(1, 1, 768, 32, dtype=torch.float64).requires_grad_()
    network(x)[0, 0, 384, 16].backward()
    found = torch.nonzero((x.grad[0, 0] != 0).any(1)).ravel()
    extent = int(found[-1] - found[0]) + 1
    assert 400 < extent <= network.receptive_field
