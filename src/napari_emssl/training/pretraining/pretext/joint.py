"""How a generator learns from pretext tasks beside or instead of restoring: one network, several heads, one step."""

import copy
from collections.abc import Callable, Mapping
from contextlib import closing
from pkgutil import resolve_name
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....errors import UserError
from ....jobs.devices import Device, place
from ....jobs.pretrain_settings import PretrainSettings
from ....models.build import mask_decoder_of, mask_decoder_weights
from ....models.model_file import Card, Model
from ....models.weights import to_numpy, transfer
from ....networks.in_context import SHARPNESS
from ...checkpoint import load_optimiser
from ...learner import Monitor, State, TrainingSummary
from ...optimiser import adam, decayed, set_rate
from ..distributed import ProcessGroup
from ..heads import keep_norms, network_spec, started_generator
from ..pretext_training import PretrainingEvents, RunTraining, TrainingParts
from .collage_batches import CollageBatch, held_out_collages, training_collages
from .context_head import ContextHead
from .joint_loader import JointLoader
from .task import PretextBatch, PretextTask, TaskParts, Verdict

TASKS = {
    "restore": "napari_emssl.training.pretraining.pretext.restoring:Restoring",
    "collage": "napari_emssl.training.pretraining.pretext.collages:Collages",
    "episodes": "napari_emssl.training.pretraining.pretext.collages:Collages",
}
"""The class of each pretext task, as ``module:class``; tasks with one class learn from the same images."""

_WARM_UP_STEPS = 100
_WEIGHT_DECAY = 1e-4
_LARGEST_GRADIENT = 1.0
"""Norm to which the generator's gradient is clipped."""
_AVERAGING = 0.998


