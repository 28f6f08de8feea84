"""The pretext tasks ``collage`` and ``episodes``: objects on collages, told from their ground or each other."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .collage_batches import CollageBatch
from .episodes import EpisodeBatch
from .task import Answer, PretextBatch, PretextTask, TaskParts, Verdict


class Collages(PretextTask):
    """Objects on collages: told from their ground on one channel, from other objects by their vectors, or both."""

    def __init__(self, parts: TaskParts) -> None:
        self._settings, self._device, self._held_out = parts.settings, parts.device, parts.collages
        self._head, self._objects = parts.head, parts.spec.channel_of("objects")

    def images(self, batch: PretextBatch, step: int) -> Tensor:
        """Return the collages."""
        images = _collages_of(batch).images
        return images.to(self._device.torch_device, non_blocking=True, memory_format=torch.channels_last)

    def judge(self, output: Tensor, images: Tensor, batch: PretextBatch) -> Verdict:
        """Weigh the binary cross-entropy of objects and the loss of the episodes.

        Parameters
        ----------
        output, images, batch
            As for `PretextTask.judge`.

        """
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
