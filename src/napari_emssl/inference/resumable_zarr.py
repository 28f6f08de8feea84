"""Results on disk that grow plane by plane, keep what is there when a run ends early, and can be resumed.

They are OME-Zarr and have their name from the start; how far they have come stands in their attributes. Imports no
torch.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..data.images.writers import create_zarr
from ..errors import UserError
from ..jobs.meter import Interval
from ..models.model_file import Card
from ..models.results import ResultLayout, result_shape
from .sinks import MOST_AXES, place_of

if TYPE_CHECKING:
    import zarr

_KEY = "napari_emssl"
_SECONDS_BETWEEN_FLUSHES = 1.0
_LENGTHS = ("angstrom", "picometer", "nanometer", "micrometer", "millimeter", "meter")
_TIMES = ("nanosecond", "microsecond", "millisecond", "second", "minute", "hour")


@dataclass(frozen=True)
class ZarrProgress:
    """What a result on disk says of how it was made and how far that has come."""

    model: str
    card: str
    """Checksum of the model's card, its name left out."""
    image: str
    shape: tuple[int, ...]
    """Of the result."""
    augmented: bool
    done: int = 0
    """Planes that are written, from the first on; the others are 0."""

    @property
    def planes(self) -> int:
        """Planes in all."""
        return int(np.prod(self.shape[:-2], dtype=int))

    @property
    def complete(self) -> bool:
        """Whether every plane is there."""
        return self.done >= self.planes

    def continues(self, other: "ZarrProgress") -> bool:
        """Whether `other` is the same work, however far it has come."""
        return replace(self, done=0) == replace(other, done=0)


def progress_of(card: Card, image: str, shape: tuple[int, ...], augmented: bool) -> ZarrProgress:
    """Describe the work of applying a model to an image, none of it done.

    Parameters
    ----------
    card
        Of the model.
    image
        Name of the image.
    shape
        Of the image, ``(..., h, w)``.
    augmented
        Whether the result is the average over turns and flips.

    """
    named = card.model_copy(update={"name": ""}).model_dump_json()
    checksum = hashlib.sha256(named.encode()).hexdigest()
    return ZarrProgress(card.name, checksum, image, result_shape(shape, card), augmented)


