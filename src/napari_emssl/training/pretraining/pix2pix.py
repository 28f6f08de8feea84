"""How a generator learns to restore: one step of the GAN, its validation and its preview (pix2pix)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...errors import UserError
from ...jobs.devices import Device, place
from ...jobs.pretrain_settings import PretrainSettings
from ...models.model_file import Card, Model
from ...models.weights import to_numpy
from ...networks.patchgan import PatchGAN
from ...thread_team import ThreadTeam
from ..checkpoint import load_optimiser
from ..learner import Monitor, State, TrainingSummary
from ..optimiser import adam, decayed, set_rate
from ..recorded_step import RecordedStep
from .distributed import ProcessGroup
from .gan import adversarial_gradient, discriminator_gradients, judge, set_gradients
from .gan import corrupted as corrupted_at
from .heads import keep_norms, started_generator
from .pretext_training import PretrainingEvents, RunTraining, TrainingParts


class _Share(NamedTuple):
    """What the patches of one thread contribute."""

    losses: dict[str, Tensor]
    of_generator: Sequence[Tensor | None]
    of_discriminator: Sequence[Tensor | None]


def _added_up(shares: Iterable[Sequence[Tensor | None]]) -> list[Tensor | None]:
    """Return the sum of each weight's gradients; None where a loss does not depend on it."""
    of_weights = zip(*shares, strict=True)
    return [None if any(one is None for one in ones) else sum(ones[1:], ones[0]) for ones in of_weights]


