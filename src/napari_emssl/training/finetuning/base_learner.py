"""How a network learns a task from little data: the recipe of one step."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import UserError
from ...inference.tiles import padded
from ...jobs.devices import Device, place
from ...jobs.settings import FinetuneSettings
from ...models.model_file import Card, Model
from ...models.objectives import Objective
from ...models.weights import to_numpy
from ..learner import TrainingSummary
from .labelled_data import TrainingData

_WARM_UP = 0.05
_AVERAGING = 0.98


class FineTuner(ABC):
    """Learner of one task, from painted or paired patches; `Segmenter` and `Restorer` know how to judge theirs.

    All weights are trained with Adam under a short warm-up and a cosine decay; what is validated and handed over is
    the exponential moving average of the weights. `fresh` are the names of the weights that did not come with the
    start. `pace` is the share of the learning rate that is taken.
    """

    kind = "finetune"
    better: tuple[str, Literal["min", "max"]]

    def __init__(
        self,
        network: nn.Module,
        settings: FinetuneSettings,
        device: Device,
        annotations: TrainingData,
        card: Callable[[TrainingSummary], Card],
        fresh: Collection[str],
    ) -> None:
        self.settings, self.device, self.card = settings, device, card
        self.annotations, self.fresh = annotations, frozenset(fresh)
        self.objective = self.make_objective()
        self.network = place(network, device)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimiser = torch.optim.Adam(self.network.parameters(), settings.learning_rate)
        self.step = 0
        self.pace = 1.0
        self._to_train_mode()

    def train_step(self, batch: tuple[Tensor, Tensor], done: float) -> Mapping[str, Tensor]:
        """Take one step on images ``(b, 1, h, w)`` and their targets."""
        images, targets = (tensor.to(self.device.torch_device, non_blocking=True) for tensor in batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self.pace * schedule(done)
        with self.device.autocast():
            output = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = self.objective.loss(output, targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        self._average()
        return {"loss": loss.detach()}

    @abstractmethod
    def make_objective(self) -> Objective:
        """Return what is learnt; called once, when settings and annotations are known."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Measure on held-out data; empty when there is none."""

    @abstractmethod
    def preview(self, view: NDArray[Any] | None) -> Mapping[str, NDArray[Any]]:
        """Return what the network makes of `view` ``(h, w)``, or of the first plane, as "prediction"."""

    @property
    def stride(self) -> int:
        """What height and width of the network's input must be multiples of, pixels."""
        return int(self.network.stride)  # type: ignore[arg-type]

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.average.state_dict().items()}

    def model(self, weights: Mapping[str, Tensor], outcome: TrainingSummary) -> Model:
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

    def output(self, image: NDArray[np.float32]) -> Tensor:
        """Run the averaged network over one scaled plane ``(h, w)``: ``(1, c, h, w)`` float32."""
        return self.outputs(image[None])

    def outputs(self, images: NDArray[np.float32]) -> Tensor:
        """Run the averaged network over scaled planes ``(b, h, w)``: ``(b, c, h, w)`` float32."""
        height, width = images.shape[-2:]
        extended = torch.from_numpy(np.stack([padded(image, self.stride) for image in images]))[:, None]
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


def schedule(done: float) -> float:
    """Share of the highest learning rate after `done` of the run: linear warm-up, then cosine decay to 2 %."""
    if done < _WARM_UP:
        return max(done, 0.005) / _WARM_UP
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
