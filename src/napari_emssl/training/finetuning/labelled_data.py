"""What segmentation learns from, gathered, scaled and split; and the form that the data of every task take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import ImageSources, open_pairs, pair_notes, pixel_sizes, resolve_zero
from ...data.datasets.plane_origins import plane_origins, planes_are_images
from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.labels.mask_doubts import mask_doubts
from ...data.labels.objects import Target
from ...data.labels.targets import hold_out, paint_rings, targets_from_masks
from ...data.patches.labelled import LabelledPlane
from ...data.splits.division import Division, PlaneOrigin, SplitRules, divide
from ...data.splits.origins import split_by_origin
from ...errors import UserError
from ...formatting import counted
from ...jobs.settings import FinetuneSettings
from .split_record import SplitRecord, in_objects, known_points, record_objects, record_planes, whole_side

Planes = list[LabelledPlane]
Assumed = Sequence[NDArray[np.bool_] | None] | Literal["rings"] | None

_ENOUGH_PLANES = 5


@dataclass(frozen=True)
class Supervision:
    """How denoising learns where there is no clean image."""

    method: Literal["frames", "blind-spot"]
    why: str
    """What was chosen and what was found, as a sentence."""
    gap: int = 1
    """Frames: how far apart those are that are targets of one another."""
    reach_px: tuple[int, int] = (0, 0)
    """Blind-spot: how far noise is correlated, down and along the lines."""
    found: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by name."""
    doubt: str = ""
    """What speaks against what was asked for, as a sentence; empty where nothing does."""


_DIGESTED = 64
"""Planes of a side whose pixels count in a digest."""


@dataclass(frozen=True)
class TrainingData:
    """Scaled planes with their targets, split into what is learnt from and what is held out."""

    training: Sequence[LabelledPlane]
    validation: Sequence[LabelledPlane]
    class_values: tuple[int, ...]
    """The value of each foreground class in dense masks, where 0 is background; core targets have one more."""
    scaling: IntensityScaling
    pixel_size_nm: tuple[float, float] | None
    summary: str
    no_validation: str
    """Why nothing is held out, as a sentence; empty when something is."""
    test: Sequence[LabelledPlane] = ()
    """What is scored at the end and never learnt from."""
    upscale: int = 1
    """Restoration: how many times finer the targets' grid is."""
    sample: NDArray[np.generic] | None = None
    """The first plane as it was recorded, ``(h, w)``; None: only the scaled ones are known."""
    split: SplitRecord = field(default_factory=dict)
    """Segmentation: what lies on which side, for runs that start from the model of this one."""
    painted: Sequence[LabelledPlane] = ()
    """Segmentation: all planes that are learnt from or validated on, whole and with all that is painted on them."""
    notes: Sequence[str] = ()
    """Remarks on the files."""
    division: Division | None = None
    """How whole planes were divided, where more than a share for validation was asked for."""
    supervision: Supervision | None = None
    """How noisy targets, NaN where nothing is asked, came about; None: the targets are clean, or labels."""

    @property
    def first(self) -> NDArray[np.float32]:
        """The first painted plane, whole and scaled, ``(h, w)``."""
        return self.training[0].image

    @property
    def doubt(self) -> str:
        """What speaks against the way of learning, as a sentence; empty where nothing does."""
        return self.supervision.doubt if self.supervision else ""

    @property
    def much_is_labelled(self) -> bool:
        """Whether more than half of the planes is labelled, which says how large each class is; strokes do not."""
        labelled = sum(int(np.count_nonzero(plane.target)) for plane in self.painted)
        return 2 * labelled > sum(plane.target.size for plane in self.painted)

    @property
    def classes(self) -> int:
        """Number of classes, background included."""
        return len(self.class_values) + 1

    def digest(self) -> str:
        """Tell the pixels of images and targets from others, by some of them where there are many planes."""
        found = blake2b(digest_size=16)
        for side in (self.painted or self.training, self.validation, self.test):
            found.update(f"{len(side)} planes".encode())
            for number in np.unique(np.linspace(0, len(side) - 1, _DIGESTED).round().astype(int)) if side else ():
                found.update(np.ascontiguousarray(side[int(number)].image).tobytes())
                found.update(np.ascontiguousarray(side[int(number)].target).tobytes())
        return found.hexdigest()


