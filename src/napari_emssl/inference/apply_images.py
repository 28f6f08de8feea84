"""Apply a model to several open images, or to a folder, in one job: what the viewer asks for."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..data.images.image import Image
from ..errors import UserError
from ..formatting import counted
from ..jobs.events import Control, Finished, Job, Notice, Update
from ..jobs.settings import ApplySettings
from ..models.model_file import Card, Model
from ..models.zoo import resolve_model
from .apply import apply_files
from .apply_task import ApplyResult, ApplyTask, FilesDone
from .engine import Engine, ImageDone, plane_name
from .reading import open_image
from .resumable_zarr import ResumableZarr
from .sinks import Memory
from .zarr_progress import check_not_done, check_place, checksum_of, progress_of

_DEFAULTS = ApplySettings()


def apply_images(
    model: Model | str | Path, tasks: Sequence[ApplyTask], settings: ApplySettings = _DEFAULTS
) -> Job[tuple[ApplyResult, ...]]:
    """Apply a model to several images, as a job.

    The network is kept while planes keep their size. An image that cannot be read to its end does not hold up the
    others; what was done of it is returned.

    Parameters
    ----------
    model
        A model, or its name in the zoo, or its file.
    tasks
        The images and where their results go.
    settings
        Tile, halo, batch, device and precision.

    Returns
    -------
    Job
        Yields `Started`, `Progress` over all planes, and `Finished` with a tuple of one `ApplyResult` for each task;
        stopped early, those that were not begun have no result.

    Raises
    ------
    UserError
        From the iteration. Before anything is computed: when the place of a result is taken. At the end: when nothing
        at all came out.

    """
    return Job(lambda control: _events(control, model, tasks, settings))


def apply_folder(
    model: Model | str | Path, folder: Path, out_folder: Path, settings: ApplySettings = _DEFAULTS,
    overwrite: bool = False,
) -> Job[FilesDone]:  # fmt: skip
    """Apply a model to the image files of a folder and its sub-folders, as a job.

    Parameters
    ----------
    model
        A model, or its name in the zoo, or its file.
    folder
        Of the images.
    out_folder
        Gets a TIFF for each image; made if it is missing.
    settings
        Tile, halo, batch, device and precision.
    overwrite
        Whether files may be replaced that are there already.

    Returns
    -------
    Job
        The events of `apply.apply_files`; `Finished` carries `FilesDone`, which a process without torch can read.

    Raises
    ------
    UserError
        As `apply.apply_files`.

    """

    def events(control: Control) -> Iterator[Update | Finished[FilesDone]]:
        job = apply_files(model, [folder], out_folder, settings, overwrite=overwrite)
        job.control = control
        for event in job:
            if isinstance(event, Finished):
                yield Finished(FilesDone(len(event.result), tuple(event.result.failed)), event.stopped)
            else:
                yield event

    return Job(events)


def _events(
    control: Control, model: Model | str | Path, tasks: Sequence[ApplyTask], settings: ApplySettings
) -> Iterator[Update | Finished[tuple[ApplyResult, ...]]]:
    resolved = resolve_model(model)
    images = [open_image(task.image) for task in tasks]
    sinks = [_sink(task, image, resolved.card, settings) for task, image in zip(tasks, images, strict=True)]
    _check_places(sinks)
    results: list[ApplyResult] = []
    if not control.stopped:
        engine = Engine(resolved, settings, control, skip_on=(UserError,), previews=False)
        for event in engine.run(list(zip(images, sinks, strict=True)), "planes", _prefix(images)):
            if isinstance(event, ImageDone):
                results.append(_result(event, images[len(results)], sinks[len(results)]))
            else:
                yield event
    results += [ApplyResult(None, 0, len(image)) for image in images[len(results) :]]
    yield from _ending(results, control)


def _sink(task: ApplyTask, image: Image, card: Card, settings: ApplySettings) -> Memory | ResumableZarr:
    if task.out is None:
        return Memory()
    shape = (*image.leading, *image.plane_shape)
    progress = progress_of(card, image.name, shape, settings.test_time_augmentation)
    with suppress(UserError):  # a plane that cannot be read is told when its turn comes
        progress = replace(progress, pixels=checksum_of(image))
    return ResumableZarr(task.out, progress, task.grid, task.overwrite)


def _check_places(sinks: Sequence[Memory | ResumableZarr]) -> None:
    """Raise `UserError` where a result cannot go to its place, or where all are there already."""
    places = [(sink.path, sink.progress, sink.overwrite) for sink in sinks if isinstance(sink, ResumableZarr)]
    for place in places:
        check_place(*place)
    check_not_done(places)


def _prefix(images: Sequence[Image]) -> str:
    """Say of how many images the summary describes the first."""
    planes = sum(len(image) for image in images)
    return f"{counted(len(images), 'image')}, {counted(planes, 'plane')}; the first: " if len(images) > 1 else ""


def _result(event: ImageDone, image: Image, sink: Memory | ResumableZarr) -> ApplyResult:
    """Return what became of an image; nothing at all is no result."""
    failure = ""
    if event.failure is not None:
        kept = f" The {counted(event.done, 'plane')} before it {'is' if event.done == 1 else 'are'} kept."
        failure = f"{plane_name(image, event.done)}: {event.failure}{kept if event.done else ''}"
    found = sink.path if isinstance(sink, ResumableZarr) else sink.read()
    return ApplyResult(found if event.done else None, event.done, event.planes, failure)


def _ending(results: Sequence[ApplyResult], control: Control) -> Iterator[Notice | Finished[tuple[ApplyResult, ...]]]:
    """Say which images failed; raise when there is nothing to show."""
    failures = [result.failure for result in results if result.failure]
    if failures and not any(result.done for result in results):
        raise UserError(failures[0])
    yield from map(Notice, failures)
    yield Finished(tuple(results), stopped=control.stopped and any(one.done < one.planes for one in results))
