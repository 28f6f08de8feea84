"""Pretraining: a generator learns to restore corrupted micrographs, with a PatchGAN looking on."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from ..data.datasets import draw_subset, split_by_source
from ..data.patches import UnlabelledPatches
from ..data.planes import Image, as_image, find_images
from ..data.scaling import IntensityScaling
from ..errors import UserError
from ..models.file import Card, NetworkSpec
from .devices import choose_device
from .events import Control, Event, Job, Started, Warning
from .pix2pix import Pix2Pix
from .provenance import stage
from .settings import PretrainSettings
from .training import Outcome, Plan, run_training

VALIDATION_LIMIT = 5000


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
            spec = NetworkSpec(name=chosen.generator, width=chosen.width, refine=chosen.refine)
            history = (stage("pretrain", chosen, data, outcome, None, command),)
            label = name or chosen.generator
            return Card(name=label, task="reconstruct", network=spec, history=history, licence=licence)

        learner = Pix2Pix(chosen, device, _validation_patches(held_out, chosen), card)
        yield Started(device.label, device.reason, data["summary"])
        yield from _remarks(chosen, len(training), skipped)
        yield from run_training(learner, _plan(chosen, patches, autosave), control, resume)

    return Job(events)


def _remarks(settings: PretrainSettings, images: int, skipped: list[str]) -> Iterator[Event]:
    """Say what is not as asked for."""
    if skipped:
        yield Warning(f"{len(skipped)} files could not be read and were left out, the first: {skipped[0]}")
    if settings.images is not None and settings.images > images:
        yield Warning(f"Only {images} training images are there; --images {settings.images} asks for more.")


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
