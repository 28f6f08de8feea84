"""The main job on simulated data without a window: paint, fine-tune, apply, judge; files and pictures to inspect."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .data.images.writers import write_image
from .data.labels.targets import targets_from_painting
from .inference.apply import apply
from .jobs.events import Control, Finished, Job, Preview, Progress, Update
from .jobs.settings import FinetuneSettings
from .metrics import dice
from .models.model_file import Model, save_model
from .simulation.hrtem.sample_data import GoldSample, gold_sample
from .training.finetuning.finetune import finetune
from .training.history import write_curves
from .training.panels import write_overlay

DEMO_SECONDS = 40.0


def run_demo(folder: Path, settings: FinetuneSettings | None = None, start: str | None = None) -> Job[str]:
    """Fine-tune on three painted particles of a simulated stack and segment the rest of it.

    Parameters
    ----------
    folder
        Gets the images, painting, truth and result as TIFF, pictures before and after, curves and the model file.
    settings
        By default 40 seconds of training.
    start
        Name or file of the start; None takes the zoo's recommended generator.

    Returns
    -------
    Job
        Its result is a sentence with what was written and the Dice reached.

    """
    chosen = settings or FinetuneSettings(max_seconds=DEMO_SECONDS)

    def events(control: Control) -> Iterator[Update | Finished[str]]:
        clock = time.monotonic()
        sample = gold_sample()
        _write_stacks(folder, sample)
        targets, _ = targets_from_painting([sample.painting[0]])
        training = finetune(
            [sample.images[0]], targets, chosen, start, name="demo", class_names=["particle"],
            licence="simulated images", command=f"napari-emssl demo --headless {folder.name}",
        )  # fmt: skip
        training.control = control
        yield from _train_and_report(training, sample, folder, clock)

    return Job(events)


def _train_and_report(
    training: Job[Model], sample: GoldSample, folder: Path, clock: float
) -> Iterator[Update | Finished[str]]:
    """Pass on the events of the training, then apply, judge and draw."""
    progress: list[Progress] = []
    before: NDArray[np.generic] | None = None
    for event in training:
        if isinstance(event, Progress):
            progress.append(event)
        if isinstance(event, Preview) and before is None:
            before = event.images["prediction"]
        if isinstance(event, Finished):
            _save(folder, event.result, progress)
            scores = _segment(event.result, sample, before, folder)
            yield Finished(_sentence(folder, scores, time.monotonic() - clock), event.stopped)
        else:
            yield event


def _write_stacks(folder: Path, sample: GoldSample) -> None:
    names = ("images", "painting", "truth")
    stacks: tuple[NDArray[np.integer], ...] = (sample.images, sample.painting, sample.instances)
    for name, stack in zip(names, stacks, strict=True):
        write_image(folder / f"{name}.tif", stack, sample.pixel_size_nm, overwrite=True)


def _save(folder: Path, model: Model, progress: list[Progress]) -> None:
    save_model(model, folder / "model.safetensors")
    write_curves(folder / "curves.png", folder / "curves.csv", progress)


def _segment(model: Model, sample: GoldSample, before: NDArray[np.generic] | None, folder: Path) -> list[float]:
    """Apply the model to every plane, write labels and pictures, and return the Dice of each over unpainted pixels."""
    found = apply(model, sample.images)
    write_image(folder / "labels.tif", found, sample.pixel_size_nm, overwrite=True)
    truth = sample.instances > 0
    if before is not None:
        write_overlay(folder / "before.png", sample.images[0], before, truth[0], sample.painting[0])
    for index, image in enumerate(sample.images):
        path = folder / f"after-{index}.png"
        write_overlay(path, image, found[index], truth[index], sample.painting[index])
    judged = np.where(sample.painting > 0, 0, truth + 1)
    return [dice([labels], [target], 1) for labels, target in zip(found, judged, strict=True)]


def _sentence(folder: Path, scores: list[float], seconds: float) -> str:
    others = float(np.mean(scores[1:]))
    return (
        f"Wrote the model, labels, pictures and curves to {folder} in {seconds:.0f} s. Three particles of one plane "
        f"were painted; Dice against the truth: {scores[0]:.3f} on the rest of that plane, {others:.3f} on the "
        f"{len(scores) - 1} planes without paint."
    )
