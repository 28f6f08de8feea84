"""A restoration as the page Restore asks for it: which layers it learns from. No Qt, no viewer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from .... import worker_jobs
from ....data.datasets.pair_check import PairCheck, check_images, factor_of, plane_of, size_trouble
from ....data.images.image import Image
from ....errors import UserError
from ....jobs.events import Job
from ....jobs.settings import FinetuneSettings, TrainTask
from ....jobs.worker import client
from ....models.model_file import Model
from ....models.tasks import task_of
from ...job.request import RunOptions
from ...layers.layers import Index, LayerSnapshot, own_notes, snapshot_of

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

RestoreTask = Literal["denoise", "remove-background", "super-resolve"]
LayerPair = tuple["ImageLayer | None", "ImageLayer | None"]
"""An image layer and its clean image, as they are picked."""
_NO_IMAGE = "There is no image layer. Open an image, or choose File > Open Sample > EM SSL for electron micrographs."

_SAME_SCALE = 0.02


@dataclass(frozen=True)
class Pair:
    """An image layer and the layer of what it should have been, not yet read."""

    image: LayerSnapshot
    target: LayerSnapshot | None
    """None where the image teaches itself."""
    separate: bool = False
    """Whether its planes are images in their own right, not frames or slices of one object."""
    doubt: str = ""
    """What is odd about how the layers are placed in the viewer."""
    one_of_stack: bool = False
    """Whether the clean image is a single one of a stack, whose plane is found by its pixels."""

    @cached_property
    def own_plane(self) -> Index | None:
        """Index of the plane that a single clean image is of; None where planes pair one by one. Reads pixels."""
        if not self.one_of_stack or self.target is None:
            return None
        number = plane_of(self.image.image(), self.target.image())
        return tuple(int(i) for i in np.unravel_index(number, self.image.leading))

    def images(self) -> list[Image]:
        """Return the image as the job takes it: a stack, its planes one by one, or the plane with a clean image."""
        if self.own_plane is not None:
            return [self.image.image(self.own_plane)]
        return _images(self.image, self.separate)

    @property
    def factor(self) -> int:
        """How many times finer the clean image's grid is."""
        return factor_of(self.image.shape, self.target.shape) if self.target is not None else 1

    @property
    def names(self) -> str:
        """Both names, for messages."""
        return f"'{self.image.name}'" + (f" and '{self.target.name}'" if self.target is not None else "")

    def check(self) -> PairCheck:
        """Check the pixels and add what the layers' placement shows. Takes up to a few seconds."""
        if self.target is None:
            return PairCheck()
        found = check_images(self.image.image(self.own_plane), self.target.image())
        doubt = " ".join(filter(None, (found.doubt, self.doubt)))
        return replace(found, doubt=doubt)


@dataclass(frozen=True, eq=False)
class RestoreRequest:
    """Everything that a training on pairs of layers needs, see `TrainingRequest`."""

    settings: FinetuneSettings
    start_from: str | None
    """A model or generator of the zoo, or ``scratch``; None takes the recommended generator."""
    layer: "ImageLayer"
    """The first image, whose predictions are shown; to be found again, not to be read."""
    pairs: tuple[Pair, ...]
    unchecked: tuple[Pair, ...] = ()
    """Pairs whose pixels have not been checked yet."""
    notes: tuple[str, ...] = ()
    """What is odd about pairs, which stays on screen for the whole run."""

    @property
    def source(self) -> LayerSnapshot:
        """The first image as it was."""
        return self.pairs[0].image

    def images(self) -> list[Image]:
        """Return the images as the job takes them, read when it asks."""
        return [image for pair in self.pairs for image in pair.images()]

    def targets(self) -> list[Image] | None:
        """Return the clean images in the order of the images; None where there are none."""
        found = [image for pair in self.pairs if pair.target for image in _images(pair.target, pair.separate)]
        return found or None

    def start(self, options: RunOptions) -> Job[Model]:
        """Check the pairs that have not been checked, and make the job in its process; called in a worker thread.

        Parameters
        ----------
        options
            Name, autosave and resume of this run.

        Raises
        ------
        UserError
            When the layers of a pair do not show the same.

        """
        for pair in self.unchecked:
            check_pair(pair, pair.check())
        return client.run(
            worker_jobs.finetune, self.images(), self.targets(), self.settings, self.start_from,
            name=options.name, autosave=options.autosave, resume=options.resume,
        )  # fmt: skip


def _images(source: LayerSnapshot, separate: bool) -> list[Image]:
    """A stack as one image, or as one image per plane, so that whole planes can be held out."""
    if not separate:
        return [source.image()]
    return [replace(source.image(index), name=f"{source.name} {list(index)}") for index in source.indices()]


