"""The discriminator: size, output grid, and the patch each logit sees."""

import torch
from torch import nn

from napari_emssl.networks.patchgan import PatchGAN


def test_parameters_and_output_grid() -> None:
    network = PatchGAN()
    assert sum(tensor.numel() for tensor in network.parameters()) == 2_764_609
    image = torch.zeros(1, 1, 224, 224)
    assert network(image, image).shape == (1, 1, 26, 26)


def test_each_logit_sees_70_pixels() -> None:
    network = PatchGAN(width=4).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.01)
    image = torch.rand(1, 1, 224, 224, requires_grad=True)
    network(image, image)[0, 0, 13, 13].backward()
    rows = torch.nonzero((image.grad[0, 0] != 0).any(1)).ravel()
    assert int(rows[-1] - rows[0]) + 1 == 70


def test_initial_weights_are_those_of_pix2pix() -> None:
    torch.manual_seed(0)
    deviations = [float(m.weight.detach().std()) for m in PatchGAN().modules() if isinstance(m, nn.Conv2d)]
    assert all(abs(deviation - 0.02) < 0.002 for deviation in deviations)
