"""Simulating ADF-STEM images whose truth is known: as stacks, or as files in the layout of TEM-ImageNet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..jobs.events import Control, Finished, Job, Update
from ..jobs.meter import Meter
from ..jobs.settings import SimulateSettings
from .stem.files import as_planes, simulate_several, write_stem
from .stem.settings import STEMSettings
from .stem.simulate import Parameters

Steps = Callable[[], Iterator[tuple[int, int]]]


@dataclass(frozen=True)
class Simulated:
    """Simulated images and their truth, one plane an image."""

    stacks: dict[str, NDArray[np.float32]]
    """By the name of their folder in TEM-ImageNet, ``(n, h, w)``; ``(n, 2 h, 2 w)`` on the finer grid."""
    columns_px: tuple[NDArray[np.float64], ...]
    """For each image the places (y, x) of its columns of atoms, ``(m, 2)``."""
    parameters: tuple[Parameters, ...]
    """For each image what was drawn."""

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def pixel_size_nm(self) -> float | None:
        """Pixel size of all images; None where it differs from image to image."""
        sizes = {cast(float, drawn["pixel_size_nm"]) for drawn in self.parameters}
        return sizes.pop() if len(sizes) == 1 else None


def simulate(
    settings: STEMSettings | None = None,
    options: SimulateSettings | None = None,
    *,
    folder: Path | None = None,
    overwrite: bool = False,
) -> Job[Simulated | int]:
    """Simulate ADF-STEM images.

    Parameters
    ----------
    settings
        Specimen, probe, scan and detector.
    options
        Number, seed, and, with a folder, the form of the files.
    folder
        Where the images are written to, see `write_stem`; without one they are the job's result.
    overwrite
        Whether an earlier simulation in this folder may be replaced.

    Returns
    -------
    Job
        Its result is `Simulated` or, with a folder, the number of images written; of a stopped job that of the images
        done so far. Image i is the same either way.

    Raises
    ------
    UserError
        From the iteration: a crystal that cannot be used, settings that do not fit together, files in the folder.

    """
    what, how = settings or STEMSettings(), options or SimulateSettings()
    if folder is not None:
        return writing_job(
            lambda: write_stem(folder, how.count, what, how.seed, file_format=how.format, overwrite=overwrite),
            how.count,
        )

    def events(control: Control) -> Iterator[Update | Finished[Simulated]]:
        meter, done = Meter(), []
        for made in simulate_several(what, how.count, how.seed):
            done.append((as_planes(made), made.places_px, made.parameters))
            yield meter.progress(len(done), how.count, images_per_step=1)
            if control.stopped:
                break
        yield Finished(_stacked(done), stopped=len(done) < how.count)

    return Job(events)


def writing_job(steps: Steps, count: int) -> Job[int]:
    """Make a job of an iterator that writes images.

    Parameters
    ----------
    steps
        Called once; its iterator yields after each image how many are done, and how many there will be.
    count
        Number of images.

    Returns
    -------
    Job
        Its result is the number of images written.
    """

    def events(control: Control) -> Iterator[Update | Finished[int]]:
        meter, done = Meter(), 0
        for done, total in steps():
            yield meter.progress(done, total, images_per_step=1)
            if control.stopped:
                break
        yield Finished(done, stopped=done < count)

    return Job(events)


def _stacked(done: list[tuple[dict[str, NDArray[np.float32]], NDArray[np.float64], Parameters]]) -> Simulated:
    """Put the planes of all images together, by folder."""
    planes, columns, parameters = zip(*done, strict=True)
    return Simulated({name: np.stack([each[name] for each in planes]) for name in planes[0]}, columns, parameters)
