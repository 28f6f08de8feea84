"""Objectives: only painted pixels count, classes weigh alike, weights are carried over by name and shape."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import NetworkSpec
from napari_emssl.models.objectives import RestorationObjective, SegmentationObjective
from napari_emssl.models.weights import to_numpy, transfer


@given(st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_unpainted_pixels_do_not_change_the_loss(channels: int, seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    output = torch.randn(2, channels, 8, 8, generator=source)
    target = torch.randint(0, max(channels, 2) + 1, (2, 8, 8), generator=source)
    perturbed = output + 50 * torch.randn(output.shape, generator=source) * (target == 0).unsqueeze(1)
    assert torch.equal(SegmentationObjective().loss(output, target), SegmentationObjective().loss(perturbed, target))


def test_unpainted_pixels_get_no_gradient() -> None:
    output = torch.randn(1, 1, 4, 4, requires_grad=True)
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    target[0, 0, 0], target[0, 3, 3] = 1, 2
    SegmentationObjective().loss(output, target).backward()
    assert int((output.grad != 0).sum()) == 2


def test_a_batch_without_paint_has_zero_loss_and_gradient() -> None:
    output = torch.randn(1, 1, 4, 4, requires_grad=True)
    loss = SegmentationObjective().loss(output, torch.zeros(1, 4, 4, dtype=torch.int64))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not output.grad.any()


def test_classes_weigh_alike_however_many_pixels_they_have() -> None:
    output = torch.full((1, 1, 1, 101), 3.0)
    target = torch.ones(1, 1, 101, dtype=torch.int64)
    target[..., 0] = 2
    expected = 0.5 * (np.log1p(np.exp(3.0)) + np.log1p(np.exp(-3.0)))
    assert float(SegmentationObjective().loss(output, target)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_probabilities_add_up_to_one(channels: int) -> None:
    decoded = SegmentationObjective().decode(torch.randn(2, channels, 3, 3))
    assert decoded.shape == (2, max(channels, 2), 3, 3)
    assert torch.allclose(decoded.sum(1), torch.ones(2, 3, 3))


def test_one_channel_is_binary_cross_entropy() -> None:
    logits = torch.randn(1, 1, 6, 6)
    target = torch.ones(1, 6, 6, dtype=torch.int64)
    target[:, :3] = 2
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], (target == 2).float())
    assert torch.allclose(SegmentationObjective().loss(logits, target), expected)


@given(st.integers(1, 5), st.sampled_from([torch.float32, torch.bfloat16]), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_labels_are_those_of_the_probabilities(channels: int, dtype: torch.dtype, seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    logits = (torch.randn(2, channels, 7, 9, generator=source) * 4).to(dtype)
    logits[:, :, ::3] = 0  # ties are background
    objective = SegmentationObjective()
    for order in (torch.contiguous_format, torch.channels_last):
        labels = objective.result(logits.contiguous(memory_format=order))
        assert labels.dtype == torch.uint8
        assert torch.equal(labels, objective.result_of(objective.decode(logits)))


@pytest.mark.parametrize("width", [1, 5, 16])
def test_the_threshold_is_where_two_probabilities_part(width: int) -> None:
    objective = SegmentationObjective()
    near = np.float32(3 * 2.0**-25) + np.spacing(np.float32(2.0**-24)) * np.arange(-400, 400, dtype=np.float32)
    others = np.float32([np.nan, np.inf, -np.inf])
    more = np.concatenate([near, np.linspace(-3e-7, 3e-7, 800, dtype=np.float32), others])
    for some in np.array_split(more, len(more) // width):
        logits = torch.from_numpy(some)[None, None, None]
        assert torch.equal(objective.result(logits), objective.result_of(objective.decode(logits)))


def test_more_classes_than_a_byte_holds() -> None:
    logits = torch.zeros(1, 300, 2, 2)
    logits[0, 299, 0, 0] = 1
    assert SegmentationObjective().result(logits).tolist() == [[[299, 0], [0, 0]]]


def test_restoration_loss_is_l1_plus_l2() -> None:
    loss = RestorationObjective().loss(torch.full((1, 1, 2, 2), 3.0), torch.full((1, 1, 2, 2), 1.0))
    assert float(loss) == pytest.approx(2 + 4)


@pytest.mark.parametrize(("channels", "left"), [(1, []), (3, ["head.weight", "head.bias"])])
def test_transfer_copies_what_fits_and_names_the_rest(channels: int, left: list[str]) -> None:
    base = network_of(NetworkSpec(name="unet-2-44", width=2))
    other = network_of(NetworkSpec(name="unet-2-44", width=2, out_channels=channels))
    assert transfer(to_numpy(base.state_dict()), other) == left
    for name, tensor in other.state_dict().items():
        assert (name in left) or torch.equal(tensor, base.state_dict()[name])
