"""Gradients of dilated convolutions are right in bf16, too."""

import pytest
import torch

from napari_emssl.networks.convolution import DilatedConv
from napari_emssl.networks.generators import UNET_DILATIONS, build_generator


@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 12, 16, 17, 20, 24, 36, 40, 48, 100])
def test_bf16_gives_the_gradients_of_float32(channels: int, dilation: int) -> None:
    torch.manual_seed(0)
    convolution = DilatedConv(channels, 8, 3, padding=dilation, dilation=dilation)
    convolution.to(memory_format=torch.channels_last)
    x = torch.rand(2, channels, 32, 32).contiguous(memory_format=torch.channels_last).requires_grad_()
    slope = torch.randn(2, 8, 32, 32).contiguous(memory_format=torch.channels_last)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = convolution(x)
        found.append([y.float(), *torch.autograd.grad(y, (x, *convolution.parameters()), slope.to(y.dtype))])
    for wanted, seen in zip(*found, strict=True):
        torch.testing.assert_close(seen, wanted, rtol=0.05, atol=0.02 * float(wanted.detach().abs().max()))


@pytest.mark.parametrize("width", [4, 5, 8, 16])
@pytest.mark.parametrize("name", UNET_DILATIONS)
def test_no_generator_loses_its_gradients_in_bf16(name: str, width: int) -> None:
    torch.manual_seed(0)
    network = build_generator(name, width).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        y = network(torch.rand(2, 1, 64, 64))
    y.float().square().mean().backward()
    for weights, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all(), weights
