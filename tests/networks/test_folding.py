"""Folded layers compute the numbers of the layers as they are."""

import pytest
import torch
from torch import Tensor

from napari_emssl.networks import folding, unet
from napari_emssl.networks import norm as norms
from napari_emssl.networks.catalog import UNET_DILATIONS
from napari_emssl.networks.folding import fold, gains_by_folding, pooled, unfold
from napari_emssl.networks.norm import use_instance_norm


def learnt(network: unet.UNet, x: Tensor) -> list[Tensor]:
    """Output, gradients, and what the norms remember."""
    network.zero_grad()
    output = network(x)
    (output * torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)).sum().backward()
    return [
        output.detach(),
        *(weight.grad.clone() for weight in network.parameters()),
        *map(torch.clone, network.buffers()),
    ]


@pytest.mark.parametrize(("name", "norm"), [("unet-2-44", "batch"), ("unet-2-84", "instance"), ("unet-4-424", "batch")])
def test_folding_changes_no_number(name: str, norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(norms, "_FEW", 0)  # the norm's own way with few channels is for float32
    network = unet.UNet(UNET_DILATIONS[name], width=3, in_channels=2, out_channels=2)
    if norm == "instance":
        use_instance_norm(network)
    network.double()
    x = torch.randn(2, 2, 32, 48, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    expected = learnt(network, x)
    network.load_state_dict(before)
    asked: list[tuple[int, int]] = []

    def folds(_x: Tensor, channels: int, dilation: int) -> bool:
        asked.append((channels, dilation))
        return True

    monkeypatch.setattr(unet, "gains_by_folding", folds)
    found = learnt(network, x)
    assert asked == [(3, UNET_DILATIONS[name][0])]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    network.eval()
    folded = network(x)
    monkeypatch.setattr(unet, "gains_by_folding", gains_by_folding)
    torch.testing.assert_close(folded, network(x), rtol=1e-9, atol=1e-9)


def test_training_learns_after_a_validation_came_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where taps go is made once for each device: nothing is copied there while a step is recorded."""
    folding._places.cache_clear()
    monkeypatch.setattr(unet, "gains_by_folding", lambda *_: True)
    network, x = unet.UNet(UNET_DILATIONS["unet-2-84"], width=3), torch.randn(1, 1, 16, 16)
    with torch.inference_mode():
        network(x)
    made = folding._places.cache_info().misses
    network(x).sum().backward()
    assert network.encoder[0].conv1.weight.grad.abs().sum() > 0
    assert folding._places.cache_info().misses == made


def test_what_is_folded_is_unfolded() -> None:
    x = torch.arange(2 * 3 * 6 * 8.0).view(2, 3, 6, 8)
    assert torch.equal(unfold(fold(x)), x)
    assert torch.equal(pooled(fold(x)), torch.nn.functional.max_pool2d(x, 2))


def test_nothing_is_folded_on_a_cpu() -> None:
    assert not gains_by_folding(torch.zeros(1, 1, 8, 8), channels=4, dilation=1)


def test_every_shipped_u_net_can_be_folded() -> None:
    """A kernel of a dilation above 2 would not be 3 x 3 when folded."""
    assert max(dilations[0] for dilations in UNET_DILATIONS.values()) <= 2
