"""What restoration learns from: images with what they should have been, gathered, checked, scaled and split."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import ImageSources, open_pairs, pixel_sizes
from ...data.datasets.pairing import origin_of
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
    parts, why_none = _split(places, readers, settings, upscale)
    return TrainingData(
        training=PairPlanes(parts[0]),
        validation=PairPlanes(parts[1]),
        test=PairPlanes(parts[2]),
        class_values=(),
        scaling=scaling,
        pixel_size_nm=pixel_sizes([image for image, _ in pairs]),
        summary=_summary(pairs, parts, upscale),
        no_validation="" if parts[1] else why_none,
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
    """Scale a pair: the image as it will be in use, the target to what the network shall return for it."""
    plane, clean = image.plane(index), target.plane(index)
    levels, own = scaling.fit(plane), scaling.fit(clean)
    wanted = own if settings.target_levels == "own" else task_of(settings.task).target_levels(levels, own)
    return LabelledPlane(levels.to_unit(plane), wanted.to_unit(clean, clip=False))


def _split(
    places: Sequence[tuple[Image, Image, int]], readers: Sequence[Reader], settings: FinetuneSettings, upscale: int
) -> tuple[tuple[Sequence[Reader], Sequence[Reader], Sequence[Reader]], str]:
    """Divide pairs into training, validation and test; beside them the reason if nothing is held out."""
    names = [str(image.path or number) + f" [{index}]" for number, (image, _, index) in enumerate(places)]
    sources = [origin_of(image.path) if image.path else image.name for image, _, _ in places]
    if len(set(sources)) >= _ENOUGH_SOURCES:
        split = split_by_shares(names, sources, settings.validation, settings.test, settings.seed)
        parts = ([readers[n] for n in part] for part in (split.training, split.validation, split.test))
        return (next(parts), next(parts), next(parts)), "No validation, as asked for: the last weights are kept."
    if settings.test:
        raise UserError(f"A test needs images of at least {_ENOUGH_SOURCES} sources. Leave out --test, or give more.")
    return strips(places, readers, settings.validation, upscale)


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


def strips(
    places: Sequence[tuple[Image, Image, int]], readers: Sequence[Reader], share: float, upscale: int
) -> tuple[tuple[Sequence[Reader], Sequence[Reader], Sequence[Reader]], str]:
    """Learn from the upper part of every plane and hold out the lower one.

    Parameters
    ----------
    places
        Image, target and index of every plane.
    readers
        For each place, what reads it.
    share
        Of the lowest plane's height that is held out.
    upscale
        How many times finer the grid of the targets is.

    Returns
    -------
    parts, why_none
        Readers for training, validation and test; and, where nothing is held out, a sentence that says why.

    """
    height = min(image.plane_shape[0] for image, _, _ in places)
    strip = round(share * height)
    if strip < _LEAST_STRIP_PX or height - strip < 2 * strip:
        asked = "as asked for" if share == 0 else f"the planes are too small to hold out {share:.0%} of each"
        return (readers, [], []), f"No validation: {asked}. The last weights are kept; judge the preview by eye."
    upper = [partial(_part, read, slice(None, -strip - _GAP_PX), upscale) for read in readers]
    lower = [partial(_part, read, slice(-strip, None), upscale) for read in readers]
    return (upper, lower, []), ""


def _part(read: Reader, rows: slice, upscale: int) -> LabelledPlane:
    pair = read()
    fine = slice(*(None if end is None else end * upscale for end in (rows.start, rows.stop)))
    return LabelledPlane(_copy(pair.image[rows]), _copy(pair.target[fine]))


def _copy(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """A part that does not keep the whole in memory."""
    return part.copy()


def _summary(pairs: Sequence[tuple[Image, Image]], parts: Sequence[Sequence[Reader]], upscale: int) -> str:
    count = sum(len(image) for image, _ in pairs)
    first, target = pairs[0]
    grid = f", targets on a grid {upscale} times as fine" if upscale > 1 else ""
    held = f", {len(parts[1])} held out" if parts[1] else ""
    tested = f", {len(parts[2])} for the test" if parts[2] else ""
    named = f"the first '{first.name}' with '{target.name}'"
    return f"Learning from {count} {'pair' if count == 1 else 'pairs'} of planes{held}{tested}; {named}{grid}."
