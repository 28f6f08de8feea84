"""What the viewer asks of an apply job and what it gets. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.formats.ome_zarr import ZarrGrid
from ..data.images.image import ImageSource


@dataclass(frozen=True)
class ApplyTask:
    """One image to work on, and where its result goes."""

    image: ImageSource
    """As `apply.apply` takes it."""
    out: Path | None = None
    """The OME-Zarr to write, a name ending in .zarr; None keeps the result in memory."""
    overwrite: bool = False
    """Whether a result of this program may be replaced; otherwise one that was begun is resumed."""
    grid: ZarrGrid | None = None
    """Where the result lies, for its file."""


@dataclass(frozen=True)
class ApplyResult:
    """What became of one task."""

    result: NDArray[np.generic] | Path | None
    """The array, or the path of the OME-Zarr; None where there is nothing."""
    done: int
    """Planes done, from the first on; the others are 0."""
    planes: int
    failure: str = ""
    """Why it ended early, as a sentence; empty when it is complete or was stopped."""


@dataclass(frozen=True)
class FilesDone:
    """What became of the image files of a folder."""

    written: int
    """Number of results."""
    failed: tuple[Path, ...]
    """Images that could not be used."""
