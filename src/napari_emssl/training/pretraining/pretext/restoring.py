"""The pretext task ``restore`` beside others: the GAN of `pix2pix`, on one channel of the generator."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ....jobs.devices import place
from ....networks.patchgan import PatchGAN
from ..gan import adversarial_gradient, corrupted, discriminator_gradients, judge, set_gradients
from .task import Answer, PretextBatch, PretextTask, TaskParts, Verdict


class Restoring(PretextTask):
    """Corrupted patches are restored, with a discriminator looking on: the GAN of `pix2pix`, on one channel."""

    def __init__(self, parts: TaskParts) -> None:
        self._settings, self._device, self._group, self._clean = (
            parts.settings, parts.device, parts.group, parts.validation
        )  # fmt: skip
        self._channel = parts.spec.vector_channels + parts.spec.heads.index("restore")
        self.discriminator = place(PatchGAN(width=self._settings.discriminator_width), self._device).train()
        self.networks = (self.discriminator,)
        self._corrupted = self._corrupt(self._clean, -1) if len(self._clean) else self._clean

    def images(self, batch: PretextBatch, step: int) -> Tensor:
        """Return corrupted patches."""
        return self._corrupt(self._clean_of(batch), step)

    def judge(self, output: Tensor, images: Tensor, batch: PretextBatch) -> Verdict:
        """Weigh L1 and the discriminator's judgement as `pix2pix` does.

        Parameters
        ----------
        output, images, batch
            As for `PretextTask.judge`; the images are corrupted.

        """
        clean, restored, weight = self._clean_of(batch), self._restored(output), self._settings.restore_weight
        with self._device.autocast():
            judged = judge(self.discriminator, images, clean, restored)
        losses: dict[str, Tensor] = {}
        losses["discriminator"], gradients = discriminator_gradients(self.discriminator, judged)
        set_gradients(self.discriminator, gradients)
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

    def _corrupt(self, clean: Tensor, step: int) -> Tensor:
        return corrupted(clean, step, self._settings, self._group)

    def _restored(self, output: Tensor) -> Tensor:
        return output[:, self._channel : self._channel + 1]

    def _clean_of(self, batch: PretextBatch) -> Tensor:
        assert batch.clean is not None
        return batch.clean.to(self._device.torch_device, non_blocking=True, memory_format=torch.channels_last)
