"""How a network learns a task from little data: the recipe of one step."""

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.patches.labelled import LabelledBatch, LabelledPlane
from ...errors import UserError
from ...inference.tiles import padded
from ...jobs.devices import Device, place
from ...jobs.settings import FinetuneSettings
from ...models.build import network_of
from ...models.model_file import Card, Model, NetworkSpec
from ...models.objectives import Objective
from ...models.weights import to_numpy, transfer
from ..checkpoint import load_optimiser
from ..learner import Monitor, State, TrainingSummary
from ..optimiser import adam, set_rate
from .labelled_data import TrainingData

_WARM_UP = 0.05
_AVERAGING = 0.98
_SHOWN_PX_PER_SECOND = 5 * 2**16
"""Most pixels of a preview for each second that it may take on a processor, before any speed was measured."""
_SHOWN_SHARE, _SHOWN_SECONDS = 0.2, 4.0
"""Share of the time that one preview may take, by the speed of the answer before, and how long at most: it is not
interrupted when somebody stops the run."""


@dataclass(frozen=True)
class FinetuneContext:
    """Everything that a learner is built from."""

    settings: FinetuneSettings
    data: TrainingData
    device: Device
    network: NetworkSpec
    """What is built; weights that the start does not bring are drawn by the seed."""
    start: Model | None
    """What the weights begin with; None: random weights."""
    card: Callable[[TrainingSummary], Card]
    """Writes the card of the model when training is over."""
    lr_factor: float = 1.0
    """Share of the learning rate that is taken."""


