"""What is missing of a part of the images, done here or by the workers of a scheduler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...data.images.image import ImageIn
from ...jobs.cluster.parts import Part
from ...jobs.events import Job
from ...jobs.settings import ApplySettings
from ...models.zoo import find_model, load_model
from ..apply import Written, apply_targets
from ..outputs import FileFormat, check_folder, output_paths
from .on_workers import apply_on_workers


@dataclass(frozen=True)
class MissingResults:
    """Images of a part whose results are not there yet."""

    folder: Path
    targets: Mapping[Path | ImageIn, Path]
    there: int
    """How many results of the part are there already."""
    overwrite: bool

    def job(self, model: str, settings: ApplySettings, executor: str | None) -> Job[Written]:
        """Return the job that makes them.

        Parameters
        ----------
        model
            Name in the zoo, or a file; workers read it from there.
        settings
            Tile, halo, batch, device and precision.
        executor
            The scheduler whose workers do it; None: this process does.

        """
        if executor is None:
            return apply_targets(load_model(model), self.targets, self.folder, settings, self.overwrite)
        return apply_on_workers(find_model(model), self.targets, settings, executor, self.overwrite)


def missing_results(
    paths: Sequence[Path], folder: Path, file_format: FileFormat, image: str | None, part: Part, overwrite: bool
) -> MissingResults:
    """Return what is to be done of a part: results have the names that they have without parts.

    Parameters
    ----------
    paths, folder, file_format, image
        As for `apply_files`.
    part
        Of all images.
    overwrite
        Whether results that are there are made again; otherwise they are done.

    Raises
    ------
    UserError
        As from `output_paths`, and when the folder is a file.

    """
    check_folder(folder)
    mine = dict(part.of(list(output_paths(paths, folder, file_format, image).items())))
    missing = {source: target for source, target in mine.items() if overwrite or not target.exists()}
    return MissingResults(folder, missing, len(mine) - len(missing), overwrite)
