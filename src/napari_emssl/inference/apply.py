"""Apply a model to images: one array or file, or many files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import ImageIn, ImageSource
from ..errors import UserError
from ..formatting import counted
from ..jobs.events import Control, Finished, Job, Notice, Update
from ..jobs.settings import ApplySettings
from ..models.model_file import Model
from ..models.zoo import resolve_model
from .engine import Engine, ImageDone
from .outputs import FileFormat, check_folder, check_nothing_there, output_paths
from .reading import UnreadableError, open_image
from .sinks import Memory, NewFile, SharedResultError, UnfitError

_DEFAULTS = ApplySettings()
SKIPPED = (UnreadableError, UnfitError, SharedResultError)
"""After these the next image has its turn."""


class Written(list[Path]):
    """The files that were written, in order; `failed` are the images that could not be used."""

    def __init__(self, paths: Sequence[Path] = (), failed: Sequence[Path] = ()) -> None:
        super().__init__(paths)
        self.failed = list(failed)


def apply(model: Model | str | Path, image: ImageSource, settings: ApplySettings = _DEFAULTS) -> NDArray[np.generic]:
    """Apply a model to an image and return the result; `apply_job` run to its end.

    Parameters
    ----------
    model
        A model, or its name in the zoo, or its file.
    image
        An array ``(h, w)``, ``(n, h, w)``, ``(t, z, h, w)`` or, in uint8, ``(..., h, w, 3 | 4)``; numpy, dask or zarr;
        or an image file; or an `Image`.
    settings
        Tile, halo, batch, device and precision.

    Returns
    -------
    numpy.ndarray
        Of the image's shape, colour axis dropped, height and width multiplied by the card's ``upscale``. Of a
        segmentation model labels, 0 background, 1.. classes, in the smallest unsigned integer type; of every other
        model float32 in the units of the image.

    Raises
    ------
    UserError
        When the image or the model cannot be read, or the device has too little memory for the smallest tile.

    """
    return apply_job(model, image, settings).result()


def apply_job(
    model: Model | str | Path,
    image: ImageSource,
    settings: ApplySettings = _DEFAULTS,
    out: NDArray[np.generic] | str | Path | None = None,
) -> Job[NDArray[np.generic]]:
    """Apply a model to an image, as a job.

    Planes are read one by one, so that a stack may be larger than memory; give `out` then.

    Parameters
    ----------
    model, image, settings
        As for `apply`.
    out
        Where the result goes: None (memory), an array of the result's shape, or a path ending in .npy or .zarr, which
        must not exist.

    Returns
    -------
    Job
        Yields `Started`, `Progress` in tiles, `Preview` of the last plane ("image" and "prediction"), and `Finished`
        with the array. Stopped early, planes not done stay 0.

    Raises
    ------
    UserError
        From the iteration: as `apply`, and when `out` cannot take the result.

    """
    return Job(lambda control: _image_events(control, model, image, settings, out))


def _image_events(
    control: Control,
    model: Model | str | Path,
    source: ImageSource,
    settings: ApplySettings,
    out: NDArray[np.generic] | str | Path | None,
) -> Iterator[Update | Finished[NDArray[np.generic]]]:
    image, sink = open_image(source), _sink(out)
    for event in Engine(resolve_model(model), settings, control).run([(image, sink)]):
        if not isinstance(event, ImageDone):
            yield event
            continue
        yield from _stop_notice(event)
        yield Finished(sink.read(), stopped=event.done < event.planes)


def _sink(out: NDArray[np.generic] | str | Path | None) -> Memory | NewFile:
    """Return where the result goes; what was asked for by a path is there even when it was stopped early."""
    if not isinstance(out, str | Path):
        return Memory(out)
    if Path(out).suffix.lower() not in (".npy", ".zarr"):
        raise UserError(f"Cannot write a result to '{out}'. Name a file that ends in .npy or .zarr.")
    return NewFile(Path(out), keep_incomplete=True)


def _stop_notice(image: ImageDone) -> Iterator[Notice]:
    """Say so when an image was stopped early."""
    if image.done < image.planes and image.failure is None:
        yield Notice(
            f"Stopped after {image.done} of {counted(image.planes, 'plane')} of {image.name}; the others are 0."
        )


def apply_files(
    model: Model | str | Path,
    paths: Sequence[Path | str],
    out_folder: Path | str,
    settings: ApplySettings = _DEFAULTS,
    file_format: FileFormat = "tiff",
    overwrite: bool = False,
    image: str | None = None,
) -> Job[Written]:
    """Apply a model to image files and folders, writing one file for each image, as a job.

    Parameters
    ----------
    model
        A model, or its name in the zoo, or its file.
    paths
        Image files and folders; sub-folders are searched, and kept in the output.
    out_folder
        Made if it is missing. An image ``a.png`` gives ``a.tif`` or ``a.zarr``, calibrated as its source.
    settings
        Tile, halo, batch, device and precision.
    file_format
        ``tiff`` (a stack's result is held in memory until it is written) or ``zarr`` (written plane by plane).
    overwrite
        Whether files may be replaced that are there already.
    image
        Which image of files with several: a name, a number from 1 on, or ``all``; by default the one that is meant.

    Returns
    -------
    Job
        `Finished` carries `Written`: the list of files, its `failed` the images that could not be used. A damaged
        image, or one with more axes than a file holds, is reported by a `Notice`, and the next one follows. Stopped
        early, the image at hand is not written.

    Raises
    ------
    UserError
        Before anything is written: when there is no image, a target exists, or would replace an input. At the end:
        when no image could be used.

    """

    def events(control: Control) -> Iterator[Update | Finished[Written]]:
        targets = output_paths(paths, Path(out_folder), file_format, image)
        check_folder(Path(out_folder))
        if not overwrite:
            check_nothing_there(list(targets.values()))
        if targets.note:
            yield Notice(targets.note)
        job = apply_targets(model, targets, Path(out_folder), settings, overwrite)
        job.control = control
        yield from job

    return Job(events)


def apply_targets(
    model: Model | str | Path,
    targets: Mapping[Path | ImageIn, Path],
    folder: Path,
    settings: ApplySettings = _DEFAULTS,
    overwrite: bool = False,
    shared: bool = False,
) -> Job[Written]:
    """Apply a model to images whose result files are known, as a job.

    Parameters
    ----------
    model, settings, overwrite
        As for `apply_files`.
    targets
        The result file of each image.
    folder
        In which they are, for the messages.
    shared
        Whether other runs write results of the same work: one that is there by then is kept.

    Returns
    -------
    Job
        As of `apply_files`.

    """

    def events(control: Control) -> Iterator[Update | Finished[Written]]:
        engine = Engine(resolve_model(model), settings, control, skip_on=SKIPPED)
        written = Written()
        yield from write_targets(engine, targets, overwrite, written, shared)
        yield from _ending(written, len(targets), folder)

    return Job(events)


def write_targets(
    engine: Engine, targets: Mapping[Path | ImageIn, Path], overwrite: bool, written: Written, shared: bool = False
) -> Iterator[Update]:
    """Apply to one file after the other.

    Parameters
    ----------
    engine
        Holds the model.
    targets
        The result file of each image.
    overwrite
        Whether files may be replaced that are there already.
    written
        Gets what was written, and what could not be used.
    shared
        As for `apply_targets`; what another run has written meanwhile counts as written.

    Yields
    ------
    Update
        Progress, previews and notices.

    """
    work = [(image, NewFile(target, overwrite, shared=shared)) for image, target in targets.items()]
    left = iter(targets.items())
    prefix = f"{len(targets)} images, the first: " if len(targets) > 1 else ""
    for event in engine.run(work, "images", prefix):
        if not isinstance(event, ImageDone):
            yield event
            continue
        image, target = next(left)
        if isinstance(event.failure, SharedResultError):
            written.append(target)
        elif event.failure is not None:
            written.failed.append(image.path if isinstance(image, ImageIn) else image)
            yield Notice(str(event.failure))
        elif event.done < event.planes:
            yield from _stop_notice(event)
            yield Notice(f"Stopped; '{target.name}' was not written.")
        else:
            written.append(target)


def _ending(written: Written, count: int, folder: Path) -> Iterator[Notice | Finished[Written]]:
    """Say what was written and what was not; raise when there is nothing to show."""
    failed = len(written.failed)
    if failed == count:
        raise UserError("No image could be used, so nothing was written. See the messages above.")
    if failed:
        yield Notice(f"{failed} of {count} images could not be used; the results of the others are in '{folder}'.")
    yield Finished(written, stopped=len(written) + failed < count)
