"""What there is to learn from: images with their targets, gathered, scaled and split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data.datasets import find_pairs, split_by_source
from ..data.layouts import find_task_pairs
from ..data.painting import hold_out, targets_from_masks
from ..data.patches import Annotated
from ..data.planes import Image, as_image
from ..data.scaling import IntensityScaling
from ..errors import UserError
from .earlier import Record, in_objects, known_points, record_objects, record_planes, whole_side
from .settings import FinetuneSettings

Source = NDArray[Any] | Path | str | Image

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
class Annotations:
    """Scaled planes with their targets, split into what is learnt from and what is held out."""

    training: Sequence[Annotated]
    validation: Sequence[Annotated]
    class_values: tuple[int, ...]
    """The value of each foreground class in dense masks, where 0 is background; core targets have one more."""
    scaling: IntensityScaling
    pixel_size_nm: tuple[float, float] | None
    summary: str
    no_validation: str
    """Why nothing is held out, as a sentence; empty when something is."""
    test: Sequence[Annotated] = ()
    """Restoration: pairs that are scored at the end."""
    upscale: int = 1
    """Restoration: how many times finer the targets' grid is."""
    sample: NDArray[Any] | None = None
    """The first plane as it was recorded, ``(h, w)``; None: only the scaled ones are known."""
    split: Record = field(default_factory=dict)
    """Segmentation: what lies on which side, for runs that go on from this one."""
    supervision: Supervision | None = None
    """How noisy targets, NaN where nothing is asked, came about; None: the targets are clean, or labels."""

    @property
    def first(self) -> NDArray[np.float32]:
        """The first annotated plane, whole and scaled, ``(h, w)``."""
        return self.training[0].image

    @property
    def doubt(self) -> str:
        """What speaks against how is learnt, as a sentence; empty where nothing does."""
        return self.supervision.doubt if self.supervision else ""

    @property
    def classes(self) -> int:
        """Number of classes, background included."""
        return len(self.class_values) + 1


def gather(
    images: Source | Sequence[Source], targets: Source | Sequence[Source], settings: FinetuneSettings,
    scaling: IntensityScaling, earlier: Record | None = None,
) -> Annotations:  # fmt: skip
    """Open, check, scale and split what a model shall learn from.

    What was held out or learnt from in an `earlier` run, whose weights are gone on from, stays on its side.

    Raises
    ------
    UserError
        When images and targets do not pair up, or nothing is painted.

    """
    opened = open_pairs(images, targets)
    masks = [np.asarray(target.plane(index)) for _, target in opened for index in range(len(target))]
    zero = resolve_zero(settings.zero, opened[0][1])
    cores, values = targets_from_masks(masks, zero, settings.merge_classes)
    planes, owners = _scaled_planes([image for image, _ in opened], cores, scaling)
    if not planes:
        raise UserError("Nothing is painted in the targets. Paint one particle, then start again.")
    training, validation, split = _split(planes, owners, settings, earlier or {})
    return Annotations(
        training=tuple(training),
        validation=tuple(_crop(item) for item in validation),
        class_values=values if zero == "background" else tuple(value - 1 for value in values),
        scaling=scaling,
        pixel_size_nm=pixel_sizes([image for image, _ in opened]),
        summary=_summary(planes, len(opened), len(values)),
        no_validation="" if validation else _why_none(settings, bool(earlier)),
        split=split,
    )


def open_pairs(
    images: Source | Sequence[Source],
    targets: Source | Sequence[Source],
    task: str = "segment",
    factors: Sequence[int] = (1,),
) -> list[tuple[Image, Image]]:
    """Pair images with targets: two paths by file name, two lists (or arrays) in order; check that shapes agree.

    One folder as both, a data set of a known layout, gives the targets of the task; targets lie on a grid that is as
    fine as that of their images, or finer by one of `factors`.
    """
    if isinstance(images, Path | str) and isinstance(targets, Path | str):
        same = Path(images).is_dir() and Path(images).resolve() == Path(targets).resolve()
        found = find_task_pairs(Path(images), task) if same else find_pairs(Path(images), Path(targets))
        pairs: list[tuple[Any, Any]] = list(found.pairs)
    else:
        left, right = (as_list(side) for side in (images, targets))
        if len(left) != len(right):
            raise UserError(f"There are {len(left)} images but {len(right)} targets. Give one target for each image.")
        pairs = list(zip(left, right, strict=True))
    if not pairs:
        raise UserError("There is no image to learn from. Give at least one image with its target.")
    opened = [(as_image(image), as_image(target)) for image, target in pairs]
    for image, target in opened:
        _check_shapes(image, target, factors)
    return opened