class FineTuner(ABC):
    """Learner of one task, from painted or paired patches; `Segmenter` and `Restorer` know how to validate theirs.

    All weights are trained with Adam, by default under a short warm-up and a cosine decay; what is validated and
    returned is, by default, the exponential moving average of the weights.

    Parameters
    ----------
    context
        Settings, data, device, network, start and card.

    """

    kind = "finetune"

    @property
    @abstractmethod
    def plane_shape(self) -> tuple[int, ...]:
        """Height and width of the first plane that is learnt from."""

    def __init__(self, context: FinetuneContext) -> None:
        self.settings, self.data, self.device = context.settings, context.data, context.device
        self._card, self._lr_factor = context.card, context.lr_factor
        self._seconds_per_px = 0.0
        """Of the last answer; 0: there was none."""
        self.objective = self.make_objective()
        torch.manual_seed(context.settings.seed)
        network = network_of(context.network)
        self.fresh = frozenset(self._load_start(context.start, network))
        """Names of the weights that did not come with the start."""
        self.network = place(network, context.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimiser = adam(self.network.parameters(), context.settings.learning_rate, context.device)
        # the counter of batches in a norm is an integer and has no mean
        self._means, self._values = (
            [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
            for network in (self.average, self.network)
        )
        self.step = 0
        self._to_train_mode()

    @property
    @abstractmethod
    def monitor(self) -> Monitor | None:
        """What decides the best weights."""

    @abstractmethod
    def make_objective(self) -> Objective:
        """Return what is learnt; called once, when settings and data are known."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Measure on held-out data; empty when there is none."""

    @abstractmethod
    def score(self, planes: Sequence[LabelledPlane]) -> dict[str, float]:
        """Score planes that are neither learnt from nor validated on; empty where there are none."""

    @abstractmethod
    def predict(self, plane: LabelledPlane) -> NDArray[np.generic]:
        """Return what the network makes of a scaled plane: labels ``(h, w)``, or intensities in the plane's scale."""

    @abstractmethod
    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Return what the network makes of `view` ``(h, w)``, or of the first plane, as "prediction"."""

    def start_weights(self, start: Model, network: nn.Module) -> Mapping[str, NDArray[np.generic]]:
        """Return the weights of a start as `network` takes them."""
        return start.weights

    def train_step(self, batch: LabelledBatch, progress: float) -> Mapping[str, Tensor]:
        """Take one step on images ``(b, 1, h, w)`` and their targets."""
        images, targets = (tensor.to(self.device.torch_device, non_blocking=True) for tensor in batch)
        share = schedule(progress) if self.settings.rate_schedule == "cosine" else 1.0
        set_rate(self.optimiser, self.settings.learning_rate * self._lr_factor * share)
        with self.device.autocast():
            output = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = self.loss(output, images, targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return {"loss": loss.detach()}

    def loss(self, output: Tensor, images: Tensor, targets: Tensor) -> Tensor:
        """Return what a step makes smaller.

        Parameters
        ----------
        output
            Of the network, ``(b, c, h, w)``.
        images
            What it was shown, ``(b, 1, h, w)``.
        targets
            Of the images.

        """
        return self.objective.loss(output, targets)

    @property
    def receptive_field(self) -> int:
        """Edge in pixels of what reaches one output pixel."""
        return int(self.network.receptive_field)  # type: ignore[arg-type]

    @property
    def stride(self) -> int:
        """What height and width of the network's input must be multiples of, pixels."""
        return int(self.network.stride)  # type: ignore[arg-type]

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.average.state_dict().items()}

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the fine-tuned model, its test scores on the card where there is a test."""
        if self.data.test:
            self.average.load_state_dict(weights)
            test = {f"test {name}": value for name, value in self.score(self.data.test).items()}
            summary = replace(summary, metrics=summary.metrics | test)
        return self.unscored_model(weights, summary)

    def unscored_model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the fine-tuned model without scoring anything."""
        return Model(self._card(summary), to_numpy(weights))

    def state(self) -> State:
        """Return both sets of weights, the optimiser and the step."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }

    def load_state(self, state: State) -> None:
        """Resume from `state`; raises `UserError` when it belongs to another network."""
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
        except RuntimeError as error:
            raise UserError("The autosave belongs to another network. Choose the same start to resume it.") from error
        load_optimiser(self.optimiser, state["optimiser"])
        self.step = state["step"]

    def output(self, image: NDArray[np.float32]) -> Tensor:
        """Run the averaged network over one scaled plane ``(h, w)``: ``(1, c, h, w)`` float32."""
        return self.outputs(image[None])

    def outputs(self, images: NDArray[np.float32]) -> Tensor:
        """Run the averaged network over scaled planes ``(b, h, w)``: ``(b, c, h, w)`` float32."""
        height, width = images.shape[-2:]
        extended = torch.from_numpy(np.stack([padded(image, self.stride) for image in images]))[:, None]
        mark = time.monotonic()
        with self.device.autocast():
            output: Tensor = self.average(extended.to(self.device.torch_device))
        self._seconds_per_px = (time.monotonic() - mark) / images.size
        return output[..., :height, :width].float()

    def shown_part(self, shape: tuple[int, ...], centre: tuple[float, float] | None = None) -> tuple[slice, slice]:
        """Return the part of a plane that a preview is made of, the whole plane where the time allows that.

        Parameters
        ----------
        shape
            Height and width of the plane.
        centre
            Row and column that should be in the middle; None: those of the plane.

        """
        height, width = shape
        seconds = self.settings.max_seconds
        if seconds is None or self.device.torch_device.type != "cpu":
            return slice(0, height), slice(0, width)
        speed = 1 / self._seconds_per_px if self._seconds_per_px else _SHOWN_PX_PER_SECOND
        most = max(int(min(_SHOWN_SHARE * seconds, _SHOWN_SECONDS) * speed), 1)
        rows = min(height, max(math.isqrt(most), most // width))
        columns = min(width, max(most // rows, 1))
        row, column = centre or (height / 2, width / 2)
        top = min(max(round(row - rows / 2), 0), height - rows)
        left = min(max(round(column - columns / 2), 0), width - columns)
        return slice(top, top + rows), slice(left, left + columns)

    @property
    def cut_notice(self) -> str:
        """Say that previews may show a part of large planes; empty where they show all, however slow the network is."""
        shape = self.plane_shape
        rows, columns = self.shown_part(shape)
        if (rows.stop - rows.start, columns.stop - columns.start) == tuple(shape):
            return ""
        return f"To keep to the time, previews may show only a part of planes of {shape[0]} x {shape[1]} px."

    def _load_start(self, start: Model | None, network: nn.Module) -> list[str]:
        """Give the network the weights of the start that fit; return the names of all others."""
        if start is None:
            return list(network.state_dict())
        return transfer(self.start_weights(start, network), network)

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and norm statistics, faster at the beginning; or a mere copy."""
        # (1 + step) / (10 + step), as in Polyak averaging of TensorFlow: random weights must not linger in the mean
        rate = 1 - min(_AVERAGING, (1 + self.step) / (10 + self.step)) if self.settings.averaging else 1.0
        torch._foreach_lerp_(self._means, self._values, rate)

    def _to_train_mode(self) -> None:
        """Norm statistics that came with the start stay as they are, if asked for."""
        self.network.train()
        if not self.settings.frozen_norm:
            return
        # A batch of a few patches of one image has other statistics than the thousands of images of the pretraining.
        # A norm in evaluation mode uses those it came with and leaves them; its weights are trained all the same.
        for name, module in self.network.named_modules():
            if isinstance(module, nn.BatchNorm2d) and f"{name}.running_mean" not in self.fresh:
                module.eval()


def schedule(progress: float) -> float:
    """Share of the highest learning rate at this share of the run: linear warm-up, then cosine decay to 2 %."""
    if progress < _WARM_UP:
        return max(progress, 0.005) / _WARM_UP
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))


def in_plane(found: NDArray[np.generic], part: tuple[slice, slice], rest: NDArray[np.generic]) -> NDArray[np.generic]:
    """Put what was found on a part of a plane into the rest; a whole plane is returned as it is.

    Parameters
    ----------
    found
        Of the part.
    part
        Rows and columns of the plane.
    rest
        ``(h, w)``, of which the part is overwritten.

    """
    if found.shape == rest.shape:
        return found
    rest[part] = found
    return rest
