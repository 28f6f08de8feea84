"""``napari-emssl simulate hrtem``, ``simulate stem`` and ``simulate collage``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ..errors import UserError
from ..jobs.settings import SimulateSettings
from ..simulation.collage.settings import CollageSettings
from ..simulation.hrtem.settings import HRTEMSettings
from ..simulation.stem.settings import STEMSettings
from ..training.file_lock import claimed_folder
from .path_checks import OutputFolder, Overwrite, Quiet, require_empty_folder, require_existing

Size = Annotated[int, Parameter(name=("--size", "--size-px"))]
if TYPE_CHECKING:
    from ..simulation.job import Steps


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class SimulatedFolder:
    """The images to make, and their folder."""

    output: OutputFolder
    count: Annotated[int, Parameter(help="Number of images.")] = 10
    seed: Annotated[int, Parameter(help="Seed of everything random.")] = 0
    overwrite: Overwrite = False
    quiet: Quiet = False

    def fill(self, steps: "Steps") -> int:
        """Check the folder, write the images under a bar, return the exit status."""
        require_empty_folder(self.output, self.overwrite)
        SimulateSettings(count=self.count, seed=self.seed)  # raises where they are out of bounds
        from ..formatting import counted
        from ..simulation.job import writing_job
        from .progress import run_with_progress

        with claimed_folder(self.output):
            ending = run_with_progress(writing_job(steps, self.count), "Simulating", quiet=self.quiet)
        truth = "its" if ending.result == 1 else "their"
        print(f"Wrote {counted(ending.result, 'image')} with {truth} truth to {self.output}.")
        return ending.status


class HRTEMFlags(HRTEMSettings):
    """The settings of HRTEM images; the size has a short name, too."""

    size_px: Size = HRTEMSettings.model_fields["size_px"]  # type: ignore[assignment]


class STEMFlags(STEMSettings):
    """The settings of STEM images; the size has a short name, too."""

    size_px: Size = STEMSettings.model_fields["size_px"]  # type: ignore[assignment]


class CollageFlags(CollageSettings):
    """The settings of collages; the size has a short name, too."""

    size_px: Size = CollageSettings.model_fields["size_px"]  # type: ignore[assignment]


def hrtem_(
    *,
    folder: SimulatedFolder,
    settings: Annotated[HRTEMFlags, Parameter(name="*", group="Settings")] = HRTEMFlags(),
) -> int:
    """Simulate HRTEM images of gold nanoparticles on amorphous carbon, with their truth.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When the folder is not empty, or settings cannot be used.
    """

    def steps() -> Iterator[tuple[int, int]]:
        from ..simulation.hrtem.files import write_hrtem

        return write_hrtem(folder.output, folder.count, settings, folder.seed, folder.overwrite)

    return folder.fill(steps)


def stem_(
    *,
    folder: SimulatedFolder,
    file_format: Annotated[
        Literal["png", "tiff"],
        Parameter(
            name="--format", group="Output", help="png: 8 bits, as TEM-ImageNet; tiff: float32 electrons per pixel."
        ),
    ] = "png",
    workers: Annotated[int, Parameter(group="Output", help="Number of images made at the same time.")] = 2,
    settings: Annotated[STEMFlags, Parameter(name="*", group="Settings")] = STEMFlags(),
) -> int:
    """Simulate ADF-STEM images of crystals, with their truth.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When the folder is not empty, or settings cannot be used.
    """
    if workers < 1:
        raise UserError(f"--workers must be at least 1 (got {workers}).")

    def steps() -> Iterator[tuple[int, int]]:
        from ..simulation.stem.files import write_stem

        return write_stem(
            folder.output, folder.count, settings, folder.seed, file_format=file_format, workers=workers,
            overwrite=folder.overwrite,
        )  # fmt: skip

    return folder.fill(steps)


def collage_(
    micrographs: Annotated[
        list[Path] | None,
        Parameter(help="Files and folders of micrographs to cut from; without any, random textures take their place."),
    ] = None,
    /,
    *,
    folder: SimulatedFolder,
    settings: Annotated[CollageFlags, Parameter(name="*", group="Settings")] = CollageFlags(),
) -> int:
    """Make collages of objects on micrographs, with their truth.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When a path is missing, the folder is not empty, or no micrograph can be used.
    """
    require_existing(micrographs or [])

    def steps() -> Iterator[tuple[int, int]]:
        from ..simulation.collage.files import read_micrographs, write_collages

        planes = read_micrographs(micrographs) if micrographs else None
        return write_collages(folder.output, folder.count, planes, settings, folder.seed, folder.overwrite)

    return folder.fill(steps)
