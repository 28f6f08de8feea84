"""A simulation as it was asked for in the dock, resolved into one frozen request. No Qt."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ... import worker_jobs
from ...errors import UserError
from ...jobs.events import Job
from ...jobs.settings import SimulateSettings
from ...jobs.worker import client
from ...simulation.stem.settings import STEMSettings
from ..job.request import RunOptions

if TYPE_CHECKING:
    from ...simulation.job import Simulated

_MOST_BYTES = 4 * 2**30
_BYTES_PER_PX = 44
"""Of all the planes of one image together."""


@dataclass(frozen=True)
class SimulateRequest:
    """What the images show, how many there are, and where they go."""

    settings: STEMSettings
    series: SimulateSettings
    folder: Path | None = None
    """Where files go; None for layers."""
    preview: bool = False
    """Whether only the first image is made, as a preview."""

    @property
    def name(self) -> str:
        """What the layers are called after."""
        crystal = self.settings.crystal
        name = "crystals" if crystal == "varied" else Path(crystal).stem
        return f"{name} example" if self.preview else name

    def start(self, options: RunOptions) -> "Job[Simulated | int]":
        """Make the job in its process; its result is a `Simulated`, or the number of images in the folder.

        Parameters
        ----------
        options
            A simulation has none.

        """
        return client.run(worker_jobs.simulate, self.settings, self.series, folder=self.folder)


def simulate_request(
    settings: STEMSettings, series: SimulateSettings, folder: Path | None, preview: bool
) -> SimulateRequest:
    """Resolve what is asked for.

    Parameters
    ----------
    settings
        What the images show.
    series
        Number, seed and file format.
    folder
        Where files go; None for layers.
    preview
        Whether only the first image is made, as layers whatever the folder.

    Raises
    ------
    UserError
        When the layers would fill the memory.

    """
    if preview:
        return SimulateRequest(settings, series.model_copy(update={"count": 1}), preview=True)
    if folder is None:
        _check_memory(series.count, settings.size_px)
    return SimulateRequest(settings, series, folder)


def _check_memory(count: int, size_px: int) -> None:
    """Refuse what would fill the memory, before it is simulated."""
    gigabytes = count * size_px**2 * _BYTES_PER_PX / 1e9
    if gigabytes * 1e9 > _MOST_BYTES:
        raise UserError(
            f"{count} images of {size_px} px are {gigabytes:.0f} GB as layers. Make fewer, or write them into a folder."
        )