def gather(
    images: ImageSources,
    targets: ImageSources,
    settings: FinetuneSettings,
    scaling: IntensityScaling,
    earlier: SplitRecord | None = None,
    assumed: Assumed = None,
    split: Path | None = None,
    names: Sequence[str] = (),
) -> TrainingData:
    """Open, check, scale and split painted images.

    Parameters
    ----------
    images, targets
        Images with core targets or dense masks, as for `finetune`.
    settings
        What 0 means, whether classes are merged, the shares held out, and the seed that draws them.
    scaling
        How planes are scaled for the network.
    earlier
        What was held out and learnt from in runs that led to the start: it stays on its side.
    assumed
        For each plane which background nobody has painted; ``rings`` makes rings background where none is painted.
    split
        A file that says which planes are in which part.
    names
        What the classes are called, in the order of their values; empty: they go by their values.

    Returns
    -------
    TrainingData

    Raises
    ------
    UserError
        When images and targets do not pair up, or nothing is painted.

    """
    opened = open_pairs(images, targets)
    zero, masks = resolve_zero(settings.zero, opened[0][1]), _planes_of(target for _, target in opened)
    cores, values = targets_from_masks(masks, zero, settings.merge_classes, needs_background=assumed != "rings")
    rings = _with_rings(cores) if assumed == "rings" else list(assumed or [None] * len(cores))
    shown = [image for image, _ in opened]
    planes, origins = _painted_planes(shown, cores, plane_origins(shown, settings.named_parts), scaling, rings)
    parts = _split(planes, origins, settings, earlier or {}, split_rules(settings, split))
    return TrainingData(
        training=parts.training,
        validation=[around_painted(plane) for plane in parts.validation],
        class_values=values if zero == "background" else tuple(value - 1 for value in values),
        scaling=scaling,
        pixel_size_nm=pixel_sizes(shown),
        summary=_summary(planes, len({(image.path, image.name) for image in shown}), names or values, parts),
        no_validation="" if parts.validation else _why_none(settings, bool(earlier)),
        test=parts.test,
        split=parts.record,
        painted=[*parts.training, *parts.validation] if parts.division else planes,
        division=parts.division,
        notes=[*pair_notes(opened), *(mask_doubts(masks, values) if _are_classes(zero, settings) else ())],
    )


def split_rules(settings: FinetuneSettings, split: Path | None) -> SplitRules:
    """Return how planes are to be divided by the settings, or by a file."""
    return SplitRules(settings.validation, settings.test, settings.split_by, settings.seed, split)


def _are_classes(zero: str, settings: FinetuneSettings) -> bool:
    """Whether targets are masks whose values are classes."""
    return zero == "background" and not settings.merge_classes


def _planes_of(images: Iterable[Image]) -> list[NDArray[np.generic]]:
    return [image.label_plane(index) for image in images for index in range(len(image))]


def _with_rings(cores: Sequence[Target]) -> list[NDArray[np.bool_] | None]:
    """Make rings around painted objects background, in place, unless background is painted; return the rings."""
    if any((core == 1).any() for core in cores):
        return [None] * len(cores)
    for core in cores:
        paint_rings(core)
    return [core == 1 for core in cores]


def _painted_planes(
    images: Sequence[Image],
    cores: Sequence[Target],
    origins: Sequence[PlaneOrigin],
    scaling: IntensityScaling,
    assumed: Sequence[NDArray[np.bool_] | None],
) -> tuple[Planes, list[PlaneOrigin]]:
    """Read and scale the planes that carry paint; `cores` and what follows are those of all planes of all images."""
    places = [(image, index, planes_are_images(image)) for image in images for index in range(len(image))]
    planes, kept = [], []
    for number, ((image, index, apart), core, origin, ring) in enumerate(
        zip(places, cores, origins, assumed, strict=True)
    ):
        if core.any():
            source = f"{image.path}#{index}" if apart else str(image.path or number)
            cut_from = origin.origin if image.path else source
            planes.append(LabelledPlane(scaling.scaled(image.plane(index)), core, source, ring, cut_from))
            kept.append(origin)
    if not planes:
        raise UserError("Nothing is painted in the targets. Paint one particle, then start again.")
    return planes, kept


class _Parts(NamedTuple):
    """Planes by the part they play."""

    training: Planes
    validation: Planes
    record: SplitRecord
    """For runs that start from the model of this one."""
    test: Sequence[LabelledPlane] = ()
    division: Division | None = None


