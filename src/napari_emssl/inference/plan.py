"""What the viewer asks of an apply job, what it gets, and how a run will go. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import ImageSource
from ..jobs.settings import ApplySettings
from .resumable_zarr import ZarrGrid
from .tiles import MemoryNeeds, first_plan


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
class NetworkProfile:
    """What was measured of one network on the device that the settings choose."""

    needs: MemoryNeeds
    usable_bytes: int
    """How much memory a run may take."""
    seconds_per_pixel: float
    """Of one pass over a small tile."""
    device: str
    """Human name of the device."""


@dataclass(frozen=True)
class RunEstimate:
    """How planes of one size will be run."""

    tiles: int
    """Of one plane."""
    tile: int
    """Edge in pixels."""
    halo: int
    pass_bytes: int
    """Memory of the largest pass."""
    fits: bool
    """Whether that is there."""
    plane_seconds: float
    """Rough time of one plane."""


def estimate_run(profile: NetworkProfile, settings: ApplySettings, height: int, width: int) -> RunEstimate:
    """Estimate how planes of one size will be run; times grow with the pixels that pass through the network.

    Parameters
    ----------
    profile
        What was measured of the network.
    settings
        Tile, halo, batch and augmentation.
    height, width
        Of the planes, pixels.

    """
    plan = first_plan(profile.needs, settings, height, width, profile.usable_bytes)
    passes = 8 if settings.test_time_augmentation else 1
    seconds = plan.cost(None) * profile.seconds_per_pixel * passes
    fits = plan.planned_bytes <= profile.usable_bytes
    return RunEstimate(len(plan.regions), plan.tile, plan.halo, plan.planned_bytes, fits, seconds)
