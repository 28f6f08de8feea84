"""Pretraining: a generator learns to restore corrupted micrographs, with a PatchGAN looking on (pix2pix)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from ..data.corruption import corrupt
from ..data.datasets import draw_subset, split_by_source
from ..data.patches import UnlabelledPatches
from ..data.planes import Image, as_image, find_images
from ..data.scaling import IntensityScaling
from ..errors import UserError
from ..models.file import Card, Model, NetworkSpec
from ..models.tasks import to_numpy
from ..networks.generators import build_generator
from ..networks.patchgan import PatchGAN
from .devices import Device, choose_device, place
from .events import Control, Event, Job, Started, Warning
from .provenance import stage
from .settings import PretrainSettings
from .training import Outcome, Plan, run_training

VALIDATION_LIMIT = 5000


class Pix2Pix:
    """Learner of the GAN stage.

    The discriminator minimises 1/2 (mean (D(x, y) - 1)^2 + mean D(x, G(x))^2), the generator
    mean (D(x, G(x)) - 1)^2 + l1_weight * mean |y - G(x)|, with x the corrupted and y the clean patch (LSGAN, Mao et al.
    2017; L1 and its weight 100 after Isola et al. 2017).
    """

    kind = "pretrain"
    better: tuple[str, Literal["min", "max"]] = ("l1", "min")

    def __init__(
        self, settings: PretrainSettings, device: Device, validation: Tensor, card: Callable[[Outcome], Card]
    ) -> None:
        self.settings, self.device, self.card = settings, device, card
        torch.manual_seed(settings.seed)
        self.generator = self._place(build_generator(settings.generator, settings.width))
        self.discriminator = self._place(PatchGAN(width=settings.discriminator_width))
        self.optimisers = [
            torch.optim.Adam(network.parameters(), settings.learning_rate, (0.5, 0.999), fused=True)
            for network in (self.generator, self.discriminator)
        ]
        self.step = 0
        self.validation = validation
        self.corrupted = self._corrupt(validation, -1) if len(validation) else validation

    def improve(self, batch: Tensor, done: float) -> Mapping[str, Tensor]:
        """Take one step of both networks on clean patches ``(b, 1, h, w)``, scaled; `done` changes nothing."""
        clean = batch.to(self.device.torch_device, non_blocking=True, memory_format=torch.channels_last)
        corrupted = self._corrupt(clean, self.step)
        with self.device.autocast():
            restored = self.generator(corrupted)
        losses = self._improve_discriminator(corrupted, clean, restored.detach())
        losses |= self._improve_generator(corrupted, clean, restored)
        self.step += 1
        return losses

    def validate(self) -> dict[str, float]:
        """Mean absolute error of the restored validation patches, in units of the scaled intensity."""
        if not len(self.validation):
            return {}
        total = 0.0
        for start in range(0, len(self.validation), self.settings.batch_size):
            some = slice(start, start + self.settings.batch_size)
            total += float((self._restore(self.corrupted[some]) - self.validation[some]).abs().sum())
        return {"l1": total / self.validation.numel()}

    def preview(self, view: NDArray[Any] | None) -> Mapping[str, NDArray[Any]]:
        """Return one validation patch corrupted, restored and clean."""
        if not len(self.validation):
            return {}
        restored = self._restore(self.corrupted[:1])
        triple = {"corrupted": self.corrupted[:1], "restored": restored, "clean": self.validation[:1]}
        return {name: patch[0, 0].numpy().copy() for name, patch in triple.items()}

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the generator's weights."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.generator.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Return both networks, both optimisers and the step."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "network": [self.settings.generator, self.settings.width],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; raises `UserError` when it belongs to another generator."""
        name, width = state["network"]
        if (name, width) != (self.settings.generator, self.settings.width):
            raise UserError(
                f"The autosave is of generator '{name}' (width {width}). Ask for the same one to resume it."
            )
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step = state["step"]

    def model(self, weights: Mapping[str, Tensor], outcome: Outcome) -> Model:
        """Return the generator as a model."""
        return Model(self.card(outcome), to_numpy(weights))

    def _improve_discriminator(self, corrupted: Tensor, clean: Tensor, restored: Tensor) -> dict[str, Tensor]:
        with self.device.autocast():
            real = self.discriminator(corrupted, clean)
            fake = self.discriminator(corrupted, restored)
        loss = 0.5 * ((real.float() - 1).square().mean() + fake.float().square().mean())
        _descend(self.optimisers[1], loss)
        return {"discriminator": loss.detach()}

    def _improve_generator(self, corrupted: Tensor, clean: Tensor, restored: Tensor) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)
        with self.device.autocast():
            judged = self.discriminator(corrupted, restored)
        adversarial = (judged.float() - 1).square().mean()
        l1 = functional.l1_loss(restored.float(), clean)
        _descend(self.optimisers[0], adversarial + self.settings.l1_weight * l1)
        self.discriminator.requires_grad_(True)
        return {"adversarial": adversarial.detach(), "l1": l1.detach()}

    @torch.inference_mode()
    def _restore(self, corrupted: Tensor) -> Tensor:
        self.generator.eval()
        images = corrupted.to(self.device.torch_device, memory_format=torch.channels_last)
        with self.device.autocast():
            restored: Tensor = self.generator(images)
        self.generator.train()
        return restored.float().cpu()

    def _corrupt(self, clean: Tensor, step: int) -> Tensor:
        source = torch.Generator(clean.device).manual_seed(self.settings.seed * 1_000_003 + step + 1)
        chosen = self.settings
        return corrupt(clean, (chosen.noise_min, chosen.noise_max), (chosen.blur_min, chosen.blur_max), source)

    def _place(self, network: nn.Module) -> nn.Module:
        return place(network, self.device).train()


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def pretrain(
    sources: Sequence[Path | str | NDArray[Any] | Image],
    settings: PretrainSettings | None = None,
    *,
    name: str | None = None,
    resume: Path | None = None,
    autosave: Path | None = None,
    licence: str = "unknown",
    command: str = "",
) -> Job:
    """Pretrain a generator on unlabelled micrographs.

    Parameters
    ----------
    sources
        Files, folders (searched through) and arrays ``(h, w)`` or ``(n, h, w)``, in any mix.
    settings
        Defaults are the paper's.
    name
        Name on the model's card; by default the generator's.
    resume, autosave
        Autosave file to go on from; where to write autosaves.
    licence
        Licence of the images, for the card.
    command
        The command line, for the card.

    Returns
    -------
    Job
        Its result is a `Model` of task ``reconstruct``.

    Raises
    ------
    UserError
        From the iteration: no readable image, unknown generator or device, damaged autosave.

    """
    chosen = settings or PretrainSettings()

    def events(control: Control) -> Iterator[Event]:
        device = choose_device(chosen)
        images, skipped = _open_all(sources)
        training, held_out = _split(images, chosen)
        patches = UnlabelledPatches(training, chosen.patch, IntensityScaling(), chosen.seed)
        data = _describe(training, held_out, len(patches), skipped)

        def card(outcome: Outcome) -> Card:
            spec = NetworkSpec(name=chosen.generator, width=chosen.width)
            history = (stage("pretrain", chosen, data, outcome, None, command),)
            label = name or chosen.generator
            return Card(name=label, task="reconstruct", network=spec, history=history, licence=licence)

        learner = Pix2Pix(chosen, device, _validation_patches(held_out, chosen), card)
        yield Started(device.label, device.reason, data["summary"])
        if skipped:
            yield Warning(f"{len(skipped)} files could not be read and were left out, the first: {skipped[0]}")
        yield from run_training(learner, _plan(chosen, patches, autosave), control, resume)

    return Job(events)


