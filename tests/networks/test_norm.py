"""Our batch norm is torch's, and so is our instance norm."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_emssl.errors import UserError
from napari_emssl.networks.generators import build_generator
from napari_emssl.networks.norm import (
    BatchNorm,
    InstanceNorm,
    _gains_by_folding,
    absorb_norms,
    sees_whole_image,
    use_instance_norm,
)


def test_one_value_a_channel_is_refused_in_a_sentence() -> None:
    norm = BatchNorm(4)
    with pytest.raises(UserError, match="--batch-size of 2"):
        norm(torch.zeros(1, 4, 1, 1))
    assert norm(torch.zeros(2, 4, 1, 1)).shape == (2, 4, 1, 1)
    assert norm.eval()(torch.zeros(1, 4, 1, 1)).shape == (1, 4, 1, 1)


def outcome(norm: nn.BatchNorm2d, x: Tensor, slope: Tensor) -> dict[str, Tensor]:
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = norm(x)
    gradients = torch.autograd.grad(y, (x, norm.weight, norm.bias), slope)
    names = "output", "input", "weight", "bias"
    return dict(zip(names, (y.detach(), *gradients), strict=True)) | dict(norm.named_buffers())


def twins(channels: int) -> tuple[BatchNorm, nn.BatchNorm2d]:
    ours, torchs = BatchNorm(channels), nn.BatchNorm2d(channels)
    nn.init.uniform_(ours.weight, 0.5, 2)
    nn.init.uniform_(ours.bias)
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 8), st.integers(1, 3), st.integers(2, 20), st.integers(2, 20),
    st.sampled_from([torch.float32, torch.bfloat16]), st.floats(-5, 5),
)  # fmt: skip
def test_it_computes_what_torch_computes(
    channels: int, count: int, height: int, width: int, dtype: torch.dtype, shift: float
) -> None:
    torch.manual_seed(height * width)
    x = (
        (torch.randn(count, channels, height, width) * 2 + shift)
        .to(dtype)
        .contiguous(memory_format=torch.channels_last)
    )
    assert _gains_by_folding(x)
    slope = torch.randn_like(x)
    ours, torchs = (outcome(norm, x, slope) for norm in twins(channels))
    rough = 2e-2 if dtype == torch.bfloat16 else 2e-4
    for name, wanted in torchs.items():
        assert ours[name].dtype == wanted.dtype, name
        scale = max(1.0, float(wanted.abs().max()))
        torch.testing.assert_close(ours[name] / scale, wanted / scale, rtol=rough, atol=rough, msg=name)


@pytest.mark.parametrize("prepare", [lambda n: n.eval(), lambda n: n], ids=["in use", "channels first"])
def test_elsewhere_it_is_torchs_own(prepare: object) -> None:
    ours, torchs = (prepare(norm) for norm in twins(4))  # type: ignore[operator]
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(ours(x), torchs(x))


def test_its_output_may_be_changed_in_place() -> None:
    x = torch.randn(2, 4, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = nn.functional.relu(BatchNorm(4)(x), inplace=True)
    y.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_instance_norm_is_that_of_torch_and_takes_single_pixels() -> None:
    ours, torchs = InstanceNorm(3), nn.InstanceNorm2d(3, affine=True)
    nn.init.uniform_(ours.weight, 0.5, 2)
    nn.init.uniform_(ours.bias)
    torchs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 3, 5, 4)
    torch.testing.assert_close(ours(x), torchs(x), atol=1e-4, rtol=1e-4)
    single = ours(torch.rand(2, 3, 1, 1))
    # the mean of one value may be rounded, and is divided by the square root of eps
    torch.testing.assert_close(single, ours.bias.view(1, 3, 1, 1).expand(2, 3, 1, 1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["unet-2-44", "hrnet-w18-small"])
def test_a_network_with_instance_norm_has_the_same_weights_and_takes_each_image_alone(name: str) -> None:
    batch = build_generator(name, width=2)
    instance = build_generator(name, width=2, norm="instance")
    statistics = {key for key in batch.state_dict() if "running" in key or "num_batches" in key}
    assert set(instance.state_dict()) == set(batch.state_dict()) - statistics
    assert sees_whole_image(instance)
    assert not sees_whole_image(batch)
    x = torch.rand(3, 1, 64, 64)
    torch.testing.assert_close(instance(x)[:1], instance(x[:1]), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(batch(x)[:1], batch(x[:1]), rtol=1e-4, atol=1e-5)
    use_instance_norm(batch)
    assert set(batch.state_dict()) == set(instance.state_dict())


@pytest.mark.parametrize("name", ["unet-3-96", "hrnet-w18-small", "resnet50-unet"])
def test_convolutions_do_the_work_of_norms_they_have_absorbed(name: str) -> None:
    network = build_generator(name).eval()
    for module in network.modules():
        if isinstance(module, BatchNorm):
            for values in (module.running_var, module.weight):
                nn.init.uniform_(values, 0.3, 3)
            for values in (module.running_mean, module.bias):
                nn.init.uniform_(values, -1, 1)
    x = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        wanted = network(x)
        found = absorb_norms(network)(x)
    assert not any(isinstance(module, BatchNorm) for module in network.modules())
    torch.testing.assert_close(found / wanted.std(), wanted / wanted.std(), rtol=1e-4, atol=1e-4)


def test_norms_of_each_image_cannot_be_absorbed() -> None:
    network = build_generator("unet-2-44")
    use_instance_norm(network)
    assert sees_whole_image(absorb_norms(network.eval()))
