"""What the viewer asks of an apply job, and what it gets. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .kept import Grid


@dataclass(frozen=True)
class Order:
    """One image to work on, and where its result goes."""

    image: Any
    """An array, a file or an `Image`, as `apply.apply` takes it."""
    out: Path | None = None
    """The OME-Zarr to write, a name ending in .zarr; None keeps the result in memory."""
    overwrite: bool = False
    """Whether a result of this program may be replaced; one that was begun is gone on with otherwise."""
    grid: Grid | None = None
    """Where the result lies, for its file."""


@dataclass(frozen=True)
class Outcome:
    """What became of one order."""

    result: Any
    """The array, or the path of the OME-Zarr; None where there is nothing."""
    done: int
    """Planes done, from the first on; the others are 0."""
    planes: int
    failure: str = ""
    """Why it ended early, as a sentence; empty when it is complete or was stopped."""
