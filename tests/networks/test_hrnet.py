"""HRNet with and without its part at full resolution."""

import numpy as np
import pytest
import torch
from torch import nn

from napari_emssl.errors import UserError
from napari_emssl.networks.catalog import receptive_field_of
from napari_emssl.networks.generators import HRNET_LAYOUTS, UNET_DILATIONS, build_generator


def small(refine: bool, channels: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return build_generator("hrnet-w18-small", width=2, out_channels=channels, refine=refine)


@pytest.mark.parametrize("name", HRNET_LAYOUTS)
def test_refinement_adds_few_weights_and_a_wider_reach(name: str) -> None:
    plain, refined = (build_generator(name, refine=refine) for refine in (False, True))
    extra = set(refined.state_dict()) - set(plain.state_dict())
    assert {key.split(".")[0] for key in extra} == {"refinement"}
    features = 15 * HRNET_LAYOUTS[name].width
    # 1x1 to 16 channels, 3x3 from 16 + 1 and from 16 channels, three norms, 1x1 head
    expected = features * 16 + 9 * 17 * 16 + 9 * 16 * 16 + 3 * 32 + 17
    assert sum(p.numel() for p in refined.parameters()) - sum(p.numel() for p in plain.parameters()) == expected
    assert refined.receptive_field == plain.receptive_field + 4 == receptive_field_of(name, refine=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_new_refinement_changes_nothing_at_first_and_every_weight_can_learn(channels: int) -> None:
    plain, refined = small(False, channels), small(True, channels)
    refined.load_state_dict(plain.state_dict(), strict=False)
    x = torch.rand(2, 1, 64, 96)
    assert torch.equal(refined.eval()(x), plain.eval()(x))
    refined.train()
    optimiser = torch.optim.SGD(refined.parameters(), 1e-3)
    for _ in range(2):  # the first step moves the last convolution away from zero, then the ones before it get a slope
        optimiser.zero_grad()
        (refined(x) - 1).square().mean().backward()
        optimiser.step()
    assert all(weight.grad is not None and weight.grad.any() for weight in refined.refinement.parameters())


@pytest.mark.parametrize("refine", [False, True])
def test_only_a_refined_one_draws_single_pixels(refine: bool) -> None:
    """Train the last layers to return an image of single bright pixels, a detail finer than the 4 px grid."""
    network = small(refine).train()
    nn.init.zeros_(network.head.weight)  # random ones give outputs far larger than the image
    image = torch.from_numpy((np.random.default_rng(0).random((2, 1, 64, 64)) < 0.1).astype(np.float32))
    for name, weight in network.named_parameters():
        weight.requires_grad_(name.startswith(("head", "refinement")))
    last = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(last, 2e-2)
    for _ in range(60):
        optimiser.zero_grad()
        loss = (network(image) - image).square().mean()
        loss.backward()
        optimiser.step()
    constant = image.var()  # what the best constant leaves
    assert (float(loss.detach()) < 0.3 * constant) == refine


@pytest.mark.parametrize("name", UNET_DILATIONS)
def test_a_unet_is_not_refined(name: str) -> None:
    with pytest.raises(UserError, match=r"already has skip connections.*--refine.*hrnet-w18-small"):
        build_generator(name, refine=True)
