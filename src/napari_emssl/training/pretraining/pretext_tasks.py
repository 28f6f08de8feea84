"""What each pretext task shows the generator, what it minimises, and how it is measured on held-out images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...jobs.devices import Device, place
from ...jobs.pretrain_settings import PretrainSettings
from ...models.model_file import NetworkSpec
from ...networks.attention import class_logits, unit_vectors
from ...networks.patchgan import PatchGAN
from .collage_batches import CollageBatch
from .distributed import ProcessGroup
from .episodes import Episode, episode_loss
from .gan import adversarial_gradient, corrupted, judge, set_discriminator_gradients

_SHARPEST = 40.0
"""Greatest factor of the similarity: beyond it a few painted pixels decide everything, and gradients vanish."""


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


Answer = Callable[[Tensor], Tensor]
"""The averaged generator in evaluation mode: images ``(b, 1, h, w)`` to its output, float32, on the CPU."""


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
            total += float((self._restored(answer(self._corrupted[some])) - self._clean[some]).abs().sum())
        return {"l1": total / self._clean.numel()}

    def preview(self, answer: Answer) -> Mapping[str, NDArray[np.generic]]:
        """Return one validation patch corrupted, restored and clean."""
        if not len(self._clean):
            return {}
        restored = self._restored(answer(self._corrupted[:1]))
        triple = {"corrupted": self._corrupted[:1], "restored": restored, "clean": self._clean[:1]}
        return {name: patch[0, 0].numpy().copy() for name, patch in triple.items()}

    def _restored(self, output: Tensor) -> Tensor:
        return output[:, self._channel : self._channel + 1]

    def _clean_of(self, batch: PretextBatch) -> Tensor:
        assert batch.clean is not None
        return batch.clean.to(self._device.torch_device, non_blocking=True, memory_format=torch.channels_last)


class Sharpness(nn.Module):
    """How sharply episodes tell pixels apart: the factor of the similarity, learnt as its logarithm.

    Parameters
    ----------
    start
        The factor to begin with.

    """

    def __init__(self, start: float = 10.0) -> None:
        super().__init__()
        self.logarithm = nn.Parameter(torch.tensor(start).log())

    def forward(self) -> Tensor:
        """Return the factor, above 0."""
        return self.logarithm.exp().clamp(max=_SHARPEST)


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
    sharpness
        Where episodes begin, see `Sharpness`.

    """

    def __init__(
        self,
        settings: PretrainSettings,
        spec: NetworkSpec,
        device: Device,
        validation: CollageBatch | None,
        sharpness: float = 10.0,
    ) -> None:
        self._settings, self._device, self._held_out = settings, device, validation
        self._vectors, self._objects = spec.vector_channels, spec.channel_of("objects")
        self.sharpness = Sharpness(sharpness).to(device.torch_device)
        self.networks = (self.sharpness,) if self._vectors else ()

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
        if self._vectors:
            losses["episodes"] = _episodes_loss(output[:, : self._vectors], collages.episodes, self.sharpness())
            total = total + settings.episodes_weight * losses["episodes"]
        return Verdict({name: loss.detach() for name, loss in losses.items()}, total)

    def validate(self, answer: Answer) -> dict[str, float]:
        """Mean Dice of objects and of episodes over the held-out collages."""
        if self._held_out is None:
            return {}
        scores: dict[str, list[float]] = {}
        for number, image in enumerate(self._held_out.images):
            output = answer(image[None])[0]
            if self._objects is not None:
                found = _dice(output[self._objects] > 0, self._held_out.objects[number])
                scores.setdefault("objects_dice", []).append(found)
            episode = self._held_out.episodes[number]
            if self._vectors and episode is not None:
                scores.setdefault("episode_dice", []).append(self._episode_dice(output, episode))
        return {name: float(np.mean(values)) for name, values in scores.items()}

    def preview(self, answer: Answer) -> Mapping[str, NDArray[np.generic]]:
        """Return a held-out collage, its truth and what is found on it, by its episode where these are learnt."""
        if self._held_out is None:
            return {}
        number = next((n for n, episode in enumerate(self._held_out.episodes) if episode is not None), 0)
        image, episode = self._held_out.images[number], self._held_out.episodes[number]
        output = answer(image[None])[0]
        truth = self._held_out.objects[number]
        found = output[self._objects] > 0 if self._objects is not None else torch.zeros_like(truth)
        if self._vectors and episode is not None:
            truth, found = episode.target.view(truth.shape) > 0, self._labels(output, episode) > 0
        pictures = {"collage": image[0], "truth": truth.float(), "found": found.float()}
        return {name: picture.numpy().copy() for name, picture in pictures.items()}

    def _episode_dice(self, output: Tensor, episode: Episode) -> float:
        """Mean Dice of the painted kinds of objects."""
        labels = self._labels(output, episode).view(-1)
        return float(np.mean([_dice(labels == n, episode.target == n) for n in range(1, len(episode.keys))]))

    @torch.inference_mode()
    def _labels(self, output: Tensor, episode: Episode) -> Tensor:
        """Return the class of every pixel, ``(h, w)``."""
        vectors = unit_vectors(output[None, : self._vectors])[0]
        painted = [vectors[:, keys] for keys in episode.keys]
        return class_logits(vectors, painted, float(self.sharpness())).argmax(0).view(output.shape[-2:])


def _collages_of(batch: PretextBatch) -> CollageBatch:
    assert batch.collages is not None
    return batch.collages


def _objects_loss(logits: Tensor, objects: Tensor) -> Tensor:
    truth = objects.to(logits.device, torch.float32, non_blocking=True)
    return functional.binary_cross_entropy_with_logits(logits.float(), truth)


def _episodes_loss(features: Tensor, episodes: Sequence[Episode | None], sharpness: Tensor) -> Tensor:
    """Return the summed loss of the episodes over the number of collages, so that shares of a batch add up evenly."""
    vectors = unit_vectors(features)
    losses = [episode_loss(vectors[n], one, sharpness) for n, one in enumerate(episodes) if one is not None]
    # without any episode the loss still hangs on the weights: processes exchange the same gradients at every step
    return (sum(losses, torch.zeros((), device=features.device)) + 0.0 * (vectors.sum() + sharpness)) / len(episodes)


def _dice(found: Tensor, truth: Tensor) -> float:
    """Return (2 both + 1) / (found + true + 1)."""
    return float((2 * (found & truth).sum() + 1) / (found.sum() + truth.sum() + 1))
