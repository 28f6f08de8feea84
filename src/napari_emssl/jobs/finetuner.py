"""How a network learns a task from few labels: the recipe of one step, of validation and of the preview."""

import copy
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import UserError
from ..models.file import Card, Model, NetworkSpec
from ..models.tasks import network_of, task_of, to_numpy, transfer
from .annotations import Annotations
from .devices import Device, place
from .scores import dice
from .settings import FinetuneSettings
from .tiles import padded
from .training import Outcome

_WARM_UP = 0.05
_AVERAGING = 0.98


class FineTuner:
    """Learner of one task, from painted or paired patches.

    All weights are trained with Adam under a short warm-up and a cosine decay; what is validated and handed over is
    the exponential moving average of the weights. `fresh` are the names of the weights that did not come with the
    start.
    """

    kind = "finetune"
    better: tuple[str, Literal["min", "max"]] = ("dice", "max")

    def __init__(
        self,
        network: nn.Module,
        settings: FinetuneSettings,
        device: Device,
        annotations: Annotations,
        card: Callable[[Outcome], Card],
        fresh: Collection[str],
    ) -> None:
        self.settings, self.device, self.card = settings, device, card
        self.annotations, self.fresh = annotations, frozenset(fresh)
        self.task = task_of(settings.task)
        self.network = place(network, device)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimiser = torch.optim.Adam(self.network.parameters(), settings.learning_rate)
        self.step = 0
        self._to_train_mode()

    def improve(self, batch: tuple[Tensor, Tensor], done: float) -> Mapping[str, Tensor]:
        """Take one step on images ``(b, 1, h, w)`` and their targets."""
        images, targets = (tensor.to(self.device.torch_device, non_blocking=True) for tensor in batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * schedule(done)
        with self.device.autocast():
            output = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = self.task.loss(output, targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        self._average()
        return {"loss": loss.detach()}

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Dice of every class over the held-out painting, their mean, and the loss."""
        held_out = self.annotations.validation
        if not held_out:
            return {}
        pairs = [(self._output(item.image), torch.from_numpy(item.target.astype(np.int64))[None]) for item in held_out]
        losses = [float(self.task.loss(output.cpu(), target)) for output, target in pairs]
        found = [self.task.decode(output).argmax(1)[0].cpu().numpy() for output, _ in pairs]
        truth = [item.target for item in held_out]
        each = [dice(found, truth, label) for label in range(1, self.annotations.classes)]
        return {"loss": float(np.mean(losses)), "dice": float(np.mean(each))}

    @torch.inference_mode()
    def preview(self, view: NDArray[Any] | None) -> Mapping[str, NDArray[Any]]:
        """Labels ``(h, w)`` uint8 predicted for `view`, or for the first annotated plane."""
        scaling = self.annotations.scaling
        image = self.annotations.first if view is None else scaling.fit(view).to_unit(view)
        labels = self.task.decode(self._output(image)).argmax(1)[0]
        return {"prediction": labels.to(torch.uint8).cpu().numpy()}

    @property
    def stride(self) -> int:
        """What height and width of the network's input must be multiples of, pixels."""
        return int(self.network.stride)  # type: ignore[arg-type]

    @torch.inference_mode()
    def labels(self, images: Tensor) -> NDArray[np.uint8]:
        """Labels ``(b, h, w)`` of scaled images ``(b, 1, h, w)``, multiples of the stride, by the averaged weights."""
        with self.device.autocast():
            inputs = images.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)
            output = self.average(inputs)
        found: NDArray[np.uint8] = self.task.decode(output).argmax(1).to(torch.uint8).cpu().numpy()
        return found

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.average.state_dict().items()}

    def model(self, weights: Mapping[str, Tensor], outcome: Outcome) -> Model:
        """Return the fine-tuned model."""
        return Model(self.card(outcome), to_numpy(weights))

    def state(self) -> dict[str, Any]:
        """Return both sets of weights, the optimiser and the step."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; raises `UserError` when it belongs to another network."""
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
        except RuntimeError as error:
            raise UserError("The autosave is of another network. Choose the same start to resume it.") from error
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]

    def _output(self, image: NDArray[np.float32]) -> Tensor:
        """Run the averaged network over one scaled plane ``(h, w)``: ``(1, c, h, w)``."""
        height, width = image.shape
        extended = torch.from_numpy(padded(image, self.stride))[None, None]
        with self.device.autocast():
            output: Tensor = self.average(extended.to(self.device.torch_device))
        return output[..., :height, :width].float()

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential moving average of weights and norm statistics, faster at the beginning."""
        rate = 1 - min(_AVERAGING, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, rate)

    def _to_train_mode(self) -> None:
        """Statistics that came with the start stay as they are, if asked for."""
        self.network.train()
        if not self.settings.frozen_norm:
            return
        for name, module in self.network.named_modules():
            if isinstance(module, nn.BatchNorm2d) and f"{name}.running_mean" not in self.fresh:
                module.eval()


def learner_of(
    base: Model | None,
    spec: NetworkSpec,
    settings: FinetuneSettings,
    device: Device,
    annotations: Annotations,
    card: Callable[[Outcome], Card],
) -> FineTuner:
    """Build the network, random weights drawn by the seed, give it those of the start that fit, and its learner."""
    torch.manual_seed(settings.seed)
    network = network_of(spec)
    fresh = transfer(base.weights, network) if base else list(network.state_dict())
    return FineTuner(network, settings, device, annotations, card, fresh)


def schedule(done: float) -> float:
    """Share of the highest learning rate after `done` of the run: linear warm-up, then cosine decay to 2 %."""
    if done < _WARM_UP:
        return max(done, 0.005) / _WARM_UP
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
