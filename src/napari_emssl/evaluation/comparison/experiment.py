"""What the runs of a comparison have in common: settings, images, and at which steps they are scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...data.patches.labelled import LabelledPatches
from ...jobs.compare_settings import DEFAULT_STEPS, CompareSettings
from ...jobs.devices import Device
from ...jobs.events import Control
from ...jobs.settings import FinetuneSettings, RecipeSettings
from ...models.model_file import Card
from ...models.tasks import task_of
from ...training.finetuning.base_learner import FinetuneContext
from ...training.finetuning.task_training import scaling_of, training_of
from ...training.learner import TrainingSummary
from .candidates import Candidate, network_label
from .data import ComparisonData
from .results import ResultRow
from .run import Evaluation, ScoredLearner, score_steps, train_and_score


@dataclass(frozen=True)
class CandidateRun:
    """A candidate with a seed."""

    candidate: Candidate
    seed: int

    def row(self, scored: Evaluation, epoch: float | None) -> ResultRow:
        """Return what is kept of a step that was scored, and perhaps of an epoch."""
        one, network = self.candidate, network_label(self.candidate.network)
        return ResultRow(
            one.label, one.kind, network, self.seed, scored.step, scored.seconds, scored.loss, scored.scores, epoch
        )


@dataclass(frozen=True)
class Experiment:
    """Fine-tunings that differ in their start and seed alone."""

    settings: CompareSettings
    data: ComparisonData[Any]

    def learner(self, run: CandidateRun, device: Device, shown: int = 0) -> tuple[ScoredLearner, LabelledPatches]:
        """Build what learns in a run, and what it learns from.

        Parameters
        ----------
        run
            Start and seed.
        device
            Where the network runs.
        shown
            How many of the test planes predictions are kept of.

        """
        start, recipe = run.candidate.start, self.recipe(run.seed)
        training = training_of(recipe, with_targets=True)
        sample = self.data.sample(run.seed, scaling_of(start, recipe))
        channels = task_of(recipe.task).out_channels(sample.classes, sample.upscale)
        network = run.candidate.network.for_output(channels)

        def card(_summary: TrainingSummary) -> Card:
            return Card(name=run.candidate.label, task=recipe.task, network=network)

        learner = training.learner(FinetuneContext(recipe, sample, device, network, start, card))
        return ScoredLearner(learner, shown), training.patches(sample, recipe)

    def evaluations(self, run: CandidateRun, device: Device, control: Control) -> Iterator[Evaluation]:
        """Fine-tune one start with one seed, by what fine-tuning takes, and score it.

        Parameters
        ----------
        run
            Start and seed.
        device
            Where the network runs.
        control
            Stops and pauses the run.

        """
        return train_and_score(*self.learner(run, device), self.schedule, control)

    @property
    def epoch_steps(self) -> int:
        """Steps in one pass over the training images of a run."""
        return self.settings.epoch_steps(self.data.train_count)

    @property
    def schedule(self) -> list[int]:
        """Steps at which runs are scored; the last one ends them."""
        return schedule_of(self.settings, self.data.train_count)

    def epoch_of(self, step: int) -> float | None:
        """Return the passes over the training images up to a step; None where runs do not count them."""
        return step / self.epoch_steps if self.settings.counts_epochs else None

    def recipe(self, seed: int) -> FinetuneSettings:
        """Return the settings of fine-tuning that all starts share."""
        return recipe_of(self.settings, self.schedule[-1], seed)


def schedule_of(settings: CompareSettings, train_count: int) -> list[int]:
    """Return at which steps runs are scored that learn from this many planes; the last one ends them."""
    if not settings.counts_epochs:
        return score_steps(settings.steps or DEFAULT_STEPS, settings.evaluations)
    last, every = settings.epochs or 1, settings.validation_epochs
    epochs = [*range(0, last, every), last] if every else score_steps(last, settings.evaluations)
    return [epoch * settings.epoch_steps(train_count) for epoch in epochs]


def recipe_of(settings: CompareSettings, steps: int, seed: int) -> FinetuneSettings:
    """Return the settings of fine-tuning that all starts of a comparison share.

    Parameters
    ----------
    settings
        Of the comparison.
    steps
        Of a run.
    seed
        Of a run.

    """
    shared = {name: getattr(settings, name) for name in RecipeSettings.model_fields}
    own = {"validation": settings.validation, "test": 0.0, "seed": seed, "steps": steps, "workers": settings.workers}
    return FinetuneSettings(**shared | own)