def read_progress(path: Path) -> ZarrProgress | None:
    """Return what a result on disk records about itself; None where there is none, or another program made it."""
    try:
        written = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"][_KEY]
        return ZarrProgress(**{**written, "shape": tuple(written["shape"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _Axis(TypedDict):
    """An axis of an OME-Zarr image."""

    name: str
    type: str
    unit: NotRequired[str]


class _Level(TypedDict):
    """An array of an OME-Zarr image and where it lies."""

    path: str
    coordinateTransformations: list[dict[str, object]]


class _Multiscale(TypedDict):
    """An OME-Zarr image: here always one level."""

    axes: list[_Axis]
    datasets: list[_Level]


class OMEAttributes(TypedDict):
    """What OME-Zarr 0.5 says of an image."""

    version: str
    multiscales: list[_Multiscale]


@dataclass(frozen=True)
class ZarrGrid:
    """Where a result lies, as far as OME-Zarr can tell: one value for each axis; rotation and shear have no place."""

    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str, ...]
    """Full names of units: ``nanometer``, ``second``; what is neither a length nor a time is left out."""

    def ome(self, attributes: OMEAttributes) -> OMEAttributes:
        """Return the ``ome`` attributes of an image with this grid written into them."""
        (image,) = attributes["multiscales"]
        axes = [_axis(axis, unit) for axis, unit in zip(image["axes"], self.units, strict=True)]
        transformations: list[dict[str, object]] = [
            {"type": "scale", "scale": list(self.scale)},
            {"type": "translation", "translation": list(self.translate)},
        ]
        level: _Level = {**image["datasets"][0], "coordinateTransformations": transformations}
        return {**attributes, "multiscales": [{**image, "axes": axes, "datasets": [level]}]}


def _axis(axis: _Axis, unit: str) -> _Axis:
    known = _TIMES if axis["type"] == "time" else _LENGTHS
    return {**axis, "unit": unit} if unit in known else axis


class ZarrWriter:
    """Writes a result plane by plane, and now and then into its attributes how far it has come."""

    def __init__(self, group: "zarr.Group", progress: ZarrProgress) -> None:
        self._group, self.progress = group, progress
        self._array = group["0"]
        self._since_flush = Interval(_SECONDS_BETWEEN_FLUSHES)
        self._since_flush.restart()

    @property
    def done(self) -> int:
        """How many planes are written, from the first on."""
        return self.progress.done

    def put(self, index: int, plane: NDArray[np.generic]) -> None:
        """Write the plane ``(h, w)`` of this number, counted over all axes before the last two."""
        self._array[place_of(index, self.progress.shape)] = plane
        self.progress = replace(self.progress, done=index + 1)
        if self._since_flush.over:
            self.flush()

    def flush(self) -> None:
        """Write down how far the result has come: a run that is killed is resumed from here."""
        self._since_flush.restart()
        self._group.attrs[_KEY] = asdict(self.progress)


class AlreadyDoneError(UserError):
    """All results that are asked for are there already."""


@dataclass(frozen=True)
class ResumableZarr:
    """An OME-Zarr that keeps what is written; one that an earlier run began is resumed."""

    path: Path
    progress: ZarrProgress
    """What it will record about itself, none of it done."""
    grid: ZarrGrid | None = None
    overwrite: bool = False
    """Whether a result of this program may be replaced."""

    @contextmanager
    def open(self, layout: ResultLayout) -> Iterator[ZarrWriter]:
        """Make the result or open what there is of it.

        Raises
        ------
        UserError
            When something else is there already and `overwrite` is False, the image has too many axes, or the disk is
            full.

        """
        check_place(self.path, self.progress, self.overwrite)
        try:
            writer = (None if self.overwrite else self._begun()) or self._fresh(layout)
            try:
                yield writer
            finally:
                writer.flush()
        except OSError as error:
            raise UserError(
                f"'{self.path}' cannot be written ({error.strerror or error}). The planes done so far are kept; make "
                "room, then apply again to resume, or choose another folder."
            ) from error

    def _begun(self) -> ZarrWriter | None:
        import zarr

        there = read_progress(self.path)
        return None if there is None else ZarrWriter(zarr.open_group(self.path, mode="r+"), there)

    def _fresh(self, layout: ResultLayout) -> ZarrWriter:
        import zarr

        self.path.parent.mkdir(parents=True, exist_ok=True)
        create_zarr(self.path, layout.shape, layout.dtype, overwrite=self.overwrite)
        group = zarr.open_group(self.path, mode="r+")
        if self.grid is not None:
            group.attrs["ome"] = self.grid.ome(group.attrs["ome"])
        writer = ZarrWriter(group, self.progress)
        writer.flush()
        return writer


def check_place(path: Path, wanted: ZarrProgress, overwrite: bool) -> None:
    """Check that a result can go to `path`.

    Parameters
    ----------
    path
        The OME-Zarr to write or to resume.
    wanted
        What it will record about itself.
    overwrite
        Whether a result of this program may be replaced.

    Raises
    ------
    UserError
        When something else is there, the name does not end in .zarr, or there are too many axes.

    """
    if len(wanted.shape) > MOST_AXES:
        raise UserError(
            f"OME-Zarr holds at most {MOST_AXES} axes here, '{wanted.image}' has {len(wanted.shape)}. "
            "Keep the result in memory, or have it computed when you look at it."
        )
    if path.suffix.lower() != ".zarr":
        raise UserError(f"A result on disk is a folder whose name ends in .zarr, not '{path.name}'.")
    if not path.exists():
        return
    there = read_progress(path)
    if overwrite and there is None:
        raise UserError(f"'{path}' was not made by this program, so it is not replaced. Choose another folder.")
    if not overwrite and (there is None or not there.continues(wanted)):
        raise UserError(f"'{path}' exists already. Choose another folder, or allow it to be replaced.")


def check_not_done(results: Sequence[tuple[Path, ZarrProgress, bool]]) -> None:
    """Raise `AlreadyDoneError` when all results are complete and none may be replaced: nothing is left to do.

    Each result is given as for `check_place`.
    """
    done = [not overwrite and _complete(path, wanted) for path, wanted, overwrite in results]
    if done and all(done):
        more = f" and {len(results) - 1} more are" if len(results) > 1 else " is"
        raise AlreadyDoneError(
            f"'{results[0][0].name}'{more} complete already. Allow it to be replaced to compute it again."
        )


def _complete(path: Path, wanted: ZarrProgress) -> bool:
    there = read_progress(path)
    return there is not None and there.complete and there.continues(wanted)