class JointLearner:
    """Learner of several pretext tasks, or of one on collages.

    All tasks share one pass of the generator over their images together, so that its norms see what they will see in
    use. It is trained with AdamW, its gradient clipped, after a short warm-up, and with it what answers episodes
    (`ContextHead`); what is validated and handed over is the exponential moving average of both.

    The best weights are those of the greatest ``episode_dice`` where episodes are learnt, whatever else is; else those
    of the least ``l1`` where restoring is learnt; else those of the greatest ``objects_dice``.

    Parameters
    ----------
    settings
        Pretext tasks, generator, losses and seed.
    device
        Where the networks run.
    validation
        Clean patches ``(n, 1, patch, patch)``, scaled; none of them, and restoring is not validated.
    collages
        Collages of held-out images; None, and they are not validated on.
    card
        Writes the card of the model when training is over.
    group
        The processes of a distributed run.
    start
        Generator to begin with, of the network that the settings name; heads it lacks begin with random weights.

    """

    kind = "pretrain"

    def __init__(
        self,
        settings: PretrainSettings,
        device: Device,
        validation: Tensor,
        collages: CollageBatch | None,
        card: Callable[[TrainingSummary], Card],
        group: ProcessGroup | None = None,
        start: Model | None = None,
    ) -> None:
        self.settings, self.device, self._card, self.group = settings, device, card, group or ProcessGroup()
        torch.manual_seed(settings.seed)
        self.start = start.name if start else None
        self.generator = place(started_generator(settings, start), device)
        head = started_head(settings, start)
        self.head = None if head is None else cast(ContextHead, place(head, device).train())
        parts = TaskParts(settings, network_spec(settings), device, self.group, validation, collages, self.head)
        self.tasks = pretext_tasks(parts)
        self.learnt = nn.ModuleList([self.generator] if self.head is None else [self.generator, self.head])
        self.networks = [self.learnt, *(network for task in self.tasks for network in task.networks)]
        self.group.sync_weights(self.networks)
        self.average = copy.deepcopy(self.learnt).requires_grad_(False).eval()
        self.optimisers = [self._optimiser(network) for network in self.networks]
        self.step = 0
        self._to_train_mode()

    @property
    def monitor(self) -> Monitor:
        """What decides the best weights."""
        if "episodes" in self.settings.pretexts:
            return Monitor("episode_dice", "max")
        return Monitor("l1", "min") if "restore" in self.settings.pretexts else Monitor("objects_dice", "max")

    def train_step(self, batch: PretextBatch, progress: float) -> Mapping[str, Tensor]:
        """Take one step of all networks; of several processes each gets its share of the batch."""
        self.group.announce(progress)
        shown = [task.images(batch, self.step) for task in self.tasks]
        with self.device.autocast():
            output = self.generator(torch.cat(shown).contiguous(memory_format=torch.channels_last))
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        parts = torch.split(output, [len(images) for images in shown])
        verdicts = [
            task.judge(part, images, batch) for task, part, images in zip(self.tasks, parts, shown, strict=True)
        ]
        backward(verdicts)
        losses = {name: loss for verdict in verdicts for name, loss in verdict.losses.items()}
        averaged = self.group.average(self.networks, losses)
        self._update_weights(progress)
        return averaged

    def validate(self) -> dict[str, float]:
        """Measure every task on held-out images."""
        return {name: value for task in self.tasks for name, value in task.validate(self._answer()).items()}

    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Return held-out images and what the generator makes of them."""
        return {name: picture for task in self.tasks for name, picture in task.preview(self._answer()).items()}

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights, and of what answers episodes where these are learnt."""
        weights = dict(self.average[0].state_dict())
        if self.head is not None:
            weights |= cast(ContextHead, self.average[1]).weights()
        return {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the generator as a model."""
        return Model(self._card(summary), to_numpy(weights))

    def state(self) -> State:
        """Return all networks, their optimisers and the step."""
        return {
            "networks": [network.state_dict() for network in self.networks],
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "start": self.start,
        }

    def load_state(self, state: State) -> None:
        """Resume from `state`; raises `UserError` when its run began from another start."""
        if state["start"] != self.start:
            then, now = (name or "random weights" for name in (state["start"], self.start))
            raise UserError(f"The run of the autosave began from {then}, not from {now}. Name the same start.")
        for network, saved in zip(self.networks, state["networks"], strict=True):
            network.load_state_dict(saved)
        self.average.load_state_dict(state["average"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            load_optimiser(optimiser, saved)
        self.step = state["step"]

    def _optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """AdamW for what is handed over; the discriminator learns as in `pix2pix`."""
        rate, device = self.settings.learning_rate, self.device
        if network is self.learnt:
            return torch.optim.AdamW(network.parameters(), rate, weight_decay=_WEIGHT_DECAY, fused=device.fuses_steps)
        return adam(network.parameters(), rate, device, (0.5, 0.999))

    def _update_weights(self, progress: float) -> None:
        rate = decayed(self.settings.learning_rate, self.settings.learning_rate_decay, progress)
        rate *= min(1.0, (self.step + 1) / _WARM_UP_STEPS)
        nn.utils.clip_grad_norm_(self.learnt.parameters(), _LARGEST_GRADIENT)
        for optimiser in self.optimisers:
            set_rate(optimiser, rate)
            optimiser.step()
        self.step += 1
        self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and norm statistics, faster at the beginning."""
        rate = 1 - min(_AVERAGING, (1 + self.step) / (10 + self.step))
        means, values = (list(module.state_dict().values()) for module in (self.average, self.learnt))
        pairs = [pair for pair in zip(means, values, strict=True) if pair[0].is_floating_point()]
        # the counters of batches in the norms are integers and have no mean; one call for all: on a GPU a step is short
        torch._foreach_lerp_([mean for mean, _ in pairs], [value for _, value in pairs], rate)

    def _answer(self) -> "_Averaged":
        return _Averaged(self.average[0], cast(ContextHead, self.average[1]) if self.head else None, self.device)

    def _to_train_mode(self) -> None:
        """Norm statistics that came with a start stay as they are, if asked for."""
        self.generator.train()
        if self.start is not None and self.settings.frozen_norm:
            keep_norms(self.generator)


class _Averaged:
    """The averaged networks at work; see `pretext_tasks.Answer`."""

    def __init__(self, generator: nn.Module, head: ContextHead | None, device: Device) -> None:
        self._generator, self._head, self._device = generator, head, device

    @torch.inference_mode()
    def output(self, images: Tensor) -> Tensor:
        shown = images.to(self._device.torch_device, memory_format=torch.channels_last)
        with self._device.autocast():
            output: Tensor = self._generator(shown)
        return output.float().cpu()

    @torch.inference_mode()
    def classes(self, output: Tensor, collages: CollageBatch) -> Tensor:
        assert self._head is not None
        place = self._device.torch_device
        features, images = output[:, : self._head.dimensions].to(place), collages.images.to(place)
        with self._device.autocast():
            return self._head.classes(features, images, collages.episodes.to(place)).cpu()


def backward(verdicts: list[Verdict]) -> None:
    """Walk the generator's graph once, with the losses of all tasks and the gradients known already."""
    known = [(verdict.output, verdict.gradient) for verdict in verdicts if verdict.output is not None]
    loss = torch.stack([verdict.loss for verdict in verdicts]).sum()
    torch.autograd.backward((loss, *(output for output, _ in known)), (None, *(gradient for _, gradient in known)))


def pretext_tasks(parts: TaskParts) -> list[PretextTask]:
    """Import the asked-for tasks, and no others, and make them."""
    classes = dict.fromkeys(TASKS[name] for name in parts.settings.pretexts)
    return [cast(type[PretextTask], resolve_name(name))(parts) for name in classes]


def train(parts: TrainingParts, run: RunTraining) -> PretrainingEvents:
    """Learn all tasks together, see `pretext_training.Training`."""
    held_out = held_out_collages(parts.data) if parts.group.leads else None
    learner = JointLearner(
        parts.settings, parts.device, parts.validation, held_out, parts.card, parts.group, parts.start
    )
    with closing(JointLoader(parts.loader, training_collages(parts.data), parts.settings, parts.share)) as loader:
        yield from run(learner, loader.batches, loader)


def started_head(settings: PretrainSettings, start: Model | None) -> ContextHead | None:
    """Build what answers episodes, with what a start brings; None where no episodes are learnt."""
    spec = network_spec(settings)
    if not spec.vector_channels:
        return None
    head = ContextHead(spec.vector_channels, decoder=mask_decoder_of(spec))
    if start is not None and SHARPNESS in start.weights:
        head.logarithm.data = torch.tensor(float(start.weights[SHARPNESS].item())).log()
    if start is not None and head.decoder is not None and start.card.network.mask_decoder == spec.mask_decoder:
        transfer(mask_decoder_weights(start.weights), head.decoder)
    return head