class Pix2Pix:
    """Learner of the GAN stage.

    Beside what `gan` says of both networks, the generator minimises l1_weight * mean |y - G(x)|, with x the corrupted
    and y the clean patch (L1 and its weight 100 after Isola et al. 2017).

    Parameters
    ----------
    settings
        Generator, discriminator, losses, corruption and seed.
    device
        Where both networks run.
    validation
        Clean patches ``(n, 1, patch, patch)``, scaled; none of them, and nothing is validated.
    card
        Writes the card of the model when training is over.
    group
        The processes of a distributed run.
    start
        Generator to begin with, of the network that the settings name; None: random weights.

    """

    kind = "pretrain"
    monitor = Monitor("l1", "min")

    def __init__(
        self,
        settings: PretrainSettings,
        device: Device,
        validation: Tensor,
        card: Callable[[TrainingSummary], Card],
        group: ProcessGroup | None = None,
        start: Model | None = None,
    ) -> None:
        self.settings, self.device, self._card, self.group = settings, device, card, group or ProcessGroup()
        torch.manual_seed(settings.seed)
        self.start = start.name if start else None
        self.generator = self._place(started_generator(settings, start))
        self.discriminator = self._place(PatchGAN(width=settings.discriminator_width))
        self.optimisers = [
            adam(network.parameters(), settings.learning_rate, device, (0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]
        self.group.sync_weights((self.generator, self.discriminator))
        self._to_train_mode()
        alone_on_cpu = device.torch_device.type == "cpu" and self.group.size == 1
        self.team = ThreadTeam.for_batches_of(settings.batch_size, torch.get_num_threads() if alone_on_cpu else 1)
        self.recorded = RecordedStep(self._learn_from, device.replays_steps and self.group.size == 1)
        self.step = 0
        self.validation = validation
        self.corrupted = self._corrupt(validation, -1) if len(validation) else validation

    def train_step(self, batch: Tensor, progress: float) -> Mapping[str, Tensor]:
        """Take one step of both networks on clean patches ``(b, 1, h, w)``, scaled.

        Of several processes each gets its share of the batch.
        """
        self.group.announce(progress)
        clean = batch.to(self.device.torch_device, non_blocking=True, memory_format=torch.channels_last)
        self._set_rates(progress)
        losses = self.recorded(clean, self._corrupt(clean, self.step))
        self.step += 1
        return losses

    def validate(self) -> dict[str, float]:
        """Mean absolute error of the restored validation patches, in units of the scaled intensity."""
        if not len(self.validation):
            return {}
        total = 0.0
        for start in range(0, len(self.validation), self.settings.batch_size):
            some = slice(start, start + self.settings.batch_size)
            # batches add up in float64: over 5000 patches of 50 000 pixels each a sum in float32 would stall
            total += float((self._restore(self.corrupted[some]) - self.validation[some]).abs().sum())
        return {"l1": total / self.validation.numel()}

    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Return one validation patch corrupted, restored and clean."""
        if not len(self.validation):
            return {}
        restored = self._restore(self.corrupted[:1])
        triple = {"corrupted": self.corrupted[:1], "restored": restored, "clean": self.validation[:1]}
        return {name: patch[0, 0].numpy().copy() for name, patch in triple.items()}

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the generator's weights."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.generator.state_dict().items()}

    def state(self) -> State:
        """Return both networks, both optimisers and the step."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "network": [self.settings.generator, self.settings.width],
            "start": self.start,
        }

    def load_state(self, state: State) -> None:
        """Resume from `state`; raises `UserError` when it belongs to another generator."""
        name, width = state["network"]
        if (name, width) != (self.settings.generator, self.settings.width):
            raise UserError(
                f"The autosave belongs to generator '{name}' (width {width}). Ask for the same one to resume it."
            )
        if state.get("start") != self.start:
            then, now = (name or "random weights" for name in (state.get("start"), self.start))
            raise UserError(f"The run of the autosave began from {then}, not from {now}. Name the same start.")
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            load_optimiser(optimiser, saved)
        self.recorded.forget()
        self.step = state["step"]

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the generator as a model."""
        return Model(self._card(summary), to_numpy(weights))

    def _learn_from(self, clean: Tensor, corrupted: Tensor) -> Mapping[str, Tensor]:
        """Take the step of both networks on clean and corrupted patches."""
        shares = self.team.run(lambda part: self._share(clean, corrupted, part), len(clean))
        set_gradients(self.generator, _added_up(share.of_generator for share in shares))
        set_gradients(self.discriminator, _added_up(share.of_discriminator for share in shares))
        losses = {name: torch.stack([share.losses[name] for share in shares]).sum(0) for name in shares[0].losses}
        averaged = self.group.average((self.generator, self.discriminator), losses)
        for optimiser in self.optimisers:
            optimiser.step()
        return averaged

    def _share(self, clean: Tensor, corrupted: Tensor, part: slice) -> "_Share":
        """Return what some patches contribute to losses and gradients, which are means over all patches."""
        weight, clean, corrupted = (part.stop - part.start) / len(clean), clean[part], corrupted[part]
        with self.device.autocast():
            restored = self.generator(corrupted)
            judged = judge(self.discriminator, corrupted, clean, restored)
        discriminator, of_discriminator = discriminator_gradients(self.discriminator, judged, weight)
        adversarial, image_gradient = adversarial_gradient(judged, weight)
        l1 = weight * functional.l1_loss(restored.float(), clean)
        of_generator = torch.autograd.grad(
            (restored, self.settings.l1_weight * l1),
            list(self.generator.parameters()),
            (image_gradient, None),
            allow_unused=True,
        )
        losses = {"discriminator": discriminator, "adversarial": adversarial, "l1": l1.detach()}
        return _Share(losses, of_generator, of_discriminator)

    def _set_rates(self, progress: float) -> None:
        rate = decayed(self.settings.learning_rate, self.settings.learning_rate_decay, progress)
        for optimiser in self.optimisers:
            set_rate(optimiser, rate)

    @torch.inference_mode()
    def _restore(self, corrupted: Tensor) -> Tensor:
        self.generator.eval()
        images = corrupted.to(self.device.torch_device, memory_format=torch.channels_last)
        with self.device.autocast():
            restored: Tensor = self.generator(images)
        self._to_train_mode()
        return restored.float().cpu()

    def _corrupt(self, clean: Tensor, step: int) -> Tensor:
        return corrupted_at(clean, step, self.settings, self.group)

    def _to_train_mode(self) -> None:
        """Norm statistics that came with a start stay as they are, if asked for."""
        # Those of random weights follow the batches. The discriminator's always do: it is never in evaluation mode.
        self.generator.train()
        if self.start is not None and self.settings.frozen_norm:
            keep_norms(self.generator)

    def _place(self, network: nn.Module) -> nn.Module:
        return place(network, self.device).train()


def train(parts: TrainingParts, run: RunTraining) -> PretrainingEvents:
    """Learn to restore, see `pretext_training.Training`."""
    learner = Pix2Pix(parts.settings, parts.device, parts.validation, parts.card, parts.group, parts.start)
    yield from run(learner, parts.loader.batches, parts.loader)
