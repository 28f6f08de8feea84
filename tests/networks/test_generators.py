"""The nine U-Nets: names, parameter counts, measured receptive fields."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_emssl.errors import UserError
from napari_emssl.networks.generators import UNET_DILATIONS, build_generator, generator_names
from napari_emssl.networks.unet import receptive_field

# FACTS of the method: parameters with the 2-class head, by number of down-samplings, at width 4 and 16
PARAMETERS = {2: (8_074, 125_218), 3: (32_730, 515_682), 4: (130_682, 2_074_850)}


def parameters(network: nn.Module) -> int:
    return sum(tensor.numel() for tensor in network.parameters())


def measured_receptive_field(network: nn.Module, size: int) -> int:
    """Edge of the square of input pixels with a gradient from one output pixel, largest over a pooling period."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())  # positive: no gradient is cut by a ReLU
    network.eval()
    widest, stride = 0, int(network.stride)
    for shift in (0, stride - 1):
        touched = torch.zeros(size, size, dtype=torch.bool)
        for seed in range(6):  # the max-pool passes the gradient to one pixel of four: several inputs reach all
            x = torch.rand(1, 1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
            x.requires_grad_()
            place = size // 2 + shift
            network(x)[0, 0, place, place].backward()
            touched |= x.grad[0, 0] != 0
        rows = torch.nonzero(touched.any(1)).ravel()
        widest = max(widest, int(rows[-1] - rows[0]) + 1)
    return widest


@pytest.mark.parametrize("name", generator_names())
def test_receptive_field_measured_by_gradient_equals_the_name(name: str) -> None:
    promised = int(name.rsplit("-", 1)[1])
    size = -(-(promised + 64) // 32) * 32
    assert receptive_field(UNET_DILATIONS[name]) == promised
    assert measured_receptive_field(build_generator(name, width=1).double(), size) == promised


@pytest.mark.parametrize("name", generator_names())
def test_parameter_counts_are_those_of_the_method(name: str) -> None:
    levels = int(name.split("-")[1])
    for width, expected in zip((None, 16), PARAMETERS[levels], strict=True):
        assert parameters(build_generator(name, width, out_channels=2)) == expected


@given(
    name=st.sampled_from(generator_names()),
    width=st.integers(1, 3),
    channels=st.integers(1, 3),
    blocks=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
@settings(max_examples=20, deadline=None)
def test_output_has_the_height_and_width_of_the_input(
    name: str, width: int, channels: int, blocks: tuple[int, int]
) -> None:
    network = build_generator(name, width, channels)
    height, across = (16 * count for count in blocks)
    assert network(torch.zeros(2, 1, height, across)).shape == (2, channels, height, across)


def test_unknown_name_is_answered_by_the_names_there_are() -> None:
    with pytest.raises(UserError, match="unet-2-44"):
        build_generator("unet-9")