def _split(
    planes: Planes, origins: Sequence[PlaneOrigin], settings: FinetuneSettings, earlier: SplitRecord, rules: SplitRules
) -> _Parts:
    """Hold out what the rules ask for; else whole images where there are five, else painted objects, else nothing."""
    if rules.apply_to(origins):
        return _divided(planes, divide(origins, rules), earlier)
    many = len({plane.source for plane in planes}) >= _ENOUGH_PLANES
    if settings.validation == 0:
        return _Parts(planes, [], (record_planes if many else record_objects)(planes, []))
    if many and not in_objects(earlier, planes):
        training, validation = _split_images(planes, settings, earlier)
        return _Parts(training, validation, record_planes(training, validation))
    known = [known_points(earlier, plane) for plane in planes]
    parts = hold_out([plane.target for plane in planes], settings.validation, settings.seed, known=known)
    if parts is None:
        return _Parts(planes, [], record_objects(planes, []))
    training, validation = (
        [replace(plane, target=target) for plane, target in zip(planes, side, strict=True) if target.any()]
        for side in parts
    )
    return _Parts(training, validation, record_objects(training, validation))


def _divided(planes: Planes, division: Division, earlier: SplitRecord) -> _Parts:
    """Give each plane, or copy, its part; what the start has learnt from is learnt from again, and judges nothing."""
    copies, split = division.copies, division.split
    items = [plane.turned(code) for plane in planes for code in range(copies)] if copies > 1 else planes
    learnt = {number for number, item in enumerate(items) if earlier and whole_side(earlier, item) is False}
    training = [items[number] for number in sorted({*split.training, *(learnt & {*split.validation, *split.test})})]
    validation, test = ([items[n] for n in part if n not in learnt] for part in (split.validation, split.test))
    return _Parts(training, validation, record_planes(training, validation, test), test, division)


def _split_images(planes: Planes, settings: FinetuneSettings, earlier: SplitRecord) -> tuple[Planes, Planes]:
    """Hold out the images held out before, and others drawn by name that were not learnt from."""
    before = {plane.source: whole_side(earlier, plane) for plane in planes}
    origin = {plane.source: plane.origin for plane in planes}
    chosen = {source for source, held in before.items() if held}
    names = [source for source, held in before.items() if held is None]
    wanted = max(1, round(settings.validation * len(before))) - len(chosen)
    if names and wanted > 0:
        chosen |= set(split_by_origin(names, wanted, settings.seed, origin.__getitem__)[1])
    return [p for p in planes if p.source not in chosen], [p for p in planes if p.source in chosen]


def around_painted(item: LabelledPlane, margin: int = 96) -> LabelledPlane:
    """Cut a plane down to what is painted and its surroundings, so that validation is quick."""
    rows, columns = np.nonzero(item.target)
    window = tuple(
        slice(max(0, int(index.min()) - margin) // 32 * 32, int(index.max()) + margin) for index in (rows, columns)
    )
    return LabelledPlane(item.image[window], item.target[window], item.source)


def _summary(planes: Sequence[LabelledPlane], images: int, named: Sequence[object], parts: _Parts) -> str:
    """Say what is learnt from what; of several classes their names or values."""
    classes = counted(len(named), "class", "classes")
    which = f" ({', '.join(map(str, named))})" if len(named) > 1 else ""
    painted = sum(int(np.count_nonzero(item.target)) for item in planes)
    return (
        f"Learning {classes}{which} from {counted(painted, 'painted pixel')} "
        f"on {counted(len(planes), 'plane')} of {counted(images, 'image')}{_shown_parts(parts)}."
    )


def _shown_parts(parts: _Parts) -> str:
    """Say how planes were divided, where that was asked for."""
    if parts.division is None:
        return ""
    copies = f" in {parts.division.copies} copies each" if parts.division.copies > 1 else ""
    counts = f"{len(parts.training)} to learn from, {len(parts.validation)} for validation, {len(parts.test)} to test"
    return f"{copies}: {counts}"


def _why_none(settings: FinetuneSettings, goes_on: bool) -> str:
    if settings.validation == 0:
        return "No validation, as asked for: the last weights are kept."
    if goes_on:
        return (
            "No validation: nearly everything painted has already been learnt from, so nothing is left to validate on. "
            "The last weights are kept; paint a few new objects, or judge the preview by eye."
        )
    return (
        "No validation: fewer than 5 objects are painted, too few to hold some out. The last weights are kept; "
        "judge the preview by eye."
    )
