"""What is missing of a part of the images, done here or by the workers of a scheduler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...data.images.image import ImageIn
from ...jobs.cluster.parts import Part
from ...jobs.events import Job
from ...jobs.settings import ApplySettings
from ...models.results import made_by_model
from ...models.zoo import find_model, load_model
from ..apply import Written, apply_targets
from ..outputs import FileFormat, check_folder, output_paths
from ..sinks import check_same_work
from .on_workers import apply_on_workers


@dataclass(frozen=True)
class MissingResults:
    """Images of a part whose results are not there yet."""

    model: Path
    settings: ApplySettings
    folder: Path
    targets: Mapping[Path | ImageIn, Path]
    there: int
    """How many results of the part are there already, made by the same model with the same settings."""
    overwrite: bool
    note: str
    """A sentence about what lies among the images and is none; empty where that is nothing."""

    def job(self, executor: str | None) -> Job[Written]:
        """Return the job that makes them: on the workers of the scheduler `executor`, or, where it is None, here."""
        if executor is None:
            return apply_targets(self.model, self.targets, self.folder, self.settings, self.overwrite, shared=True)
        return apply_on_workers(self.model, self.targets, self.settings, executor, self.overwrite)


def missing_results(
    model: str, paths: Sequence[Path], folder: Path, file_format: FileFormat, image: str | None, part: Part,
    overwrite: bool, settings: ApplySettings,
) -> MissingResults:  # fmt: skip
    """Return what is to be done of a part: results have the names that they have without parts.

    Parameters
    ----------
    model
        Name in the zoo, or a file; workers read it from there.
    paths, folder, file_format, image
        As for `apply_files`.
    part
        Of all images.
    overwrite
        Whether results that are there are made again; otherwise they are done.
    settings
        Tile, halo, batch, device and precision.

    Raises
    ------
    UserError
        As from `output_paths`; when the folder is a file, or holds a result that was made by something else.

    """
    check_folder(folder)
    outputs = output_paths(paths, folder, file_format, image)
    mine = dict(part.of(list(outputs.items())))
    there = [] if overwrite else [target for target in mine.values() if target.exists()]
    made_by = made_by_model(load_model(model), settings.test_time_augmentation) if there else None
    for target in there:
        check_same_work(target, made_by)
    kept = set(there)
    missing = {source: target for source, target in mine.items() if target not in kept}
    return MissingResults(find_model(model), settings, folder, missing, len(there), overwrite, outputs.note)
