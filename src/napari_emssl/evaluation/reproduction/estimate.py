"""What a plan costs on this machine: a few steps of each network are taken first, the rest is multiplied."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.labelled import LabelledPlane
from ...errors import UserError
from ...formatting import bytes_in_words, counted, duration
from ...jobs.compare_settings import CompareSettings
from ...jobs.devices import Device, choose_device
from ...jobs.pretrain_settings import PretrainSettings
from ...models.build import network_of
from ...models.model_file import Card, NetworkSpec
from ...models.tasks import task_of
from ...training.finetuning.base_learner import FinetuneContext, FineTuner
from ...training.finetuning.labelled_data import TrainingData
from ...training.finetuning.task_training import training_of
from ...training.learner import TrainingSummary
from ...training.pretraining.pix2pix import Pix2Pix
from ..comparison.data import ComparisonData
from ..comparison.experiment import recipe_of, schedule_of
from .plan import Plan, PlannedData, PlannedNetwork, PlannedRun
from .sources import PlannedMaking, Sources

_TIMED_STEPS = 2
_CPU_PATCHES = 4
"""Patches of a step of the GAN that is timed on a CPU; a single one takes half as long again."""
_GPU_SETTLES = 5
"""Steps until a GPU replays them."""
_FLOATS_OF_AUTOSAVE = 4
"""Weights, their copy, and two moments of Adam: what an autosave holds of every parameter."""
_BYTES = 4
_PANEL_BYTES_A_PIXEL = 6
"""Of an image, its truth and a prediction in an archive, roughly: float32 noise hardly shrinks."""


@dataclass(frozen=True)
class Cost:
    """What a kind of runs costs."""

    name: str
    runs: int
    steps: int
    """Of each run."""
    seconds: float
    """Of each run, scoring included."""
    disk_bytes: int
    """Of each run, once it is complete."""
    working_bytes: int
    """Of a run under way: its autosave."""

    @property
    def hours(self) -> float:
        """Of all runs, one after the other."""
        return self.runs * self.seconds / 3600


@dataclass(frozen=True)
class PlanEstimate:
    """What a plan costs on a machine."""

    device: str
    costs: tuple[Cost, ...]

    @property
    def hours(self) -> float:
        """Of all runs, one after the other."""
        return sum(cost.hours for cost in self.costs)

    @property
    def disk_bytes(self) -> int:
        """What is written in all, with the autosave of one run."""
        kept = sum(cost.runs * cost.disk_bytes for cost in self.costs)
        return kept + max((cost.working_bytes for cost in self.costs if cost.runs), default=0)

    def seconds_of(self, name: str) -> float:
        """Return the seconds of a run of this kind; 1 where it was not measured."""
        return next((max(cost.seconds, 1e-3) for cost in self.costs if cost.name == name), 1.0)

    def text(self) -> str:
        """Return a table for the terminal."""
        width = max([len("runs of"), *(len(cost.name) for cost in self.costs)]) + 2
        lines = [f"{'runs of':<{width}}{'runs':>6}{'steps each':>12}{'each takes':>17}{'hours':>11}"]
        for cost in self.costs:
            lines.append(
                f"{cost.name:<{width}}{cost.runs:>6}{cost.steps:>12}{duration(cost.seconds):>17}{cost.hours:>11.2f}"
            )
        total = f"{counted(sum(cost.runs for cost in self.costs), 'run')}, {duration(self.hours * 3600)}"
        disk = f"{bytes_in_words(self.disk_bytes)} on disk"
        return "\n".join([*lines, f"{total} one after the other, {disk}. Measured on {self.device}."])


def kind_of(run: PlannedRun) -> str:
    """Return the kind of a run, whose members cost the same: a data set with a network."""
    return f"{run.data.key}, {run.network.model}"


def estimate(
    plan: Plan,
    sources: Sources,
    missing: Sequence[PlannedRun],
    makings: Sequence[PlannedMaking] = (),
    device: str = "auto",
    opened: dict[str, ComparisonData[Any]] | None = None,
) -> Iterator[float | PlanEstimate]:
    """Measure a step of each network and multiply.

    Parameters
    ----------
    plan
        Says what the runs are.
    sources
        Where data are; where they are not, the plan says how many planes there are.
    missing, makings
        Runs and pretrainings still to do.
    device
        Where networks run.
    opened
        Data that are gathered already, by their key.

    Yields
    ------
    float or PlanEstimate
        How much is measured, in [0, 1]; at last the estimate.

    Raises
    ------
    UserError
        When data are not here and the plan does not say how many planes they have.

    """
    kinds = {kind_of(run): run for run in missing}
    costs, used = [], choose_device(plan.settings_of(plan.data[0], device=device))
    measured: dict[tuple[str, str], _Speed] = {}
    for number, (name, run) in enumerate(kinds.items()):
        settings = plan.settings_of(run.data, device=device)
        planes, shape = _planes(run.data, sources, settings, opened or {})
        speed_key = (run.network.model, settings.task)
        if speed_key not in measured:
            measured[speed_key] = _speed_of(run.network, settings, used, shape)
        count = sum(kind_of(one) == name for one in missing)
        costs.append(_cost(name, count, plan, settings, planes, shape, measured[speed_key]))
        yield (number + 1) / (len(kinds) + len(makings))
    steps: dict[str, float] = {}
    for number, making in enumerate(makings):
        costs.append(_making_cost(plan, making, device, steps))
        yield (len(kinds) + number + 1) / (len(kinds) + len(makings))
    yield PlanEstimate(used.label, tuple(costs))


@dataclass(frozen=True)
class _Speed:
    """How fast a network is."""

    step_seconds: float
    plane_seconds: float
    """Of scoring one plane."""
    parameters: int


def _cost(
    name: str,
    runs: int,
    plan: Plan,
    settings: CompareSettings,
    planes: tuple[int, int, int],
    shape: tuple[int, int],
    speed: _Speed,
) -> Cost:
    schedule = schedule_of(settings, planes[0])
    scored = len(schedule) * (planes[1] + planes[2])  # at most: the test only where the validation found better weights
    pixels = plan.panels * shape[0] * shape[1]
    return Cost(
        name, runs, schedule[-1], schedule[-1] * speed.step_seconds + scored * speed.plane_seconds,
        pixels * _PANEL_BYTES_A_PIXEL + 500 * len(schedule), _FLOATS_OF_AUTOSAVE * _BYTES * speed.parameters,
    )  # fmt: skip


def _planes(
    data: PlannedData, sources: Sources, settings: CompareSettings, opened: dict[str, ComparisonData[Any]]
) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """How many planes are for training, validation and test, and the size of a plane."""
    found = opened.get(data.key)
    if found is not None:
        first = found.pool[0].image.plane_shape
        return (found.train_count, len(found.validation), len(found.test)), first
    if data.planes is None:
        raise UserError(
            f"The data set {data.key} is not in '{sources.images(data)}', and the plan does not say how many planes it "
            "has. Give the folder of the data (--data), or add 'planes' to the plan."
        )
    edge = settings.patch if not task_of(settings.task).gives_labels else max(settings.patch, 512)
    return data.planes, (edge, edge)


def _speed_of(network: PlannedNetwork, settings: CompareSettings, device: Device, shape: tuple[int, int]) -> _Speed:
    """Time steps and the scoring of a plane. On a CPU one patch is timed: a batch takes as many times as long."""
    together = settings.batch_size if device.torch_device.type == "cuda" else 1
    recipe = recipe_of(settings, 1, 0)
    learner, data = _timed_learner(network, settings, device, shape)
    batch = training_of(recipe, with_targets=True).patches(data, recipe).batch(0, 1)
    images, targets = (side.repeat(together, *[1] * (side.ndim - 1)) for side in batch)
    batch = images, targets
    learner.train_step(batch, 0.5)
    step = _seconds(lambda: learner.train_step(batch, 0.5), device, _TIMED_STEPS)
    plane = _seconds(lambda: learner.score(data.test), device, 1)
    parameters = sum(weights.numel() for weights in learner.network.parameters())
    return _Speed(step * settings.batch_size / together, plane, parameters)


def _timed_learner(
    network: PlannedNetwork, settings: CompareSettings, device: Device, shape: tuple[int, int]
) -> tuple[FineTuner, TrainingData]:
    """A learner of noise."""
    task = task_of(settings.task)
    image = np.random.default_rng(0).random(shape, np.float32)
    target = (image > 0.5).astype(np.uint8) + 1 if task.gives_labels else image
    plane = LabelledPlane(image, target)
    values = (1,) if task.gives_labels else ()
    data = TrainingData([plane], [], values, IntensityScaling(), None, "", "", test=[plane])
    recipe = recipe_of(settings, 1, 0)
    spec = NetworkSpec(
        name=network.generator,
        width=network.width,
        refine=network.refine,
        norm=network.norm,
        out_channels=task.out_channels(data.classes),
    )

    def card(_summary: TrainingSummary) -> Card:
        return Card(name="timed", task=settings.task, network=spec)

    return training_of(recipe, with_targets=True).learner(FinetuneContext(recipe, data, device, spec, None, card)), data


def _seconds(work: Callable[[], object], device: Device, times: int) -> float:
    """Seconds of one of several times."""
    _wait_for(device)
    mark = time.perf_counter()
    for _ in range(times):
        work()
    _wait_for(device)
    return (time.perf_counter() - mark) / times


def _wait_for(device: Device) -> None:
    if device.torch_device.type == "cuda":
        torch.cuda.synchronize(device.torch_device)


def _making_cost(plan: Plan, making: PlannedMaking, device: str, measured: dict[str, float]) -> Cost:
    """What the pretraining of a start costs, its images taken for single patches; `measured` holds seconds of steps."""
    settings = plan.pretrain_settings(making.network, making.start, device=device)
    steps = settings.steps or math.ceil((settings.epochs or 1) * (making.start.images or 1) / settings.batch_size)
    model = making.network.model
    if model not in measured:
        measured[model] = _gan_seconds(settings)
    step = measured[model]
    spec = NetworkSpec(
        name=making.network.generator,
        width=making.network.width,
        refine=making.network.refine,
        norm=making.network.norm,
    )
    weights = sum(tensor.numel() for tensor in network_of(spec).parameters())
    return Cost(making.name, 1, steps, steps * step, _BYTES * weights, _FLOATS_OF_AUTOSAVE * _BYTES * weights)


def _gan_seconds(settings: PretrainSettings) -> float:
    """Seconds of a step of the GAN."""
    device = choose_device(settings)
    on_gpu = device.torch_device.type == "cuda"
    together = settings.batch_size if on_gpu else min(settings.batch_size, _CPU_PATCHES)

    def card(_summary: TrainingSummary) -> Card:
        return Card(name="timed", task="reconstruct", network=NetworkSpec(name=settings.generator))

    learner = Pix2Pix(settings, device, torch.empty(0), card)
    batch = torch.rand(together, 1, settings.patch, settings.patch)
    for _ in range(_GPU_SETTLES if on_gpu else 1):
        learner.train_step(batch, 0.5)
    return _seconds(lambda: learner.train_step(batch, 0.5), device, _TIMED_STEPS) * settings.batch_size / together
