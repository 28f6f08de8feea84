"""What segmentation learns from, gathered, scaled and split; and the form that the data of every task take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import ImageSources, open_pairs, pixel_sizes, resolve_zero
from ...data.datasets.origins import split_by_origin
from ...data.images.image import Image
from ...data.images.intensity_scaling import IntensityScaling
from ...data.labels.objects import Target
from ...data.labels.targets import hold_out, paint_rings, targets_from_masks
from ...data.patches.labelled import LabelledPlane
from ...errors import UserError
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
    """Restoration: pairs that are scored at the end."""
    upscale: int = 1
    """Restoration: how many times finer the targets' grid is."""
    sample: NDArray[np.generic] | None = None
    """The first plane as it was recorded, ``(h, w)``; None: only the scaled ones are known."""
    split: SplitRecord = field(default_factory=dict)
    """Segmentation: what lies on which side, for runs that start from the model of this one."""
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
    def classes(self) -> int:
        """Number of classes, background included."""
        return len(self.class_values) + 1


def gather(
    images: ImageSources,
    targets: ImageSources,
    settings: FinetuneSettings,
    scaling: IntensityScaling,
    earlier: SplitRecord | None = None,
    assumed: Assumed = None,
) -> TrainingData:
    """Open, check, scale and split painted images.

    Parameters
    ----------
    images, targets
        Images with core targets or dense masks, as for `finetune`.
    settings
        What 0 means, whether classes are merged, the share held out, and the seed that draws it.
    scaling
        How planes are scaled for the network.
    earlier
        What was held out and learnt from in runs that led to the start: it stays on its side.
    assumed
        For each plane of all images which background nobody has painted; ``rings`` makes rings around painted objects
        background where none is painted.

    Returns
    -------
    TrainingData
        Of the planes that are painted.

    Raises
    ------
    UserError
        When images and targets do not pair up, or nothing is painted.

    """
    opened = open_pairs(images, targets)
    zero = resolve_zero(settings.zero, opened[0][1])
    cores, values = targets_from_masks(
        _planes_of(target for _, target in opened), zero, settings.merge_classes, needs_background=assumed != "rings"
    )
    rings = _with_rings(cores) if assumed == "rings" else list(assumed or [None] * len(cores))
    planes = _painted_planes([image for image, _ in opened], cores, scaling, rings)
    if not planes:
        raise UserError("Nothing is painted in the targets. Paint one particle, then start again.")
    training, validation, split = _split(planes, settings, earlier or {})
    return TrainingData(
        training=training,
        validation=[_crop(plane) for plane in validation],
        class_values=values if zero == "background" else tuple(value - 1 for value in values),
        scaling=scaling,
        pixel_size_nm=pixel_sizes([image for image, _ in opened]),
        summary=_summary(planes, len(opened), len(values)),
        no_validation="" if validation else _why_none(settings, bool(earlier)),
        split=split,
    )


def _planes_of(images: Iterable[Image]) -> list[NDArray[np.generic]]:
    return [np.asarray(image.plane(index)) for image in images for index in range(len(image))]


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
    scaling: IntensityScaling,
    assumed: Sequence[NDArray[np.bool_] | None],
) -> list[LabelledPlane]:
    """Read and scale the planes that carry paint; `cores` and `assumed` are those of all planes of all images."""
    places = [(image, index) for image in images for index in range(len(image))]
    return [
        LabelledPlane(_scaled(image.plane(index), scaling), core, str(image.path or number), ring)
        for number, ((image, index), core, ring) in enumerate(zip(places, cores, assumed, strict=True))
        if core.any()
    ]


def _scaled(plane: NDArray[np.generic], scaling: IntensityScaling) -> NDArray[np.float32]:
    return scaling.fit(plane).to_unit(plane)


def _split(planes: Planes, settings: FinetuneSettings, earlier: SplitRecord) -> tuple[Planes, Planes, SplitRecord]:
    """Hold out whole images where there are five, else whole painted objects, else nothing; and record it."""
    many = len({plane.source for plane in planes}) >= _ENOUGH_PLANES
    if settings.validation == 0:
        return planes, [], (record_planes if many else record_objects)(planes, [])
    if many and not in_objects(earlier, planes):
        training, validation = _split_images(planes, settings, earlier)
        return training, validation, record_planes(training, validation)
    known = [known_points(earlier, plane) for plane in planes]
    parts = hold_out([plane.target for plane in planes], settings.validation, settings.seed, known=known)
    if parts is None:
        return planes, [], record_objects(planes, [])
    training, validation = (
        [replace(plane, target=target) for plane, target in zip(planes, side, strict=True) if target.any()]
        for side in parts
    )
    return training, validation, record_objects(training, validation)


def _split_images(planes: Planes, settings: FinetuneSettings, earlier: SplitRecord) -> tuple[Planes, Planes]:
    """Hold out the images held out before, and others drawn by name that were not learnt from."""
    before = {plane.source: whole_side(earlier, plane) for plane in planes}
    chosen = {source for source, held in before.items() if held}
    names = [Path(source) for source, held in before.items() if held is None]
    wanted = max(1, round(settings.validation * len(before))) - len(chosen)
    if names and wanted > 0:
        chosen |= {str(name) for name in split_by_origin(names, wanted, settings.seed)[1]}
    return [p for p in planes if p.source not in chosen], [p for p in planes if p.source in chosen]


def _crop(item: LabelledPlane, margin: int = 96) -> LabelledPlane:
    """Cut a plane down to what is painted and its surroundings, so that validation is quick."""
    rows, columns = np.nonzero(item.target)
    window = tuple(
        slice(max(0, int(index.min()) - margin) // 32 * 32, int(index.max()) + margin) for index in (rows, columns)
    )
    return LabelledPlane(item.image[window], item.target[window], item.source)


def _summary(planes: Sequence[LabelledPlane], images: int, classes: int) -> str:
    painted = sum(int(np.count_nonzero(item.target)) for item in planes)
    return (
        f"Learning {classes} {'class' if classes == 1 else 'classes'} from {painted} painted pixels "
        f"on {len(planes)} planes of {images} images."
    )


def _why_none(settings: FinetuneSettings, goes_on: bool) -> str:
    if settings.validation == 0:
        return "No validation, as asked for: the last weights are kept."
    if goes_on:
        return (
            "No validation: nearly all that is painted has been learnt from before, so nothing is left to validate on. "
            "The last weights are kept; paint a few new objects, or judge the preview by eye."
        )
    return (
        "No validation: fewer than 5 objects are painted, too few to hold some out. The last weights are kept; "
        "judge the preview by eye."
    )
