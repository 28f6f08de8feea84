"""What a result on disk says about itself: how it was made, how far it has come, whether it can be resumed.

It is read and checked before a run starts, by the viewer too: imports no torch. `resumable_zarr` writes it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from pydantic import TypeAdapter

from ..data.formats.ome_zarr import MOST_AXES
from ..data.images.image import Image
from ..data.images.own_results import PROGRESS_ATTRIBUTE
from ..errors import UserError
from ..json_text import parse_json
from ..models.model_file import Card
from ..models.results import result_shape


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
    pixels: str = ""
    """Checksum of the first and the last plane of the image; empty where they were not looked at."""

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
        known = bool(self.pixels and other.pixels)  # images of different folders often have one name
        return replace(self, done=0, pixels="") == replace(other, done=0, pixels="") and not (
            known and self.pixels != other.pixels
        )


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


def checksum_of(image: Image) -> str:
    """Return by what an image is known whatever it is called: a checksum of its first and its last plane.

    Raises
    ------
    UserError
        When one of them cannot be read.

    """
    found = hashlib.sha256()
    for index in dict.fromkeys((0, len(image) - 1)):
        found.update(np.ascontiguousarray(image.plane(index)).data)
    return found.hexdigest()


def read_progress(path: Path) -> ZarrProgress | None:
    """Return what a result on disk records about itself; None where there is none, or another program made it."""
    try:
        written = cast(dict[str, dict[str, object]], parse_json((path / "zarr.json").read_bytes()))
        return TypeAdapter(ZarrProgress).validate_python(written["attributes"][PROGRESS_ATTRIBUTE])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class AlreadyDoneError(UserError):
    """All results that are asked for are there already."""


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
            "Keep the result in memory, or have it computed when viewed."
        )
    if path.suffix.lower() != ".zarr":
        raise UserError(f"A result on disk is a folder whose name ends in .zarr, not '{path.name}'.")
    if not path.exists():
        return
    there = read_progress(path)
    if overwrite and there is None:
        raise UserError(f"'{path}' was not made by this program, so it is not replaced. Choose another folder.")
    if not overwrite and (there is None or not there.continues(wanted)):
        other = there is not None and there.continues(replace(wanted, pixels=""))
        why = f", made from another image that is called '{wanted.image}', too" if other else ""
        raise UserError(f"'{path}' exists already{why}. Choose another folder, or allow it to be replaced.")


def check_not_done(results: Sequence[tuple[Path, ZarrProgress, bool]]) -> None:
    """Raise `AlreadyDoneError` when all results are complete and none may be replaced: nothing is left to do.

    Each result is given as for `check_place`.
    """
    done = [not overwrite and _complete(path, wanted) for path, wanted, overwrite in results]
    if done and all(done):
        more, them = (f" and {len(results) - 1} more are", "them") if len(results) > 1 else (" is", "it")
        raise AlreadyDoneError(
            f"'{results[0][0].name}'{more} complete already. To compute {them} again, tick 'Replace existing "
            "results' (in the terminal: --overwrite)."
        )


def _complete(path: Path, wanted: ZarrProgress) -> bool:
    there = read_progress(path)
    return there is not None and there.complete and there.continues(wanted)
