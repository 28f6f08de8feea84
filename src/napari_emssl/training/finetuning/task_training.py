"""How each task is trained: what is gathered, which patches are cut, which learner takes them, what the card records.

One class for each way of learning, found by `training_of`; nothing else in this room asks which task it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ...data.datasets.image_pairs import ImageSources
from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.epoch_patches import EpochPatches
from ...data.patches.labelled import LabelledPatches
from ...data.patches.masked_pixels import HiddenPatches
from ...data.patches.painted_patches import PaintedPatches
from ...data.patches.paired_patches import PairPatches
from ...jobs.settings import FinetuneSettings, RecipeSettings
from ...models.heads import new_classes, with_classes, without_context
from ...models.model_file import ClassInfo, Model
from ...models.tasks import task_of
from .base_learner import FinetuneContext, FineTuner
from .labelled_data import Assumed, TrainingData, gather
from .learners import NoiseLearner, Restorer, Segmenter
from .noisy_data import gather_noisy
from .paired_data import gather_pairs
from .split_record import KEY, recorded


class TaskTraining(ABC):
    """One way of learning a task."""

    @abstractmethod
    def gather(
        self,
        images: ImageSources,
        targets: ImageSources | None,
        settings: FinetuneSettings,
        start: Model | None,
        split: Path | None,
    ) -> TrainingData:
        """Open, scale and split what there is to learn from.

        Parameters
        ----------
        images, targets
            As for `finetune`.
        settings
            Of the fine-tuning.
        start
            What the weights begin with; planes are scaled as its card says.
        split
            A file that says which planes are in which part.

        Raises
        ------
        UserError
            When images and targets do not pair up, or there is nothing to learn from.

        """

    @abstractmethod
    def patches(self, data: TrainingData, settings: FinetuneSettings) -> LabelledPatches:
        """Return the batches that are learnt from."""

    @abstractmethod
    def learner(self, context: FinetuneContext) -> FineTuner:
        """Build the network, with the weights of the start that fit, and its learner."""

    def lr_factor(self, start: Model, settings: FinetuneSettings) -> float:
        """Return the share of the learning rate that is taken with a start."""
        return 1.0

    def adapted(self, start: Model, names: Sequence[str]) -> Model:
        """Return a start as it is learnt from, for foreground classes of these names."""
        return without_context(start)

    def new_classes(self, start: Model, names: Sequence[str]) -> list[str]:
        """Return the classes that are new to a start which knows others of them."""
        return []

    def classes(self, data: TrainingData, names: Sequence[str]) -> tuple[ClassInfo, ...]:
        """Return the classes on the card, background first; none where results are intensities."""
        return ()

    def facts(self, data: TrainingData) -> dict[str, object]:
        """Return what the card records of the data beside their summary."""
        return {}


class SupervisedSegmentation(TaskTraining):
    """Classes of pixels, from images that are painted.

    Parameters
    ----------
    assumed
        For each plane which background nobody has painted, see `labelled_data.gather`.
    names
        What the classes are called, in the order of their values; empty: they have no names.

    """

    def __init__(self, assumed: Assumed = None, names: Sequence[str] = ()) -> None:
        self._assumed, self._names = assumed, names

    def gather(
        self,
        images: ImageSources,
        targets: ImageSources | None,
        settings: FinetuneSettings,
        start: Model | None,
        split: Path | None,
    ) -> TrainingData:
        """Collect the painted planes; what an earlier run held out stays held out.

        Parameters
        ----------
        images, targets, settings, start, split
            As for `TaskTraining.gather`.

        """
        assert targets is not None, "`training_of` takes this way only where there are targets"
        earlier = recorded(start.card if start else None)
        scaling = scaling_of(start, settings)
        return gather(images, targets, settings, scaling, earlier, self._assumed, split, self._names)

    def patches(self, data: TrainingData, settings: FinetuneSettings) -> LabelledPatches:
        """Cut around painted pixels, or inside one plane after the other."""
        if settings.sampling == "epochs":
            return EpochPatches(data.training, settings.patch, settings.seed, settings.augment, visits=settings.visits)
        return PaintedPatches(data.training, settings.patch, settings.seed, settings.augment)

    def learner(self, context: FinetuneContext) -> Segmenter:
        """Return a learner of labels."""
        return Segmenter(context)

    def lr_factor(self, start: Model, settings: FinetuneSettings) -> float:
        """Train gently where the start segments already, so that it loses nothing at first."""
        return settings.warm_rate if task_of(start.card.task).gives_labels else 1.0

    def adapted(self, start: Model, names: Sequence[str]) -> Model:
        """Bring the start to these classes."""
        return with_classes(start, names)

    def new_classes(self, start: Model, names: Sequence[str]) -> list[str]:
        """Return the classes that the start does not know, unless it knows none of them."""
        new = new_classes(start, names)
        return new if len(new) < len(names) else []

    def classes(self, data: TrainingData, names: Sequence[str]) -> tuple[ClassInfo, ...]:
        """Return background and the painted classes with their values in dense masks."""
        painted = zip(names, data.class_values, strict=True)
        return (ClassInfo(name="background"), *(ClassInfo(name=name, target_value=value) for name, value in painted))

    def facts(self, data: TrainingData) -> dict[str, object]:
        """Return which objects or planes were held out, for runs that start from this model."""
        return {KEY: data.split} if data.split else {}


class SupervisedRestoration(TaskTraining):
    """Intensities of pixels, from pairs of images and what they should have been."""

    def gather(
        self,
        images: ImageSources,
        targets: ImageSources | None,
        settings: FinetuneSettings,
        start: Model | None,
        split: Path | None,
    ) -> TrainingData:
        """Collect the pairs; planes are read when they are needed.

        Parameters
        ----------
        images, targets, settings, start, split
            As for `TaskTraining.gather`.

        """
        assert targets is not None, "`training_of` takes this way only where there are targets"
        return gather_pairs(images, targets, settings, scaling_of(start, settings), split)

    def patches(self, data: TrainingData, settings: FinetuneSettings) -> LabelledPatches:
        """Cut the same places of image and target."""
        if settings.sampling == "epochs":
            return EpochPatches(
                data.training, settings.patch, settings.seed, settings.augment, data.upscale, settings.visits
            )
        shared_zero = task_of(settings.task).keeps_background
        return PairPatches(data.training, settings.patch, settings.seed, settings.augment, data.upscale, shared_zero)

    def learner(self, context: FinetuneContext) -> Restorer:
        """Return a learner of clean intensities."""
        return Restorer(context)


class SelfSupervisedDenoising(TaskTraining):
    """Clean intensities, from noisy images alone: from neighbouring frames or from pixels that are hidden."""

    def gather(
        self,
        images: ImageSources,
        targets: ImageSources | None,
        settings: FinetuneSettings,
        start: Model | None,
        split: Path | None,
    ) -> TrainingData:
        """Find out what the images can teach.

        Parameters
        ----------
        images, settings, start, split
            As for `TaskTraining.gather`.
        targets
            Not used: there are none.

        Raises
        ------
        UserError
            When the task needs targets.

        """
        return gather_noisy(images, settings, scaling_of(start, settings), split)

    def patches(self, data: TrainingData, settings: FinetuneSettings) -> PairPatches:
        """Cut frames and what their neighbours show, or planes with hidden pixels."""
        planes, shape = data.training, (settings.patch, settings.seed, settings.augment)
        if data.supervision and data.supervision.method == "blind-spot":
            return HiddenPatches(planes, *shape, data.supervision.reach_px)
        return PairPatches(planes, *shape)

    def learner(self, context: FinetuneContext) -> NoiseLearner:
        """Return a learner that is validated by its loss alone."""
        return NoiseLearner(context)

    def facts(self, data: TrainingData) -> dict[str, object]:
        """Return how it was learnt and what was measured for that choice."""
        assert data.supervision is not None
        return {"supervision": data.supervision.method, **data.supervision.found}


def training_of(
    settings: FinetuneSettings, with_targets: bool, assumed: Assumed = None, names: Sequence[str] = ()
) -> TaskTraining:
    """Return the way in which a task is learnt.

    Parameters
    ----------
    settings
        Of the fine-tuning.
    with_targets
        Whether there are targets, or the images alone.
    assumed
        Segmentation: for each plane which background nobody has painted.
    names
        Segmentation: what the classes are called, in the order of their values.

    """
    if not with_targets:
        return SelfSupervisedDenoising()
    return SupervisedSegmentation(assumed, names) if task_of(settings.task).gives_labels else SupervisedRestoration()


def scaling_of(start: Model | None, settings: RecipeSettings) -> IntensityScaling:
    """Return how planes are scaled: as those of the start, and with hot pixels repaired where that is asked for."""
    scaling = start.card.scaling if start else IntensityScaling()
    repair = settings.hot_pixels
    return scaling if repair is None else scaling.model_copy(update={"hot_pixels": repair})