def resolve_zero(zero: str, target: Image) -> Literal["background", "unpainted"]:
    """Return what 0 means: as asked for, or background in files and unpainted in arrays."""
    if zero == "background" or (zero == "auto" and target.path is not None):
        return "background"
    return "unpainted"


def as_list(side: Source | Sequence[Source]) -> list[Source]:
    """Return a list of one image, or of many."""
    if isinstance(side, Path | str | Image) or hasattr(side, "ndim"):
        return [side]  # type: ignore[list-item]
    return list(side)


def _check_shapes(image: Image, target: Image, factors: Sequence[int]) -> None:
    sizes = [(len(one), *one.plane_shape) for one in (image, target)]
    count, height, width = sizes[0]
    if sizes[1] not in [(count, height * fine, width * fine) for fine in factors]:
        shown = [" x ".join(map(str, size)) for size in sizes]
        raise UserError(
            f"Image '{image.name}' ({shown[0]}) and its target '{target.name}' ({shown[1]}) differ in size "
            f"(planes x height x width). Give a target on {_grids(factors)}."
        )


def _scaled_planes(
    images: Sequence[Image], cores: Sequence[NDArray[np.uint8]], scaling: IntensityScaling
) -> tuple[list[Annotated], list[str]]:
    """Scale the planes that carry paint; beside them the image each comes from."""
    planes, owners = [], []
    flat = [(image, index) for image in images for index in range(len(image))]
    for number, ((image, index), core) in enumerate(zip(flat, cores, strict=True)):
        if core.any():
            plane = image.plane(index)
            planes.append(Annotated(scaling.fit(plane).to_unit(plane), core))
            owners.append(str(image.path or number))
    return planes, owners


def _split(
    planes: list[Annotated], owners: list[str], settings: FinetuneSettings, earlier: Record
) -> tuple[list[Annotated], list[Annotated], Record]:
    """Hold out whole images where there are five, else whole painted objects, else nothing; and record it."""
    many = len(set(owners)) >= _ENOUGH_PLANES
    if settings.validation == 0:
        return planes, [], (record_planes if many else record_objects)(planes, [])
    if many and not in_objects(earlier, planes):
        sides = _split_images(planes, owners, settings, earlier)
        return (*sides, record_planes(*sides))
    known = [known_points(earlier, item) for item in planes]
    parts = hold_out([item.target for item in planes], settings.validation, settings.seed, known=known)
    if parts is None:
        return planes, [], record_objects(planes, [])
    training, validation = (
        [Annotated(item.image, target) for item, target in zip(planes, side, strict=True) if target.any()]
        for side in parts
    )
    return training, validation, record_objects(training, validation)


def _split_images(
    planes: list[Annotated], owners: list[str], settings: FinetuneSettings, earlier: Record
) -> tuple[list[Annotated], list[Annotated]]:
    """Hold out the images held out before, and others drawn by name that were not learnt from."""
    before = {owner: whole_side(earlier, item) for item, owner in zip(planes, owners, strict=True)}
    chosen = {owner for owner, held in before.items() if held}
    names = [Path(owner) for owner, held in before.items() if held is None]
    wanted = max(1, round(settings.validation * len(before))) - len(chosen)
    if names and wanted > 0:
        chosen |= {str(name) for name in split_by_source(names, wanted, settings.seed)[1]}
    sides: tuple[list[Annotated], list[Annotated]] = ([], [])
    for item, owner in zip(planes, owners, strict=True):
        sides[owner in chosen].append(item)
    return sides


def _crop(item: Annotated, margin: int = 96) -> Annotated:
    """Cut a plane down to what is painted and its surroundings, so that validation is quick."""
    rows, columns = np.nonzero(item.target)
    window = tuple(
        slice(max(0, int(index.min()) - margin) // 32 * 32, int(index.max()) + margin) for index in (rows, columns)
    )
    return Annotated(item.image[window], item.target[window])


def _grids(factors: Sequence[int]) -> str:
    """Say which grids a target may have."""
    names = ["the image's own grid" if factor == 1 else f"one {factor} times as fine" for factor in factors]
    return " or ".join(names)


def pixel_sizes(images: Sequence[Image]) -> tuple[float, float] | None:
    """Return the smallest and the largest pixel size, nm; None when no image is calibrated."""
    sizes = [image.pixel_size_nm for image in images if image.pixel_size_nm]
    return (min(sizes), max(sizes)) if sizes else None


def _summary(planes: Sequence[Annotated], images: int, classes: int) -> str:
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
            "No validation: nearly all that is painted has been learnt from before, so it cannot judge. The last "
            "weights are kept; paint a few new objects, or judge the preview by eye."
        )
    return (
        "No validation: fewer than 5 objects are painted, too few to hold some out. The last weights are kept; "
        "judge the preview by eye."
    )
