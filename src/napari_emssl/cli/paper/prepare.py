"""``napari-emssl prepare au``."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ...jobs.prepare_settings import PrepareAuSettings
from ...training.file_lock import claimed_folder
from ..path_checks import OutputFolder, Overwrite, Quiet, check_distinct, require_existing, require_writable_folder


def au_(
    *,
    images: Annotated[Path, Parameter(help="Frames: an HDF5 file, another stack, or a folder.")],
    targets: Annotated[Path, Parameter(help="Masks of the frames, 0 where there is no particle.")],
    output: OutputFolder,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    settings: Annotated[PrepareAuSettings, Parameter(name="*", group="Settings")] = PrepareAuSettings(),
) -> int:
    """Cut frames of gold nanoparticles into patches, as the published sets were prepared.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When a path is missing, a file would be replaced, or frames and masks do not fit together.
    """
    require_writable_folder(output)
    require_existing([images, targets])
    from ...data.datasets.preparing import IMAGES, LABELS, prepare_au
    from ...formatting import counted
    from ..progress import run_with_progress

    check_distinct([output / IMAGES, output / LABELS], [images, targets])
    job = prepare_au(images, targets, output, settings, overwrite=overwrite)
    with claimed_folder(output):
        ending = run_with_progress(job, "Preparing", quiet=quiet)
    if ending.result is None:
        print("Stopped: nothing was written.", file=sys.stderr)
    else:
        made = ending.result
        print(f"Wrote {made.images} and {made.labels}: {counted(made.patches, 'patch', 'patches')} of "
              f"{counted(made.frames, 'frame')}.")  # fmt: skip
    return ending.status