def restore_request(
    layers: Sequence[LayerPair],
    settings: FinetuneSettings,
    start_from: str | None = None,
    alone: bool = False,
    checks: Sequence[PairCheck | None] = (),
) -> RestoreRequest:
    """Read pairs of image layers off the viewer.

    Parameters
    ----------
    layers
        Pairs of an image layer and its clean image; either may be missing. The first image is the one whose
        predictions are shown.
    settings, start_from
        How the training goes, and from where; the task is one that restores.
    alone
        Whether the images teach themselves; clean images are passed over then.
    checks
        What is known about each pair, None where it has not been checked; by default nothing about any.

    Raises
    ------
    UserError
        When a layer is missing or paired with itself, when shapes do not fit each other or the task, or when a pair is
        known not to show the same.

    """
    pairs = tuple(pair_of(settings.task, image, None if alone else clean, alone) for image, clean in layers)
    image = layers[0][0] if layers else None
    if image is None:
        raise UserError(_NO_IMAGE)
    if len({pair.factor for pair in pairs}) > 1:
        raise UserError(
            "Some clean images are on a 2x finer grid and some are not. Train one model for each kind of pair."
        )
    notes, unchecked = [], []
    for pair, check in zip(pairs, checks or [None] * len(pairs), strict=True):
        if check is None:
            unchecked.append(pair)
        else:
            check_pair(pair, check)
            notes += [f"{pair.names}: {check.doubt}"] if check.doubt else []
    return RestoreRequest(settings, start_from, image, pairs, tuple(unchecked), tuple(notes))


def pair_of(task: TrainTask, image: "ImageLayer | None", clean: "ImageLayer | None", alone: bool = False) -> Pair:
    """Resolve one pair of layers.

    Parameters
    ----------
    task
        What the model should do.
    image, clean
        The layers; either may be missing.
    alone
        Whether the image teaches itself, without a clean one.

    Raises
    ------
    UserError
        When a layer is missing or paired with itself, or shapes do not fit each other or the task.

    """
    if image is None:
        raise UserError(_NO_IMAGE)
    source, separate = snapshot_of(image), bool(own_notes(image).get("simulated"))
    if alone:
        return Pair(source, None, separate)
    if clean is None or clean == image:
        raise UserError(f"Choose the clean image of '{image.name}': a layer that shows the same field without noise.")
    target = snapshot_of(clean)
    single = len(_without_ones(source.leading)) > 0 and not _without_ones(target.leading)
    if not single and _without_ones(source.leading) != _without_ones(target.leading):
        raise UserError(
            f"'{source.name}' is {_size(source)} and '{target.name}' is {_size(target)}: "
            "each plane needs a clean one. Choose stacks with the same number of planes, or a single clean plane."
        )
    trouble = size_trouble(source.shape, target.shape, task_of(task).target_factors)
    if trouble:
        raise UserError(f"'{source.name}' and '{target.name}': {trouble}")
    return Pair(source, target, separate and not single, _placement_doubt(source, target), single)


def checks_of(pairs: Iterable[tuple[int, Pair]]) -> Iterator[tuple[int, PairCheck]]:
    """Look at the pixels of numbered pairs, one after the other, and yield what is found; takes up to seconds each."""
    for number, pair in pairs:
        try:
            yield number, pair.check()
        except Exception as error:  # whatever is wrong with a lazy layer is reported, and the others are checked
            yield number, PairCheck(trouble=f"The pair cannot be read: {error}")


def _placement_doubt(image: LayerSnapshot, target: LayerSnapshot) -> str:
    """Say when the layers' pixel sizes contradict their numbers of pixels."""
    factor = factor_of(image.shape, target.shape)
    sizes = [source.pixel_size_nm or float(source.placement["scale"][-1]) for source in (image, target)]
    if np.isclose(sizes[0], sizes[1] * factor, rtol=_SAME_SCALE):
        return ""
    if (image.pixel_size_nm is None) != (target.pixel_size_nm is None):
        return ""  # one of them has no unit: nothing to compare
    return (
        f"Pixel sizes {sizes[0]:.4g} and {sizes[1]:.4g} do not match the numbers of pixels: the layers do not cover "
        "each other, but are assumed to show the same field."
    )


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n > 1)


def _size(source: LayerSnapshot) -> str:
    return " x ".join(map(str, source.shape))


def check_pair(pair: Pair, check: PairCheck) -> None:
    """Raise `UserError` with what is wrong with a pair, if anything is."""
    if check.trouble:
        raise UserError(f"{pair.names}: {check.trouble}")
