"""The main job on simulated data without a window: paint, answer in context, fine-tune, apply, judge."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .data.images.writers import write_image
from .data.labels.targets import targets_from_painting
from .inference.apply import apply
from .jobs.events import Control, Finished, Job, Progress, Started, Update
from .jobs.settings import FinetuneSettings
from .metrics import dice
from .models.card import objects_of
from .models.model_file import Model, save_model
from .simulation.hrtem.sample_data import GoldSample, gold_sample
from .training.finetuning.finetune import finetune
from .training.history import write_curves
from .training.in_context.segment import in_context
from .training.panels import write_overlay

DEMO_SECONDS = 40.0
_LICENCE = "simulated images"


class _Judged(NamedTuple):
    """Dice of a model over the unpainted pixels of each plane, and when it was known."""

    scores: list[float]
    seconds: float

    def describe(self) -> str:
        others = float(np.mean(self.scores[1:]))
        return f"{self.scores[0]:.3f} on the rest of that plane, {others:.3f} on the {len(self.scores) - 1} others"


def run_demo(folder: Path, settings: FinetuneSettings | None = None, start: str | None = None) -> Job[str]:
    """Segment a simulated stack from three painted particles of one plane: in context, then fine-tuned from there.

    Parameters
    ----------
    folder
        Gets the images, painting, truth and results as TIFF, pictures of both results, curves and both model files.
    settings
        By default 40 seconds of training.
    start
        Name or file of a generator that segments in context; None takes the recommended one.

    Returns
    -------
    Job
        Its result is a sentence with what was written and the Dice of both models.

    """
    chosen = settings or FinetuneSettings(max_seconds=DEMO_SECONDS)

    def events(control: Control) -> Iterator[Update | Finished[str]]:
        clock = time.monotonic()
        sample = gold_sample()
        _write_stacks(folder, sample)
        targets, _ = targets_from_painting([sample.painting[0]])
        command = f"napari-emssl demo --headless {folder.name}"
        begun = in_context(
            [sample.images[0]], targets, generator=start, name="demo-in-context", class_names=["particle"],
            licence=_LICENCE, command=command,
        )  # fmt: skip
        save_model(begun, folder / "in-context.safetensors")
        first = _Judged(_segment(begun, sample, folder, "in-context"), time.monotonic() - clock)
        training = finetune(
            [sample.images[0]], targets, chosen, start, name="demo", class_names=["particle"], licence=_LICENCE,
            command=command,
        )  # fmt: skip
        training.control = control
        yield from _train_and_report(training, sample, folder, clock, first)

    return Job(events)


def _train_and_report(
    training: Job[Model], sample: GoldSample, folder: Path, clock: float, first: _Judged
) -> Iterator[Update | Finished[str]]:
    """Pass on the events of the training, then apply, judge and draw.

    Parameters
    ----------
    training
        The fine-tuning.
    sample
        What is applied to, with its truth.
    folder
        Gets the results.
    clock
        When the demo began, by `time.monotonic`.
    first
        What the model in context reached.

    """
    progress: list[Progress] = []
    for event in training:
        if isinstance(event, Progress):
            progress.append(event)
        if isinstance(event, Started):
            so_far = f"Without training, after {first.seconds:.0f} s: Dice {first.describe()}. Training begins there."
            yield replace(event, summary=f"{so_far}\n{event.summary}")
        elif isinstance(event, Finished):
            save_model(event.result, folder / "model.safetensors")
            write_curves(folder / "curves.png", folder / "curves.csv", progress)
            trained = _Judged(_segment(event.result, sample, folder, "fine-tuned"), time.monotonic() - clock)
            yield Finished(_sentence(folder, first, trained, event.result), event.stopped)
        else:
            yield event


def _write_stacks(folder: Path, sample: GoldSample) -> None:
    names = ("images", "painting", "truth")
    stacks: tuple[NDArray[np.integer], ...] = (sample.images, sample.painting, sample.instances)
    for name, stack in zip(names, stacks, strict=True):
        write_image(folder / f"{name}.tif", stack, sample.pixel_size_nm, overwrite=True)


def _segment(model: Model, sample: GoldSample, folder: Path, name: str) -> list[float]:
    """Apply the model to every plane, write labels and pictures, and return the Dice of each over unpainted pixels."""
    found = apply(model, sample.images)
    write_image(folder / f"labels-{name}.tif", found, sample.pixel_size_nm, overwrite=True)
    truth = sample.instances > 0
    for index, image in enumerate(sample.images):
        path = folder / f"{name}-{index}.png"
        write_overlay(path, image, found[index], truth[index], sample.painting[index])
    judged = np.where(sample.painting > 0, 0, truth + 1)
    return [dice([labels], [target], 1) for labels, target in zip(found, judged, strict=True)]


def _sentence(folder: Path, first: _Judged, trained: _Judged, model: Model) -> str:
    """Say what was reached.

    Parameters
    ----------
    folder
        Where the results are.
    first, trained
        What the model in context and the fine-tuned one reached.
    model
        The fine-tuned one.

    """
    return (
        f"Three particles of one plane were painted. Dice against the truth: in context, after {first.seconds:.0f} s, "
        f"{first.describe()}; fine-tuned, after {trained.seconds:.0f} s, {trained.describe()}. "
        f"{objects_of(model.card.history[-1])} Models, labels, pictures and curves are in {folder}."
    )
