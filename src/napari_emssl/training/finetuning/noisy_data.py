"""What denoising learns from where there is no clean image: how a stack is examined, and what is made of it.

Frames that show the same scene are targets of one another (`data.patches.frame_pairs`); else pixels are hidden and
learnt from those around them (`data.patches.masked_pixels`). Either way the targets are noisy; NaN: not asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import ImageSources, as_list, pixel_sizes
from ...data.images.image import Image, notes_of
from ...data.images.intensity_scaling import IntensityScaling
from ...data.images.opening import open_images
from ...data.patches.frame_pairs import aligned, compare_frames, noisy_target
from ...data.patches.labelled import LabelledPlane
from ...data.patches.masked_pixels import hide, noise_reach
from ...data.patches.paired_patches import PairPlanes
from ...errors import UserError
from ...jobs.settings import FinetuneSettings
from ...models.tasks import task_of
from .labelled_data import Supervision, TrainingData
from .paired_data import Reader, split_rows

_T = TypeVar("_T")
_ALIKE = 0.5
"""Smallest share of the structure that neighbours must have in common."""
_SAME_NOISE = 0.2
"""Neighbours whose noise is the same by more than this teach a network to keep it."""
_GAPS = (1, 2, 3, 4)
"""How far apart neighbours may be: recordings repeat a frame or two, or average over them."""
_NEIGHBOURS = 1
"""Neighbours on either side that a frame's target is the mean of."""
_LOOKED_AT, _ALIGNED, _MEASURED = 6, 3, 4
"""Pairs that are compared, those of them that are aligned, and planes whose noise is measured."""
_MOST_FRAMES = 64
"""Frames learnt from, evenly spread: to align one takes as long as some steps of training."""
_MOST_HELD, _WIDEST_PX = 8, 512
"""Strips that are validated on, and their width: the noise of more is seldom worth the time."""


@dataclass(frozen=True)
class FramePosition:
    """One plane of an image."""

    image: Image
    index: int

    @property
    def plane(self) -> NDArray[np.generic]:
        """The plane as recorded."""
        return self.image.plane(self.index)


Film = list[FramePosition]
"""Planes in the order in which they were recorded."""


def gather_noisy(
    images: ImageSources, settings: FinetuneSettings, scaling: IntensityScaling, split: Path | None = None
) -> TrainingData:
    """Open images without clean targets, find out what can be learnt from them, and split.

    The lower part of every plane is held out, if it is high enough.

    Parameters
    ----------
    images
        Noisy images, as for `finetune`; stacks are taken for frames of one scene.
    settings
        How to learn, the share held out and the seed.
    scaling
        How planes are scaled for the network.
    split
        A file of parts, which needs targets.

    Returns
    -------
    TrainingData
        Its targets are noisy, too, and NaN where nothing is asked.

    Raises
    ------
    UserError
        When the task needs clean targets, or frames are asked for where there is only one.

    """
    _check(settings, split)
    opened = _open(images)
    films = list(_films(opened))
    supervision = choose_supervision(films, settings)
    if supervision.method == "frames":
        films = [film for film in films if len(film) > supervision.gap]
    places = [(film, number) for film in films for number in range(len(film))]
    if supervision.method == "frames" and len(places) > _MOST_FRAMES:
        places = [places[int(at)] for at in np.linspace(0, len(places) - 1, _MOST_FRAMES)]
    readers: list[Reader] = [partial(_read, *place, supervision, scaling) for place in places]
    positions = [film[number] for film, number in places]
    parts = split_rows(readers, min(one.image.plane_shape[0] for one in positions), settings.validation)
    return TrainingData(
        training=PairPlanes(parts.training),
        validation=PairPlanes(_held(parts.validation, supervision, settings.seed)),
        class_values=(),
        scaling=scaling,
        pixel_size_nm=pixel_sizes(opened),
        summary=_summary(len(positions), supervision),
        no_validation=parts.no_validation,
        sample=positions[0].plane,
        notes=notes_of(opened),
        supervision=supervision,
    )


def _check(settings: FinetuneSettings, split: Path | None) -> None:
    if not task_of(settings.task).learns_without_targets:
        raise UserError(
            f"The task {settings.task} needs targets. Give some, or choose denoise, which learns without clean images."
        )
    if settings.test or split:
        raise UserError("A test needs clean targets. Leave out --test (or pass --test 0) and --split, or give targets.")
    if settings.sampling == "epochs":
        raise UserError(
            "--sampling epochs needs clean targets, as the recipe paper does. Leave it out, or give targets."
        )


def _open(images: ImageSources) -> list[Image]:
    opened = [image for given in as_list(images) for image in open_images(given)]
    if not opened:
        raise UserError("There is no image to learn from. Give at least one.")
    return opened


def _films(images: Sequence[Image]) -> Iterator[Film]:
    """Stacks along their first axis; single planes of one size that follow one another are taken for a film, too."""
    for _, group in groupby(images, key=lambda image: (image.plane_shape, len(image) if len(image) > 1 else 0)):
        same = list(group)
        if len(same[0]) == 1:
            yield [FramePosition(image, 0) for image in same]
            continue
        for image in same:
            stride = int(np.prod(image.leading[1:], dtype=int))
            yield from (
                [FramePosition(image, index) for index in range(at, len(image), stride)] for at in range(stride)
            )


