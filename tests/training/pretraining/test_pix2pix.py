"""The step of the GAN: what it minimises, its learning rate, and that both networks learn from one judgement."""

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from napari_emssl.jobs.devices import choose_device
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.models.model_file import Card, NetworkSpec
from napari_emssl.training.pretraining.pix2pix import Pix2Pix


def learner(**changes: object) -> Pix2Pix:
    fields = {"generator": "unet-2-44", "patch": 64, "batch_size": 3, "discriminator_width": 8, "precision": "fp32"}
    settings = PretrainSettings(**{**fields, "device": "cpu", **changes})
    card = Card(name="g", task="reconstruct", network=NetworkSpec(name=settings.generator))
    return Pix2Pix(settings, choose_device(settings), torch.empty(0, 1, 64, 64), lambda _summary: card)


def patches(seed: int = 0) -> Tensor:
    return torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(seed))


def expected_gradients(before: Pix2Pix, clean: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients of both networks, each from a pass of its own."""
    clean = clean.contiguous(memory_format=torch.channels_last)
    corrupted = before._corrupt(clean, 0)
    restored = before.generator(corrupted)
    real, fake = before.discriminator(corrupted, clean), before.discriminator(corrupted, restored.detach())
    d_loss = 0.5 * ((real - 1).square().mean() + fake.square().mean())
    judged = before.discriminator(corrupted, restored)
    g_loss = (judged - 1).square().mean() + before.settings.l1_weight * functional.l1_loss(restored, clean)
    return (
        list(torch.autograd.grad(g_loss, list(before.generator.parameters()))),
        list(torch.autograd.grad(d_loss, list(before.discriminator.parameters()))),
    )


def test_gradients_are_those_of_the_two_losses() -> None:
    ours = learner()
    wanted = expected_gradients(copy.deepcopy(ours), patches())
    ours.train_step(patches(), 0.0)
    for network, grads in zip((ours.generator, ours.discriminator), wanted, strict=True):
        rounding = 1e-5 * max(float(slope.abs().max()) for slope in grads)  # all there is of a bias before a norm
        for (name, weight), slope in zip(network.named_parameters(), grads, strict=True):
            assert weight.grad is not None
            near = 1e-3 * float(slope.abs().max()) + rounding
            torch.testing.assert_close(weight.grad, slope, rtol=1e-3, atol=near, msg=name)


def test_losses_told_are_those_of_the_step() -> None:
    ours = learner()
    twin = copy.deepcopy(ours)
    corrupted = twin._corrupt(patches().contiguous(memory_format=torch.channels_last), 0)
    restored = twin.generator(corrupted)
    fake = twin.discriminator(corrupted, restored)
    losses = ours.train_step(patches(), 0.0)
    assert float(losses["l1"]) == pytest.approx(float((restored - patches()).abs().mean().detach()), rel=1e-4)
    assert float(losses["adversarial"]) == pytest.approx(float((fake - 1).square().mean().detach()), rel=1e-3)


@pytest.mark.parametrize(
    ("decay", "progress", "rate"), [(0.0, 0.9, 1.0), (0.5, 0.4, 1.0), (0.5, 0.75, 0.5), (1.0, 0.75, 0.25)]
)
def test_the_learning_rate_falls_in_the_last_share_of_the_run(decay: float, progress: float, rate: float) -> None:
    ours = learner(learning_rate_decay=decay)
    ours.train_step(patches(), progress)
    for optimiser in ours.optimisers:
        assert optimiser.param_groups[0]["lr"] == pytest.approx(rate * ours.settings.learning_rate)


def test_bf16_gives_the_losses_of_fp32_within_rounding() -> None:
    runs = []
    for precision in ("fp32", "bf16"):
        ours = learner(precision=precision)
        runs.append([float(ours.train_step(patches(step), 0.0)["l1"]) for step in range(6)])
    assert runs[1] == pytest.approx(runs[0], rel=0.03)
    assert runs[0] != runs[1]
