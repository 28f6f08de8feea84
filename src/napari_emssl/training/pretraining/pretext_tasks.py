"""What each pretext task shows the generator, what it minimises, and how it is measured on held-out images."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...jobs.devices import Device, place
from ...jobs.pretrain_settings import PretrainSettings
from ...models.model_file import NetworkSpec
from ...networks.patchgan import PatchGAN
from .collage_batches import CollageBatch
from .context_head import ContextHead
from .distributed import ProcessGroup
from .episodes import EpisodeBatch
from .gan import adversarial_gradient, corrupted, judge, set_discriminator_gradients


class PretextBatch(NamedTuple):
    """What one step learns from; None where no task asks for it."""

    clean: Tensor | None
    """Patches ``(b, 1, h, w)``, scaled."""
    collages: CollageBatch | None


class Verdict(NamedTuple):
    """What a task makes of the generator's output."""

    losses: dict[str, Tensor]
    """By name, for people; detached."""
    loss: Tensor
    """What is minimised."""
    output: Tensor | None = None
    """Part of the output whose gradient is known already, and that gradient."""
    gradient: Tensor | None = None


class Answer(Protocol):
    """The averaged networks in evaluation mode; all tensors are on the CPU."""

    def output(self, images: Tensor) -> Tensor:
        """Map images ``(b, 1, h, w)`` to the generator's output, float32."""

    def classes(self, output: Tensor, collages: CollageBatch) -> Tensor:
        """Return the class of each pixel ``(b, h * w)`` int64, from the generator's output on collages."""


class PretextTask(ABC):
    """One source of images, and the heads that learn from them."""

    networks: tuple[nn.Module, ...] = ()
    """What is trained beside the generator."""

    @abstractmethod
    def images(self, batch: PretextBatch, step: int) -> Tensor:
        """Return what the generator is shown at a step, ``(b, 1, h, w)`` on the device."""

    @abstractmethod
    def judge(self, output: Tensor, images: Tensor, batch: PretextBatch) -> Verdict:
        """Return the losses of the generator's output; those of other networks get their gradients.

        Parameters
        ----------
        output
            ``(b, c, h, w)``, all heads.
        images
            What was shown.
        batch
            What it was made from.

        """

    @abstractmethod
    def validate(self, answer: Answer) -> dict[str, float]:
        """Measure on held-out images; empty when there are none."""

    @abstractmethod
    def preview(self, answer: Answer) -> Mapping[str, NDArray[np.generic]]:
        """Return pictures ``(h, w)`` of a held-out image by name."""


class Restoring(PretextTask):
    """Corrupted patches are restored, with a discriminator looking on: the GAN of `pix2pix`, on one channel.

    Parameters
    ----------
    settings
        Losses, corruption and seed.
    spec
        The generator's heads.
    device
        Where the networks run.
    group
        The processes of the run.
    validation
        Clean patches ``(n, 1, patch, patch)``, scaled.

    """

    def __init__(
        self, settings: PretrainSettings, spec: NetworkSpec, device: Device, group: ProcessGroup, validation: Tensor
    ) -> None:
        self._settings, self._device, self._group, self._clean = settings, device, group, validation
        self._channel = spec.vector_channels + spec.heads.index("restore")
        self.discriminator = place(PatchGAN(width=settings.discriminator_width), device).train()
        self.networks = (self.discriminator,)
        self._corrupted = corrupted(validation, -1, settings, group) if len(validation) else validation

    def images(self, batch: PretextBatch, step: int) -> Tensor:
        """Return corrupted patches."""
        return corrupted(self._clean_of(batch), step, self._settings, self._group)

    def judge(self, output: Tensor, images: Tensor, batch: PretextBatch) -> Verdict:
        """Weigh L1 and the discriminator's judgement as `pix2pix` does."""
        clean, restored, weight = self._clean_of(batch), self._restored(output), self._settings.restore_weight
        with self._device.autocast():
            judged = judge(self.discriminator, images, clean, restored)
        losses = {"discriminator": set_discriminator_gradients(self.discriminator, judged)}
        losses["adversarial"], gradient = adversarial_gradient(judged)
        l1 = functional.l1_loss(restored.float(), clean)
        losses["l1"] = l1.detach()
        return Verdict(losses, weight * self._settings.l1_weight * l1, restored, weight * gradient)

    def validate(self, answer: Answer) -> dict[str, float]:
        """Mean absolute error of the restored validation patches, in units of the scaled intensity."""
        if not len(self._clean):
            return {}
        total, size = 0.0, self._settings.batch_size
        for start in range(0, len(self._clean), size):
            some = slice(start, start + size)
            total += float((self._restored(answer.output(self._corrupted[some])) - self._clean[some]).abs().sum())
        return {"l1": total / self._clean.numel()}

    def preview(self, answer: Answer) -> Mapping[str, NDArray[np.generic]]:
        """Return one validation patch corrupted, restored and clean."""
        if not len(self._clean):
            return {}
        restored = self._restored(answer.output(self._corrupted[:1]))
        triple = {"corrupted": self._corrupted[:1], "restored": restored, "clean": self._clean[:1]}
        return {name: patch[0, 0].numpy().copy() for name, patch in triple.items()}

    def _restored(self, output: Tensor) -> Tensor:
        return output[:, self._channel : self._channel + 1]

    def _clean_of(self, batch: PretextBatch) -> Tensor:
        assert batch.clean is not None
        return batch.clean.to(self._device.torch_device, non_blocking=True, memory_format=torch.channels_last)


