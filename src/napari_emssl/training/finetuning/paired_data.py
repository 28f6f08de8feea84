"""What restoration learns from: images with what they should have been, gathered, checked, scaled and split."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from ...data.datasets.image_pairs import ImageSources, open_pairs, pixel_sizes
from ...data.datasets.origins import origin_of
from ...data.datasets.splits import Split, make_split
from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.labelled import LabelledPlane
from ...data.patches.paired_patches import PairPlanes
from ...errors import UserError
from ...jobs.settings import FinetuneSettings
from ...models.tasks import task_of
from .labelled_data import TrainingData

_ENOUGH_SOURCES = 5
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


def gather_pairs(
    images: ImageSources, targets: ImageSources, settings: FinetuneSettings, scaling: IntensityScaling
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
    upscale = _common_factor(pairs)
    places = [(image, target, index) for image, target in pairs for index in range(len(image))]
    readers = [partial(_read, *place, settings, scaling) for place in places]
    split = _split(places, readers, settings, upscale)
    return TrainingData(
        training=PairPlanes(split.training),
        validation=PairPlanes(split.validation),
        test=PairPlanes(split.test),
        class_values=(),
        scaling=scaling,
        pixel_size_nm=pixel_sizes([image for image, _ in pairs]),
        summary=_summary(pairs, split, upscale),
        no_validation=split.no_validation,
        upscale=upscale,
        sample=places[0][0].plane(places[0][2]),
    )


def _common_factor(pairs: Sequence[tuple[Image, Image]]) -> int:
    factors = {target.plane_shape[0] // image.plane_shape[0]: image for image, target in pairs}
    if len(factors) > 1:
        names = " and ".join(f"'{image.name}' ({factor}x)" for factor, image in sorted(factors.items()))
        raise UserError(f"Targets are finer than their images by different factors: {names}. Train one model for each.")
    return next(iter(factors))


def _read(
    image: Image, target: Image, index: int, settings: FinetuneSettings, scaling: IntensityScaling
) -> LabelledPlane:
    """Scale a pair: the image as it will be in use, the target to what the network should return for it."""
    plane, clean = image.plane(index), target.plane(index)
    levels, own = scaling.fit(plane), scaling.fit(clean)
    wanted = own if settings.target_levels == "own" else task_of(settings.task).target_levels(levels, own)
    return LabelledPlane(levels.to_unit(plane), wanted.to_unit(clean, clip=False))


def _split(
    places: Sequence[tuple[Image, Image, int]], readers: Sequence[Reader], settings: FinetuneSettings, upscale: int
) -> PlaneSplit:
    """Divide pairs, given by image, target and index of the plane."""
    names = [str(image.path or number) + f" [{index}]" for number, (image, _, index) in enumerate(places)]
    sources = [origin_of(image.path) if image.path else image.name for image, _, _ in places]
    if len(set(sources)) >= _ENOUGH_SOURCES:
        split = split_by_shares(names, sources, settings.validation, settings.test, settings.seed)
        parts = ([readers[n] for n in part] for part in (split.training, split.validation, split.test))
        why_none = "" if split.validation else "No validation, as asked for: the last weights are kept."
        return PlaneSplit(next(parts), next(parts), next(parts), why_none)
    if settings.test:
        raise UserError(f"A test needs images of at least {_ENOUGH_SOURCES} sources. Leave out --test, or give more.")
    lowest = min(image.plane_shape[0] for image, _, _ in places)
    return split_rows(readers, lowest, settings.validation, upscale)


def split_by_shares(names: Sequence[str], sources: Sequence[str], validation: float, test: float, seed: int) -> Split:
    """Hold out shares, rounded up, first for the test; 0.15 and 0.15 are the paper's 2155 and 1832 of 14 364.

    Parameters
    ----------
    names
        Of the planes.
    sources
        What each plane was cut from: planes of one source stay together.
    validation, test
        Shares, in [0, 1); that of the validation is taken of what the test leaves.
    seed
        Draws the sources.

    """
    tested = math.ceil(round(test * len(names), 6))
    validated = math.ceil(round(validation * (len(names) - tested), 6))
    return make_split(names, sources, validated, tested, None, seed)


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
    held = f", {len(split.validation)} held out" if split.validation else ""
    tested = f", {len(split.test)} for the test" if split.test else ""
    named = f"the first '{first.name}' with '{target.name}'"
    return f"Learning from {count} {'pair' if count == 1 else 'pairs'} of planes{held}{tested}; {named}{grid}."
