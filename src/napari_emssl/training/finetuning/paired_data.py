"""What restoration learns from: images with what they should have been, gathered, checked, scaled and split."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ...data.datasets.image_pairs import ImageSources, open_pairs, pair_notes, pixel_sizes
from ...data.datasets.plane_origins import plane_origins
from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.labelled import LabelledPlane
from ...data.patches.paired_patches import PairPlanes
from ...data.splits.division import ENOUGH_ORIGINS, Division, PlaneOrigin, divide, split_by_shares
from ...errors import UserError
from ...jobs.settings import FinetuneSettings, RecipeSettings
from ...models.tasks import task_of
from .labelled_data import TrainingData, split_rules

_GAP_PX = 16
"""Pixels left unused between the part of a plane that is learnt from and the part held out."""
_LEAST_STRIP_PX = 32

Reader = Callable[[], LabelledPlane]
"""Reads and scales a plane with its target."""


class PlaneSplit(NamedTuple):
    """Planes with their targets, not read yet, by the part each plays."""

    training: Sequence[Reader]
    validation: Sequence[Reader] = ()
    test: Sequence[Reader] = ()
    no_validation: str = ""
    """Why there is no validation, as a sentence; empty where there is one."""
    division: Division | None = None
    """How whole planes were divided, where more than a share for validation was asked for."""


def gather_pairs(
    images: ImageSources,
    targets: ImageSources,
    settings: FinetuneSettings,
    scaling: IntensityScaling,
    split: Path | None = None,
) -> TrainingData:
    """Open, check and split pairs of images and clean targets; planes are read and scaled when they are needed.

    Whole sources are held out where there are five, else the lower part of every plane, if it is high enough.

    Parameters
    ----------
    images, targets
        Images with what they should have been, as for `finetune`.
    settings
        The task, the levels of targets, shares held out for validation and test, and the seed that draws them.
    scaling
        How planes are scaled for the network.
    split
        A file that says which planes are in which part.

    Returns
    -------
    TrainingData
        Of all pairs of planes.

    Raises
    ------
    UserError
        When images and targets do not pair up, or the sizes of some pairs are in another relation than those of others.

    """
    pairs = open_pairs(images, targets, settings.task, task_of(settings.task).target_factors)
    upscale = common_factor(pairs)
    places = [(image, target, index) for image, target in pairs for index in range(len(image))]
    readers = [partial(read_pair, *place, settings, scaling) for place in places]
    origins = plane_origins([image for image, _ in pairs], settings.named_parts)
    parts = _split(places, origins, readers, settings, upscale, split)
    return TrainingData(
        training=PairPlanes(parts.training),
        validation=PairPlanes(parts.validation),
        test=PairPlanes(parts.test),
        class_values=(),
        scaling=scaling,
        pixel_size_nm=pixel_sizes([image for image, _ in pairs]),
        summary=_summary(pairs, parts, upscale),
        no_validation=parts.no_validation,
        division=parts.division,
        notes=pair_notes(pairs),
        upscale=upscale,
        sample=places[0][0].plane(places[0][2]),
    )


def common_factor(pairs: Sequence[tuple[Image, Image]]) -> int:
    """Return how many times finer than images their targets are; raises `UserError` where that differs."""
    factors = {target.plane_shape[0] // image.plane_shape[0]: image for image, target in pairs}
    if len(factors) > 1:
        names = " and ".join(f"'{image.name}' ({factor}x)" for factor, image in sorted(factors.items()))
        raise UserError(f"Targets are finer than their images by different factors: {names}. Train one model for each.")
    return next(iter(factors))


def read_pair(
    image: Image, target: Image, index: int, settings: RecipeSettings, scaling: IntensityScaling
) -> LabelledPlane:
    """Scale a pair: the image as it will be in use, the target to what the network should return for it.

    Parameters
    ----------
    image, target
        Stacks of as many planes.
    index
        Of the plane.
    settings
        The task and the levels of targets.
    scaling
        How planes are scaled for the network.

    """
    plane, clean = scaling.repaired(image.plane(index)), target.plane(index)
    levels, own = scaling.fit(plane), scaling.fit(clean)
    wanted = own if settings.target_levels == "own" else task_of(settings.task).target_levels(levels, own)
    return LabelledPlane(levels.to_unit(plane), wanted.to_unit(clean, clip=False))


def _split(
    places: Sequence[tuple[Image, Image, int]],
    origins: Sequence[PlaneOrigin],
    readers: Sequence[Reader],
    settings: FinetuneSettings,
    upscale: int,
    file: Path | None,
) -> PlaneSplit:
    """Divide pairs, given by image, target and index of the plane."""
    rules = split_rules(settings, file)
    if rules.apply_to(origins):
        return _divided(readers, divide(origins, rules))
    sources = [
        origin.origin if image.path else image.name for origin, (image, _, _) in zip(origins, places, strict=True)
    ]
    if len(set(sources)) >= ENOUGH_ORIGINS:
        names = [origin.draw for origin in origins]
        split = split_by_shares(names, sources, settings.validation, 0.0, settings.seed)
        parts = ([readers[n] for n in part] for part in (split.training, split.validation, split.test))
        return PlaneSplit(next(parts), next(parts), next(parts), _why_none(split.validation))
    lowest = min(image.plane_shape[0] for image, _, _ in places)
    return split_rows(readers, lowest, settings.validation, upscale)


def _divided(readers: Sequence[Reader], division: Division) -> PlaneSplit:
    """Give each pair, or copy, its part."""
    copies, split = division.copies, division.split
    items = [partial(_turned, read, code) for read in readers for code in range(copies)] if copies > 1 else readers
    parts = ([items[n] for n in part] for part in (split.training, split.validation, split.test))
    return PlaneSplit(next(parts), next(parts), next(parts), _why_none(split.validation), division)


def _turned(read: Reader, code: int) -> LabelledPlane:
    return read().turned(code)


def _why_none(validation: Sequence[int]) -> str:
    return "" if validation else "No validation, as asked for: the last weights are kept."


def split_rows(readers: Sequence[Reader], height: int, share: float, upscale: int = 1) -> PlaneSplit:
    """Learn from the upper part of every plane and hold out the lower one.

    Parameters
    ----------
    readers
        Each reads a plane with its target.
    height
        Of the lowest plane, pixels.
    share
        Of `height` that is held out.
    upscale
        How many times finer the grid of the targets is.

    """
    strip = round(share * height)
    if strip < _LEAST_STRIP_PX or height - strip < 2 * strip:
        asked = "as asked for" if share == 0 else f"the planes are too small to hold out {share:.0%} of each"
        why_none = f"No validation: {asked}. The last weights are kept; judge the preview by eye."
        return PlaneSplit(readers, no_validation=why_none)
    upper = [partial(_part, read, slice(None, -strip - _GAP_PX), upscale) for read in readers]
    lower = [partial(_part, read, slice(-strip, None), upscale) for read in readers]
    return PlaneSplit(upper, lower)


def _part(read: Reader, rows: slice, upscale: int) -> LabelledPlane:
    pair = read()
    fine = slice(*(None if end is None else end * upscale for end in (rows.start, rows.stop)))
    return LabelledPlane(pair.image[rows].copy(), pair.target[fine].copy())  # a view would keep the whole in memory


def _summary(pairs: Sequence[tuple[Image, Image]], split: PlaneSplit, upscale: int) -> str:
    count = sum(len(image) for image, _ in pairs)
    first, target = pairs[0]
    grid = f", targets on a grid {upscale} times as fine" if upscale > 1 else ""
    held = f", {len(split.validation)} of them held out" if split.validation else ""
    tested = f", {len(split.test)} for the test" if split.test else ""
    named = f"the first '{first.name}' with '{target.name}'"
    return f"Learning from {count} {'pair' if count == 1 else 'pairs'} of planes{held}{tested}; {named}{grid}."
