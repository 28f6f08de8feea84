"""``napari-emssl simulate hrtem``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..data.hrtem_settings import HRTEMSettings
from ..errors import UserError
from .files import require_empty_folder

if TYPE_CHECKING:
    from ..jobs.events import Job


class HRTEMFlags(HRTEMSettings):
    """The settings, with the size under its short name too."""

    size_px: Annotated[int, Parameter(name=("--size", "--size-px"))] = HRTEMSettings.model_fields["size_px"]  # type: ignore[assignment]


def hrtem_(
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), group="Output", help="The folder to write to.")],
    count: Annotated[int, Parameter(group="Output", help="Number of images.")] = 10,
    seed: Annotated[int, Parameter(group="Output", help="Seed of everything random.")] = 0,
    overwrite: Annotated[bool, Parameter(negative="", group="Output", help="Replace files that are there.")] = False,
    quiet: Annotated[bool, Parameter(negative="", group="Output", help="Show warnings only.")] = False,
    settings: Annotated[HRTEMFlags, Parameter(name="*", group="Settings")] = HRTEMFlags(),
) -> int:
    """Simulate HRTEM images of gold nanoparticles on amorphous carbon, with their truth."""
    require_empty_folder(output, overwrite)
    if count < 1:
        raise UserError(f"--count must be at least 1 (got {count}).")
    from .follow import follow

    ending = follow(_job(output, count, settings, seed, overwrite), "Simulating", quiet=quiet)
    print(f"Wrote {ending.result} images with their truth to {output}.")
    return ending.status


def _job(output: Path, count: int, settings: HRTEMSettings, seed: int, overwrite: bool) -> "Job":
    """The simulation as a job, so that it shows a bar and stops as the others do."""
    from ..data.simulate import write_hrtem
    from ..jobs.events import Control, Event, Finished, Job, Progress

    def events(control: Control) -> Iterator[Event]:
        done = 0
        for done, total in write_hrtem(output, count, settings, seed, overwrite):
            yield Progress(done, total)
            if control.stopped:
                break
        yield Finished(done, stopped=done < count)

    return Job(events)
