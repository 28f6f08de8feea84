"""A model applied to many files by the workers of a Dask scheduler, which share the folders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...data.images.image import ImageIn
from ...errors import UserError
from ...formatting import counted
from ...jobs.cluster.dask_scheduler import run_on_workers
from ...jobs.cluster.parts import in_groups
from ...jobs.events import Control, Finished, Job, Notice, Started, Update
from ...jobs.meter import Meter
from ...jobs.settings import ApplySettings
from ...models.zoo import load_model
from ..apply import SKIPPED, Written, write_targets
from ..engine import Engine

_IMAGES_OF_A_TASK = 8
"""Few enough that all workers have some, and that little is done again when one dies."""


@dataclass(frozen=True)
class ApplyGroup:
    """Some images for one worker."""

    model: Path
    targets: tuple[tuple[Path | ImageIn, Path], ...]
    settings: ApplySettings
    overwrite: bool


@dataclass(frozen=True)
class GroupDone:
    """What became of them."""

    written: tuple[Path, ...]
    failed: tuple[Path, ...]
    notes: tuple[str, ...]


def apply_group(group: ApplyGroup) -> GroupDone:
    """Apply a model to some images on a worker; what another worker wrote before it died stays."""
    missing = {image: target for image, target in group.targets if group.overwrite or not target.exists()}
    if not missing:
        return GroupDone(tuple(target for _, target in group.targets), (), ())
    engine = Engine(load_model(group.model), group.settings, Control(), skip_on=SKIPPED)
    written = Written()
    told = write_targets(engine, missing, group.overwrite, written, shared=True)
    notes = [event.text for event in told if isinstance(event, Notice)]
    there = [target for image, target in group.targets if image not in missing]
    return GroupDone((*there, *written), tuple(written.failed), tuple(notes))


def apply_on_workers(
    model: Path, targets: Mapping[Path | ImageIn, Path], settings: ApplySettings, address: str, overwrite: bool = False
) -> Job[Written]:
    """Apply a model to files on a cluster, some images a task, as a job.

    Parameters
    ----------
    model
        Its file; all machines see it, and the images, under the same path.
    targets
        The result file of each image.
    settings
        Tile, halo, batch, device and precision, the same on all machines.
    address
        ``dask://HOST:PORT`` of the scheduler.
    overwrite
        Whether files may be replaced that are there already.

    Returns
    -------
    Job
        Its `Progress` counts tasks; its result is what was written and what could not be used.

    Raises
    ------
    UserError
        From the iteration: no scheduler or workers, or nothing at all could be written.

    """
    items = [(_absolute(image), target.resolve()) for image, target in targets.items()]
    groups = [
        ApplyGroup(model.resolve(), tuple(some), settings, overwrite) for some in in_groups(items, _IMAGES_OF_A_TASK)
    ]
    return Job(lambda control: _events(groups, len(items), address, control))


def _events(
    groups: Sequence[ApplyGroup], count: int, address: str, control: Control
) -> Iterator[Update | Finished[Written]]:
    yield Started(address, "", f"{counted(count, 'image')} in {counted(len(groups), 'task')}.")
    meter, written, said = Meter(), Written(), set[str]()
    for number, done in enumerate(run_on_workers(address, apply_group, groups, control), 1):
        if done.result is None:
            written.failed += [_path(image) for image, _ in groups[done.index].targets]
        else:
            written += done.result.written
            written.failed += done.result.failed
        notes = {done.failure} if done.result is None else {*done.result.notes}
        yield from map(Notice, sorted(notes - said))
        said |= notes
        yield from meter.tick(number, len(groups))
    if len(written.failed) == count:
        raise UserError("No image could be used, so nothing was written. See the messages above.")
    yield Finished(Written(sorted(written), written.failed), len(written) + len(written.failed) < count)


def _absolute(image: Path | ImageIn) -> Path | ImageIn:
    return replace(image, path=image.path.resolve()) if isinstance(image, ImageIn) else image.resolve()


def _path(image: Path | ImageIn) -> Path:
    return image.path if isinstance(image, ImageIn) else image
