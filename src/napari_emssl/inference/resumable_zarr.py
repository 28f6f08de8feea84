"""Results on disk that grow plane by plane, keep what is there when a run ends early, and can be gone on with.

They are OME-Zarr and have their name from the start; what they lack stands in their attributes. Imports no torch.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import create_zarr
from ..errors import UserError
from ..models.model_file import Card
from ..models.results import result_shape

_KEY = "napari_emssl"
_SECONDS_BETWEEN_RECORDS = 1.0
MOST_AXES = 4
"""OME-Zarr images here are ``(h, w)``, ``(n, h, w)`` or ``(t, z, h, w)``."""
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
    """Describe the work of applying the model of a card to an image ``(..., h, w)``, none of it done."""
    named = card.model_copy(update={"name": ""}).model_dump_json()
    checksum = hashlib.sha256(named.encode()).hexdigest()
    return ZarrProgress(card.name, checksum, image, result_shape(shape, card), augmented)


def read_progress(path: Path) -> ZarrProgress | None:
    """Return what a result on disk says of itself; None where there is none, or another program made it."""
    try:
        written = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"][_KEY]
        return ZarrProgress(**{**written, "shape": tuple(written["shape"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class ZarrGrid:
    """Where a result lies, as far as OME-Zarr can tell: one value for each axis; rotation and shear have no place."""

    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str, ...]
    """Full names of units: ``nanometer``, ``second``; what is neither a length nor a time is left out."""

    def ome(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return the ``ome`` attributes of an image with this grid written into them."""
        (image,) = attributes["multiscales"]
        axes = [_axis(axis, unit) for axis, unit in zip(image["axes"], self.units, strict=True)]
        transformations = [
            {"type": "scale", "scale": list(self.scale)},
            {"type": "translation", "translation": list(self.translate)},
        ]
        level = {**image["datasets"][0], "coordinateTransformations": transformations}
        return {**attributes, "multiscales": [{**image, "axes": axes, "datasets": [level]}]}


def _axis(axis: dict[str, Any], unit: str) -> dict[str, Any]:
    known = _TIMES if axis["type"] == "time" else _LENGTHS
    return {**axis, **({"unit": unit} if unit in known else {})}


class ZarrWriter:
    """A result that is written plane by plane; `record` says how far it has come."""

    def __init__(self, group: Any, record: ZarrProgress) -> None:
        self._group, self.record = group, record
        self.array = group["0"]
        self._told = time.monotonic()

    def put(self, index: int, plane: NDArray[Any]) -> None:
        """Write plane `index`, counted over all leading axes."""
        leading = self.record.shape[:-2]
        self.array[np.unravel_index(index, leading) if leading else ...] = plane
        self.record = replace(self.record, done=index + 1)
        if time.monotonic() - self._told > _SECONDS_BETWEEN_RECORDS:
            self.tell()

    def tell(self) -> None:
        """Write the record down."""
        self._told = time.monotonic()
        self._group.attrs[_KEY] = asdict(self.record)


class AlreadyDoneError(UserError):
    """All results that are asked for are there already."""


@contextmanager
def resumable_zarr(
    path: Path, record: ZarrProgress, dtype: np.dtype[Any], grid: ZarrGrid | None = None, overwrite: bool = False
) -> Iterator[ZarrWriter]:
    """Give a result on disk to write to; one that an earlier run has begun is gone on with.

    Raises
    ------
    UserError
        When something else is there already and `overwrite` is False, the image has too many axes, or the disk is full.

    """
    check_free(path, record, overwrite)
    try:
        keeper = _begun(path, record) if not overwrite else None
        keeper = keeper or _fresh(path, record, dtype, grid, overwrite)
        try:
            yield keeper
        finally:
            keeper.tell()
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be written ({error.strerror or error}). The planes done so far are kept; make room, "
            "then apply again to go on, or choose another folder."
        ) from error


def check_free(path: Path, record: ZarrProgress, overwrite: bool) -> None:
    """Raise `UserError` when a result cannot go to `path`."""
    if len(record.shape) > MOST_AXES:
        raise UserError(
            f"OME-Zarr holds at most {MOST_AXES} axes here, '{record.image}' has {len(record.shape)}. "
            "Keep the result in memory, or let it be computed when it is looked at."
        )
    if path.suffix.lower() != ".zarr":
        raise UserError(f"A result on disk is a folder whose name ends in .zarr, not '{path.name}'.")
    if not path.exists():
        return
    there = read_progress(path)
    if overwrite and there is None:
        raise UserError(f"'{path}' was not made by this program, so it is not replaced. Choose another folder.")
    if not overwrite and (there is None or not there.continues(record)):
        raise UserError(f"'{path}' exists already. Choose another folder, or let it be replaced.")


def check_not_done(results: Sequence[tuple[Path, ZarrProgress, bool]]) -> None:
    """Raise `AlreadyDoneError` when all results are complete, and none may be replaced: nothing is left to do."""
    done = [not overwrite and _complete(path, record) for path, record, overwrite in results]
    if done and all(done):
        more = f" and {len(results) - 1} more are" if len(results) > 1 else " is"
        raise AlreadyDoneError(f"'{results[0][0].name}'{more} complete already. Let it be replaced to compute it anew.")


def _complete(path: Path, record: ZarrProgress) -> bool:
    there = read_progress(path)
    return there is not None and there.complete and there.continues(record)


def _begun(path: Path, record: ZarrProgress) -> ZarrWriter | None:
    import zarr

    there = read_progress(path)
    return None if there is None else ZarrWriter(zarr.open_group(path, mode="r+"), there)


def _fresh(
    path: Path, record: ZarrProgress, dtype: np.dtype[Any], grid: ZarrGrid | None, overwrite: bool
) -> ZarrWriter:
    import zarr

    path.parent.mkdir(parents=True, exist_ok=True)
    create_zarr(path, record.shape, dtype, overwrite=overwrite)
    group = zarr.open_group(path, mode="r+")
    if grid is not None:
        group.attrs["ome"] = grid.ome(dict(group.attrs["ome"]))
    keeper = ZarrWriter(group, record)
    keeper.tell()
    return keeper
