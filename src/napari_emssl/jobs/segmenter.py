"""How a network learns to segment, and how that is judged."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .finetuner import FineTuner
from .scores import dice


class Segmenter(FineTuner):
    """Learns classes of pixels from painted patches."""

    better: tuple[str, Literal["min", "max"]] = ("dice", "max")

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Dice of every class over the held-out painting, their mean, and the loss."""
        held_out = self.annotations.validation
        if not held_out:
            return {}
        pairs = [(self.output(item.image), torch.from_numpy(item.target.astype(np.int64))[None]) for item in held_out]
        losses = [float(self.task.loss(output.cpu(), target)) for output, target in pairs]
        found = [self.task.decode(output).argmax(1)[0].cpu().numpy() for output, _ in pairs]
        truth = [item.target for item in held_out]
        each = [dice(found, truth, label) for label in range(1, self.annotations.classes)]
        return {"loss": float(np.mean(losses)), "dice": float(np.mean(each))}

    @torch.inference_mode()
    def preview(self, view: NDArray[Any] | None) -> Mapping[str, NDArray[Any]]:
        """Labels ``(h, w)`` uint8 predicted for `view`, or the first annotated plane, and how undecided they are."""
        scaling = self.annotations.scaling
        image = self.annotations.first if view is None else scaling.fit(view).to_unit(view)
        found = self.task.decode(self.output(image))[0]
        labels = found.argmax(0).to(torch.uint8)
        return {"prediction": labels.cpu().numpy(), "uncertainty": undecided(found).cpu().numpy()}

    @torch.inference_mode()
    def labels(self, images: Tensor) -> NDArray[np.uint8]:
        """Labels ``(b, h, w)`` of scaled images ``(b, 1, h, w)``, multiples of the stride, by the averaged weights."""
        with self.device.autocast():
            inputs = images.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)
            output = self.average(inputs)
        found: NDArray[np.uint8] = self.task.decode(output).argmax(1).to(torch.uint8).cpu().numpy()
        return found


def undecided(probabilities: Tensor) -> Tensor:
    """Return the entropy of ``(classes, h, w)`` over the classes, as a share of the greatest: 0 sure to 1 undecided."""
    entropy: Tensor = torch.special.entr(probabilities).sum(0) / math.log(len(probabilities))
    return entropy.clamp(0.0, 1.0)
