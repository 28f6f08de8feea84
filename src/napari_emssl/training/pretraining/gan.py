"""What the discriminator and the generator of the GAN learn from one judgement of a restored image.

The discriminator minimises 1/2 (mean (D(x, y) - 1)^2 + mean D(x, G(x))^2), the generator mean (D(x, G(x)) - 1)^2, with
x the corrupted and y the clean patch (LSGAN, Mao et al. 2017). Both learn from one judgement of G(x), that of the
discriminator before its step, as in the first code of pix2pix: one pass of the discriminator of eight is saved.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...data.patches.corruption import corrupt
from ...jobs.pretrain_settings import PretrainSettings
from .distributed import ProcessGroup


class Judgement(NamedTuple):
    """Logits of a discriminator, ``(b, 1, h, w)``, and the image judged: `seen` is detached from the generator."""

    real: Tensor
    fake: Tensor
    seen: Tensor


def judge(discriminator: nn.Module, corrupted: Tensor, clean: Tensor, restored: Tensor) -> Judgement:
    """Let a discriminator judge the clean and the restored patches; to be called under autocast.

    Parameters
    ----------
    discriminator
        Judges an image beside its corrupted form.
    corrupted, clean, restored
        ``(b, 1, h, w)`` each.

    """
    # The discriminator sees a leaf of its own instead of `restored`: its graph then ends there, both losses can
    # be differentiated through this one pass, and the generator's graph is walked once, with both its losses.
    seen = restored.detach().requires_grad_()
    return Judgement(discriminator(corrupted, clean), discriminator(corrupted, seen), seen)


def discriminator_gradients(
    discriminator: nn.Module, judged: Judgement, weight: float = 1.0
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the discriminator's loss and the gradients of its weights; those of its input are not computed.

    Parameters
    ----------
    discriminator
        What has judged.
    judged
        Its judgement.
    weight
        Of the loss: the share of a batch that was judged.

    """
    loss = weight * 0.5 * ((judged.real.float() - 1).square().mean() + judged.fake.float().square().mean())
    # the graph is kept, since the generator's loss is differentiated through it next, before any weight changes
    return loss.detach(), torch.autograd.grad(loss, list(discriminator.parameters()), retain_graph=True)


def set_gradients(network: nn.Module, gradients: Iterable[Tensor | None]) -> None:
    """Give each weight of a network its gradient, in order."""
    for weight, gradient in zip(network.parameters(), gradients, strict=True):
        weight.grad = gradient


def adversarial_gradient(judged: Judgement, weight: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return the generator's adversarial loss, with a weight, and its gradient with respect to the restored image."""
    adversarial = weight * (judged.fake.float() - 1).square().mean()
    # with respect to the image alone: the discriminator keeps the gradients of its own loss
    (image_gradient,) = torch.autograd.grad(adversarial, judged.seen)
    return adversarial.detach(), image_gradient


def corrupted(clean: Tensor, step: int, settings: PretrainSettings, group: ProcessGroup) -> Tensor:
    """Return patches corrupted as those of a step are; the validation patches are those of step -1.

    Parameters
    ----------
    clean
        ``(b, 1, h, w)``, scaled; of several processes this one's share.
    step
        Decides, with the seed, how they are corrupted.
    settings
        Corruption, batch size and seed.
    group
        The processes of the run.

    """
    source = torch.Generator(clean.device).manual_seed((settings.seed * 1_000_003 + step + 1) % 2**63)
    share = group.share_of(settings.batch_size)
    part = (share.start, settings.batch_size) if step >= 0 and group.size > 1 else None
    return corrupt(clean, settings.noise, settings.blur, source, part)