class Collages(PretextTask):
    """Objects on collages: told from their ground on one channel, from other objects by their vectors, or both.

    Parameters
    ----------
    settings
        Which tasks, and their weights.
    spec
        The generator's heads.
    device
        Where the networks run.
    validation
        Collages of held-out images; None where there are none.
    head
        Answers episodes; None where they are not learnt.

    """

    def __init__(
        self,
        settings: PretrainSettings,
        spec: NetworkSpec,
        device: Device,
        validation: CollageBatch | None,
        head: ContextHead | None = None,
    ) -> None:
        self._settings, self._device, self._held_out, self._head = settings, device, validation, head
        self._objects = spec.channel_of("objects")

    def images(self, batch: PretextBatch, step: int) -> Tensor:
        """Return the collages."""
        images = _collages_of(batch).images
        return images.to(self._device.torch_device, non_blocking=True, memory_format=torch.channels_last)

    def judge(self, output: Tensor, images: Tensor, batch: PretextBatch) -> Verdict:
        """Weigh the binary cross-entropy of objects and the loss of the episodes."""
        collages, settings = _collages_of(batch), self._settings
        losses: dict[str, Tensor] = {}
        total = torch.zeros((), device=output.device)
        if self._objects is not None:
            losses["objects"] = _objects_loss(output[:, self._objects], collages.objects)
            total = total + settings.collage_weight * losses["objects"]
        if self._head is not None:
            features = output[:, : self._head.dimensions]
            with self._device.autocast():
                told = self._head.losses(features, images, collages.episodes.to(output.device))
            total = total + settings.episodes_weight * torch.stack(list(told.values())).sum()
            losses |= told
        return Verdict({name: loss.detach() for name, loss in losses.items()}, total)

    def validate(self, answer: Answer) -> dict[str, float]:
        """Mean Dice of objects and of episodes over the held-out collages."""
        scores: dict[str, list[float]] = {}
        for number in range(0 if self._held_out is None else len(self._held_out.images)):
            collage = _held_out(self._held_out, number)
            output = answer.output(collage.images)
            if self._objects is not None:
                found = _dice(output[0, self._objects] > 0, collage.objects[0])
                scores.setdefault("objects_dice", []).append(found)
            if self._head is not None and collage.episodes.counts:
                scores.setdefault("episode_dice", []).append(_episode_dice(answer, output, collage))
        return {name: float(np.mean(values)) for name, values in scores.items()}

    def preview(self, answer: Answer) -> Mapping[str, NDArray[np.generic]]:
        """Return a held-out collage, its truth and what is found on it, by its episode where these are learnt."""
        if self._held_out is None:
            return {}
        number = int((self._held_out.episodes.counts > 0).int().argmax())
        collage = _held_out(self._held_out, number)
        output, truth = answer.output(collage.images), collage.objects[0]
        found = output[0, self._objects] > 0 if self._objects is not None else torch.zeros_like(truth)
        if self._head is not None and collage.episodes.counts:
            truth = collage.episodes.target[0].view(truth.shape) > 0
            found = answer.classes(output, collage).view(truth.shape) > 0
        pictures = {"collage": collage.images[0, 0], "truth": truth.float(), "found": found.float()}
        return {name: picture.numpy().copy() for name, picture in pictures.items()}


def _held_out(collages: CollageBatch | None, number: int) -> CollageBatch:
    """Return one of the held-out collages, as a batch of one."""
    assert collages is not None
    one = slice(number, number + 1)
    return CollageBatch(
        collages.images[one], collages.objects[one], EpisodeBatch(*(part[one] for part in collages.episodes))
    )


def _episode_dice(answer: Answer, output: Tensor, collage: CollageBatch) -> float:
    """Mean Dice of the painted kinds of objects on one collage."""
    found, target = answer.classes(output, collage)[0], collage.episodes.target[0]
    return float(np.mean([_dice(found == one, target == one) for one in range(1, int(collage.episodes.counts))]))


def _collages_of(batch: PretextBatch) -> CollageBatch:
    assert batch.collages is not None
    return batch.collages


def _objects_loss(logits: Tensor, objects: Tensor) -> Tensor:
    truth = objects.to(logits.device, torch.float32, non_blocking=True)
    return functional.binary_cross_entropy_with_logits(logits.float(), truth)


def _dice(found: Tensor, truth: Tensor) -> float:
    """Return (2 both + 1) / (found + true + 1)."""
    return float((2 * (found & truth).sum() + 1) / (found.sum() + truth.sum() + 1))
