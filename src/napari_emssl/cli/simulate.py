"""``napari-emssl simulate hrtem``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..data.simulate import HRTEMSettings, write_hrtem
from ..errors import UserError
from ..jobs.events import Control, Event, Finished, Job, Progress
from .files import require_empty_folder
from .follow import follow


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
    """Simulate HRTEM images of gold nanoparticles on amorphous carbon, with their true masks.

    Writes OUTPUT/images, OUTPUT/masks (1 on particles) and OUTPUT/instances (a number for each particle).
    """
    require_empty_folder(output, overwrite)
    if count < 1:
        raise UserError(f"--count must be at least 1 (got {count}).")

    def events(control: Control) -> Iterator[Event]:
        for done, total in write_hrtem(output, count, settings, seed, overwrite):
            yield Progress(done, total)
            if control.stopped:
                break
        yield Finished(done, control.stopped)

    ending = follow(Job(events), "Simulating", quiet=quiet)
    print(f"Wrote {ending.result} images with their masks to {output}.")
    return ending.status