def _open_all(sources: Sequence[Path | str | NDArray[Any] | Image]) -> tuple[list[Image], list[str]]:
    """Open files, folders and arrays; return the images and a sentence for each file that cannot be read."""
    images: list[Image] = []
    skipped: list[str] = []
    for source in sources:
        if not isinstance(source, Path | str):
            images.append(as_image(source))
            continue
        files = find_images([source])
        for file in files:
            try:
                images.append(as_image(file))
            except UserError as error:
                skipped.append(str(error))
    if not images:
        raise UserError(skipped[0] if skipped else "There is no image to learn from. Give a file or a folder.")
    return images, skipped


def _split(images: list[Image], settings: PretrainSettings) -> tuple[list[Image], list[Image]]:
    """Hold whole sources out for validation, then draw as many training images as are asked for."""
    wanted = settings.validation
    if wanted is None:
        wanted = min(VALIDATION_LIMIT, len(images) // 10)
    if wanted >= len(images):
        raise UserError(f"--validation {wanted} leaves nothing to learn from: there are {len(images)} images.")
    keys = [image.path or Path(str(number)) for number, image in enumerate(images)]
    by_key = dict(zip(keys, images, strict=True))
    training, held_out = split_by_source(keys, wanted, settings.seed)
    if settings.images is not None:
        training = draw_subset(training, settings.images, settings.seed)
    return [by_key[key] for key in training], [by_key[key] for key in held_out]


def _validation_patches(images: list[Image], settings: PretrainSettings) -> Tensor:
    """One fixed patch of every held-out plane, ``(n, 1, patch, patch)``."""
    patches = UnlabelledPatches(images, settings.patch, IntensityScaling(), settings.seed, visits="once")
    if not len(patches):
        return torch.empty(0, 1, settings.patch, settings.patch)
    return torch.stack([patches[index] for index in range(min(len(patches), VALIDATION_LIMIT))])


def _plan(settings: PretrainSettings, patches: UnlabelledPatches, autosave: Path | None) -> Plan:
    epochs = settings.epochs or 1
    total = settings.steps or max(1, len(patches) * epochs // settings.batch_size)
    per_epoch = max(1, len(patches) // settings.batch_size)

    def batches(first: int) -> Iterator[Tensor]:
        positions = count(first * settings.batch_size)
        loader = DataLoader(
            patches,
            batch_size=settings.batch_size,
            sampler=(position for position in positions),
            num_workers=settings.workers,
            pin_memory=torch.cuda.is_available(),
            multiprocessing_context="spawn" if settings.workers else None,
        )
        return iter(loader)

    return Plan(
        batches=batches,
        batch_size=settings.batch_size,
        total=total,
        max_seconds=settings.max_seconds,
        validation_interval=settings.validation_interval or min(per_epoch, max(1, total // 20)),
        preview_seconds=20.0,
        autosave=autosave,
        autosave_seconds=settings.autosave_seconds,
    )


def _describe(training: list[Image], held_out: list[Image], patches: int, skipped: list[str]) -> dict[str, Any]:
    planes = sum(map(len, training))
    return {
        "summary": f"Learning from {planes} planes of {len(training)} images ({patches} patches an epoch), "
        f"validating on {sum(map(len, held_out))} planes of {len(held_out)} images.",
        "images": len(training),
        "planes": planes,
        "patches_per_epoch": patches,
        "validation_images": len(held_out),
        "skipped": len(skipped),
    }
