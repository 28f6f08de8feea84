"""``napari-emssl apply``."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..jobs.settings import ApplySettings
from .app import BAD_INPUT
from .path_checks import require_existing, require_writable_folder


def apply(
    model: Annotated[str, Parameter(help="A model: a name of 'models list' or a file.")],
    paths: Annotated[list[Path], Parameter(help="Image files, stacks and folders.")],
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), group="Output", help="The folder to write to.")],
    file_format: Annotated[
        Literal["tiff", "zarr"], Parameter(name="--format", group="Output", help="Kind of file to write.")
    ] = "tiff",
    overwrite: Annotated[bool, Parameter(negative="", group="Output", help="Replace files that are there.")] = False,
    quiet: Annotated[bool, Parameter(negative="", group="Output", help="Show warnings only.")] = False,
    settings: Annotated[ApplySettings, Parameter(name="*", group="Settings")] = ApplySettings(),
) -> int:
    """Run a model over images, folders and stacks, and print the files written, one a line.

    Returns
    -------
    int
        Exit status; 2 also when an image could not be used, though the others were written.

    Raises
    ------
    UserError
        When a path is missing, the folder cannot be written to, or the model cannot be used.
    """
    require_writable_folder(output)
    require_existing(paths)
    from ..models.zoo import load_model

    loaded = load_model(model)
    from ..inference.apply import apply_files
    from .progress import run_with_progress

    job = apply_files(loaded, paths, output, settings, file_format, overwrite)
    ending = run_with_progress(job, "Applying", quiet=quiet)
    for path in ending.result:
        print(path)
    return ending.status or (BAD_INPUT if ending.result.failed else 0)
