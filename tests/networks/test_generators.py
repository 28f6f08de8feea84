"""The nine U-Nets: names, parameter counts, measured receptive fields."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_emssl.errors import UserError
from napari_emssl.networks.catalog import receptive_field_of, unet_receptive_field
from napari_emssl.networks.generators import HRNET_LAYOUTS, UNET_DILATIONS, build_generator, generator_names

# FACTS of the method: parameters with the 2-class head, by number of down-samplings, at width 4 and 16
PARAMETERS = {2: (8_074, 125_218), 3: (32_730, 515_682), 4: (130_682, 2_074_850)}


def parameters(network: nn.Module) -> int:
    return sum(tensor.numel() for tensor in network.parameters())


def measured_receptive_field(network: nn.Module, rows: int) -> float:
    """Rows of the input with a gradient from one output pixel, averaged over the phases of the pooling grid.

    Nearest-neighbour up-sampling makes the extent of a single output pixel depend on where it lies in the grid
    (92 or 100 rows for unet-3-96); the name is the mean.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())  # positive: no gradient is cut by a ReLU
    network.eval()
    stride = int(network.stride)
    return sum(_extent(network, rows, rows // 2 + phase) for phase in range(stride)) / stride


def _extent(network: nn.Module, rows: int, row: int) -> int:
    touched = torch.zeros(rows, dtype=torch.bool)
    for seed in range(3):  # a max-pool passes the gradient to one pixel of four: several inputs reach all rows
        source = torch.Generator().manual_seed(seed)
        x = torch.rand(1, 1, rows, 96, dtype=torch.float64, generator=source).requires_grad_()
        network(x)[0, 0, row, 48].backward()
        touched |= (x.grad[0, 0] != 0).any(1)
    found = torch.nonzero(touched).ravel()
    return int(found[-1] - found[0]) + 1


@pytest.mark.parametrize("name", UNET_DILATIONS)
def test_receptive_field_measured_by_gradient_equals_the_name(name: str) -> None:
    promised = int(name.rsplit("-", 1)[1])
    rows = -(-(promised + 64) // 32) * 32
    assert unet_receptive_field(UNET_DILATIONS[name]) == promised
    assert measured_receptive_field(build_generator(name, width=1).double(), rows) == promised


@pytest.mark.parametrize("name", UNET_DILATIONS)
def test_parameter_counts_are_those_of_the_method(name: str) -> None:
    levels = int(name.split("-")[1])
    for width, expected in zip((None, 16), PARAMETERS[levels], strict=True):
        assert parameters(build_generator(name, width, out_channels=2)) == expected


@given(
    name=st.sampled_from(tuple(UNET_DILATIONS)),
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


@pytest.mark.parametrize(
    ("name", "millions"),
    [("hrnet-w18-small", 3.934), ("hrnet-w18", 9.635), ("hrnet-w32", 29.537), ("hrnet-w48", 65.845)],
)
def test_hrnet_parameter_counts_are_those_of_the_method(name: str, millions: float) -> None:
    assert round(parameters(build_generator(name)) / 1e6, 3) == millions


@given(blocks=st.tuples(st.integers(1, 3), st.integers(1, 3)), channels=st.integers(1, 3))
@settings(max_examples=5, deadline=None)
def test_hrnet_output_has_the_height_and_width_of_the_input(blocks: tuple[int, int], channels: int) -> None:
    height, across = (32 * count for count in blocks)
    network = build_generator("hrnet-w18-small", width=2, out_channels=channels).eval()
    assert network(torch.rand(1, 1, height, across)).shape == (1, channels, height, across)


def test_hrnet_output_is_linear_and_every_weight_is_reached() -> None:
    torch.manual_seed(0)
    network = build_generator("hrnet-w18-small", width=2)
    output = network(torch.rand(2, 1, 64, 64))
    assert output.min() < 0
    output.square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_answer_alone_has_the_bits_of_one_to_learn_from(dtype: torch.dtype) -> None:
    network = build_generator("unet-3-96").to(dtype).eval()
    x = torch.rand(2, 1, 40, 56, dtype=dtype)
    x[0, 0, 3, 5] = torch.nan
    with torch.inference_mode():
        alone = network(x)
    torch.testing.assert_close(alone, network(x).detach(), rtol=0, atol=0, equal_nan=True)
    assert alone.isnan().any()


def test_every_name_is_listed_with_its_reach() -> None:
    assert set(generator_names()) == {*UNET_DILATIONS, *HRNET_LAYOUTS, "resnet50-unet"}
    assert all(build_generator(name).receptive_field == receptive_field_of(name) for name in generator_names())
    with pytest.raises(UserError, match="Choose one of unet-2-44"):
        receptive_field_of("unet-9-9")


def test_names_need_no_torch() -> None:
    code = "import sys, napari_emssl.networks.catalog; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