def choose_supervision(films: Sequence[Film], settings: FinetuneSettings) -> Supervision:
    """Choose how to learn, by what neighbouring frames have in common, or as asked for.

    Raises
    ------
    UserError
        When frames are asked for where there is only one.

    """
    if settings.supervision == "blind-spot":
        return _blind_spot(films, "as asked for")
    if max(len(film) for film in films) < 2:
        if settings.supervision == "frames":
            raise UserError("There is only one frame, which has no neighbour. Give a stack, or choose blind-spot.")
        return _blind_spot(films, "a single frame has no neighbour")
    return _by_frames(films, settings.supervision == "frames")


def _by_frames(films: Sequence[Film], asked: bool) -> Supervision:
    """Look at neighbours farther and farther apart until their noise is independent."""
    for gap in _GAPS:
        pairs = _spread([(film[n], film[n + gap]) for film in films for n in range(len(film) - gap)], _LOOKED_AT)
        if not pairs:
            break
        compared = [compare_frames(one.plane, other.plane) for one, other in pairs]
        structure, noise = (
            float(np.median([getattr(one, name) for one in compared])) for name in ("structure", "noise")
        )
        if structure < _ALIKE and gap == 1:
            trouble = f"neighbouring frames have {structure:.0%} of their structure in common"
            break
        if noise <= _SAME_NOISE and structure >= _ALIKE:
            drift = float(np.median([np.hypot(*one.shift_px) for one in compared]))
            return _frames(pairs, gap, drift, structure, noise)
        trouble = f"the noise of neighbouring frames is the same ({noise:.0%})"
    if not asked:
        return _blind_spot(films, trouble)
    doubt = f"Frames are used as asked for, but {trouble}: results may be blurred or keep noise."
    return Supervision("frames", f"Neighbouring frames are targets of one another, as asked for; {trouble}.",
                       found={"structure in common": structure, "noise in common": noise}, doubt=doubt)  # fmt: skip


def _frames(
    pairs: Sequence[tuple[FramePosition, FramePosition]], gap: int, drift: float, structure: float, noise: float
) -> Supervision:
    seen = [np.isfinite(aligned(one.plane, other.plane)).mean() for one, other in _spread(pairs, _ALIGNED)]
    used = float(np.mean(seen))
    which = "Neighbouring frames" if gap == 1 else f"Frames {gap} apart (nearer ones have noise in common)"
    why = (
        f"{which} are targets of one another: they have {structure:.0%} of their structure in common, drift by "
        f"{drift:.1f} px, their noise is independent, and {used:.0%} of the pixels are used; the others moved."
    )
    found = {"drift px": drift, "structure in common": structure, "noise in common": noise, "pixels used": used}
    return Supervision("frames", why, gap=gap, found=found)


def _blind_spot(films: Sequence[Film], because: str) -> Supervision:
    planes = _spread([place for film in films for place in film], _MEASURED)
    down, along = (int(np.median(side)) for side in zip(*(noise_reach(place.plane) for place in planes), strict=True))
    wide = f" Noise reaches over {down} px down and {along} px along the lines: these are hidden, too."
    why = f"Hidden pixels are learnt from those around them (blind-spot): {because}.{wide if down or along else ''}"
    found = {"noise reach down px": float(down), "noise reach along px": float(along)}
    return Supervision("blind-spot", why, reach_px=(down, along), found=found)


def _spread(items: Sequence[_T], most: int) -> list[_T]:
    """At most this many of some items, evenly spread."""
    return [items[int(at)] for at in np.unique(np.linspace(0, len(items) - 1, most).round())] if items else []


def _read(film: Film, number: int, supervision: Supervision, scaling: IntensityScaling) -> LabelledPlane:
    """Scale a plane as it will be in use; its target, in the same units, is itself or what its neighbours show."""
    plane = scaling.repaired(film[number].plane)
    levels = scaling.fit(plane)
    image = levels.to_unit(plane)
    if supervision.method == "blind-spot":
        return LabelledPlane(image, levels.to_unit(plane, clip=False))
    steps = [step * supervision.gap for step in range(-_NEIGHBOURS, _NEIGHBOURS + 1) if step]
    near = [film[number + step].plane for step in steps if 0 <= number + step < len(film)]
    target = noisy_target(plane, list(map(scaling.repaired, near)))
    unit = levels.to_unit(target, clip=False)
    return LabelledPlane(image, np.where(np.isfinite(target), unit, np.float32(np.nan)))


def _held(lower: Sequence[Reader], supervision: Supervision, seed: int) -> list[Reader]:
    """A few of the strips held out, narrowed, with the same pixels hidden whenever they are validated on."""
    return [partial(_strip, read, supervision, (seed, n)) for n, read in enumerate(_spread(lower, _MOST_HELD))]


def _strip(read: Reader, supervision: Supervision, seed: tuple[int, int]) -> LabelledPlane:
    pair = read()
    start = max(pair.image.shape[1] - _WIDEST_PX, 0) // 2
    image, target = (side[:, start : start + _WIDEST_PX].copy() for side in (pair.image, pair.target))
    if supervision.method == "blind-spot":
        image, target = hide(image, target, supervision.reach_px, np.random.default_rng(seed))
    return LabelledPlane(image, target)


def _summary(planes: int, supervision: Supervision) -> str:
    return f"Learning from {planes} noisy {'plane' if planes == 1 else 'planes'} without clean ones. {supervision.why}"
