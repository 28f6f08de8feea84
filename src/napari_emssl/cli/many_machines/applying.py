"""``napari-emssl apply --shard | --executor``: images whose results are there already are done."""

from collections.abc import Sequence
from pathlib import Path

from ...formatting import counted
from ...inference.apply import Written, apply_targets
from ...inference.on_workers import apply_on_workers
from ...inference.outputs import FileFormat, check_folder, output_paths
from ...jobs.settings import ApplySettings
from ...models.zoo import find_model, load_model
from ..progress import Ending, run_with_progress
from .flags import Machines


def apply_by_parts(
    model: str, paths: Sequence[Path], folder: Path, settings: ApplySettings, file_format: FileFormat,
    image: str | None, machines: Machines, *, overwrite: bool, quiet: bool,
) -> Ending[Written]:  # fmt: skip
    """Apply a model to what is missing of a part of the images, here or on workers.

    Parameters
    ----------
    model
        Name in the zoo, or a file that all machines see.
    paths, folder, settings, file_format, image, overwrite
        As for `apply_files`; whatever is in the folder already stays, unless it may be replaced.
    machines
        The part, or the scheduler.
    quiet
        Show warnings only.

    Returns
    -------
    Ending
        With the files written.

    Raises
    ------
    UserError
        As from `apply_files`, and when no scheduler answers.

    """
    part = machines.part()
    check_folder(folder)
    mine = dict(part.of(list(output_paths(paths, folder, file_format, image).items())))
    missing = {source: target for source, target in mine.items() if overwrite or not target.exists()}
    if len(missing) < len(mine) and not quiet:
        print(f"{counted(len(mine) - len(missing), 'result')} of {len(mine)} are there already.")
    if not missing:
        return Ending(Written(), False, 0)
    if machines.executor is None:
        job = apply_targets(load_model(model), missing, folder, settings, overwrite)
    else:
        job = apply_on_workers(find_model(model), missing, settings, machines.executor, overwrite)
    return run_with_progress(job, "Applying", quiet=quiet)
