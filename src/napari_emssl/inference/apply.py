"""Apply a model to images: one array or file, or many files."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import Image, write_image
from ..errors import UserError
from ..jobs.events import Control, Finished, Job, Notice, Preview, Progress, Started, Update
from ..jobs.settings import ApplySettings
from ..models.model_file import Model
from ..models.zoo import load_model
from .outputs import Format, opened, output_paths, put, refuse_existing, refuse_file, reopened
from .predictor import Predicted, Predictor, UnreadableError, opened_image

_DEFAULTS = ApplySettings()
_SECONDS_BETWEEN_PREVIEWS = 1.0
_PARTS = 1000
"""Progress over many files counts in thousandths of a file, since how much is in a file shows only when it is read."""


class Written(list[Path]):
    """The files that were written, in order; `failed` are the images that could not be read."""

    def __init__(self, paths: Sequence[Path] = (), failed: Sequence[Path] = ()) -> None:
        super().__init__(paths)
        self.failed = list(failed)


def apply(model: Model | str | Path, image: Any, settings: ApplySettings = _DEFAULTS) -> NDArray[np.generic]:
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
        segmentation model labels, 0 background, 1.. classes, in the
        smallest unsigned integer type; of every other model float32 in the units of the image.

    Raises
    ------
    UserError
        When the image or the model cannot be read, or the device has too little memory for the smallest tile.

    """
    return apply_job(model, image, settings).result()


def apply_job(
    model: Model | str | Path, image: Any, settings: ApplySettings = _DEFAULTS, out: Any = None
) -> Job[NDArray[np.generic]]:
    """Apply a model to an image, as a job.

    Planes are read one by one, so that a stack may be larger than memory; give `out` then. Parameters are those of
    `apply`.

    Parameters
    ----------
    out
        Where the result goes: None (memory), an array of the result's shape, or a path ending in .npy or .zarr, which
        must not exist.

    Returns
    -------
    Job
        Tells `Started`, `Progress` in tiles, `Preview` of the last plane ("image" and "prediction"), and `Finished`
        with the array. Stopped early, planes not done stay 0.

    """
    return Job(lambda control: _apply_events(control, model, image, settings, out))


def _apply_events(
    control: Control, model: Model | str | Path, image: Any, settings: ApplySettings, out: Any
) -> Iterator[Update | Finished[NDArray[np.generic]]]:
    source = opened_image(image)
    predictor = Predictor(_loaded(model), settings, *source.plane_shape)
    yield Started(predictor.device.label, predictor.device.reason, apply_summary(source, predictor))
    with _target(out, source, predictor) as array:
        done = yield from _fill(array, source, predictor, control)
        # A file must not be renamed while it is open.
        result, array = (None if isinstance(out, str | Path) else array), None
    yield Finished(reopened(out, result), stopped=done < len(source))


def _loaded(model: Model | str | Path) -> Model:
    return model if isinstance(model, Model) else load_model(model)


def _target(out: Any, source: Image, predictor: Predictor, overwrite: bool = False) -> AbstractContextManager[Any]:
    shape = (*source.leading, *predictor.result_size)
    return opened(out, shape, predictor.dtype, _pixel_size_nm(source, predictor), overwrite)


def _pixel_size_nm(source: Image, predictor: Predictor) -> float | None:
    """Pixel size of the result."""
    return source.pixel_size_nm and source.pixel_size_nm / predictor.upscale


def apply_summary(source: Image, predictor: Predictor) -> str:
    """Say what is about to be worked on, in which tiles, and with how much memory."""
    height, width = source.plane_shape
    count = f"{len(source)} planes" if len(source) > 1 else "1 plane"
    return f"{source.name}: {count} of {height} x {width} px {predictor.summary}."


def _fill(array: Any, source: Image, predictor: Predictor, control: Control) -> Generator[Update, None, int]:
    """Write every plane into `array`, passing events on; return how many planes are done."""
    yield from scale_warning(source, predictor.model)
    done, shown = 0, -np.inf
    for event in predictor.planes(source, control):
        if not isinstance(event, Predicted):
            yield event
            continue
        put(array, source.leading, event.index, event.result)
        done += 1
        if done == len(source) or time.monotonic() - shown > _SECONDS_BETWEEN_PREVIEWS:
            shown = time.monotonic()
            yield Preview({"image": event.plane, "prediction": event.result}, step=done)
    if done < len(source):
        yield Notice(f"Stopped after {done} of {len(source)} planes of {source.name}; the others are 0.")
    return done


def scale_warning(source: Image, model: Model) -> Iterator[Notice]:
    """Say so when pixels are more than twice as large or small as any the model was trained on."""
    known, here = model.card.pixel_size_nm, source.pixel_size_nm
    if known and here and not known[0] / 2 <= here <= known[1] * 2:
        trained = f"{known[0]:.3g}" if known[0] == known[1] else f"{known[0]:.3g} to {known[1]:.3g}"
        yield Notice(
            f"{source.name} has {here:.3g} nm per pixel, model '{model.name}' was trained at {trained}. "
            "Look at the result with care, or rescale the image."
        )


def apply_files(
    model: Model | str | Path,
    paths: Sequence[Path | str],
    out_folder: Path | str,
    settings: ApplySettings = _DEFAULTS,
    format: Format = "tiff",
    overwrite: bool = False,
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
    format
        ``tiff`` (a stack's result is held in memory until it is written) or ``zarr`` (written plane by plane).
    overwrite
        Whether files may be replaced that are there already.

    Returns
    -------
    Job
        `Finished` carries `Written`: the list of files, its `failed` the images that could not be read. A damaged
        image is told as a `Notice`, and the others go on. Stopped early, the image at hand is not written.

    Raises
    ------
    UserError
        Before anything is written: when there is no image, a target exists, or would replace an input. At the end:
        when no image could be read.

    """
    return Job(
        lambda control: _files_events(control, model, list(paths), Path(out_folder), settings, format, overwrite)
    )


def _files_events(
    control: Control,
    model: Model | str | Path,
    paths: list[Path | str],
    folder: Path,
    settings: ApplySettings,
    format: Format,
    overwrite: bool,
) -> Iterator[Update | Finished[Written]]:
    targets = output_paths(paths, folder, format)
    refuse_file(folder)
    if not overwrite:
        refuse_existing(list(targets.values()))
    runs = _FileRuns(_loaded(model), settings, len(targets), control)
    for image, target in targets.items():
        yield from runs.run(image, target, overwrite)
        if control.stopped:
            break
    yield from runs.ending(folder)


class _FileRuns:
    """Runs over many files: keeps the network while planes keep their size, and counts what was written."""

    def __init__(self, model: Model, settings: ApplySettings, count: int, control: Control) -> None:
        self._model, self._settings, self._count, self._control = model, settings, count, control
        self._predictor: Predictor | None = None
        self._written = Written()
        self._start = time.monotonic()

    def run(self, path: Path, target: Path, overwrite: bool) -> Iterator[Update]:
        """Apply to one file; an image that cannot be read becomes a warning, everything else an error."""
        try:
            source = opened_image(path)
            known = self._predictor
            self._predictor = predictor = self._fitting(source)
            if known is None:
                yield self._started(source, predictor)
            with _file(target, source, predictor, overwrite) as array:
                done = yield from self._in_parts(_fill(array, source, predictor, self._control))
                if done < len(source):
                    raise _Stopped
        except UnreadableError as error:
            self._written.failed.append(path)
            yield Notice(str(error))
        except _Stopped:
            yield Notice(f"Stopped; '{target.name}' was not written.")
        else:
            self._written.append(target)

    def ending(self, folder: Path) -> Iterator[Update | Finished[Written]]:
        """Say what was written and what was not; raise when there is nothing to show."""
        failed, written = len(self._written.failed), len(self._written)
        if failed == self._count:
            raise UserError("No image could be read, so nothing was written. See the messages above.")
        if failed:
            yield Notice(f"{failed} of {self._count} images could not be read; {written} results are in '{folder}'.")
        yield Finished(self._written, stopped=written + failed < self._count)

    def _fitting(self, source: Image) -> Predictor:
        if self._predictor is not None and self._predictor.size == source.plane_shape:
            return self._predictor
        return Predictor(self._model, self._settings, *source.plane_shape)

    def _started(self, source: Image, predictor: Predictor) -> Started:
        more = f"{self._count} images, the first: " if self._count > 1 else ""
        return Started(predictor.device.label, predictor.device.reason, more + apply_summary(source, predictor))

    def _in_parts(self, events: Generator[Update, None, int]) -> Generator[Update, None, int]:
        """Turn progress within this file into progress over all files."""
        before = len(self._written) + len(self._written.failed)
        while True:
            try:
                event = next(events)
            except StopIteration as ending:
                return int(ending.value)
            yield self._overall(event, before) if isinstance(event, Progress) else event

    def _overall(self, event: Progress, before: int) -> Progress:
        step, total = before * _PARTS + int(event.fraction * _PARTS), self._count * _PARTS
        seconds = time.monotonic() - self._start
        left = seconds * (total - step) / max(step, 1)
        return Progress(step, total, seconds_left=left, seconds=seconds, images_per_second=event.images_per_second)


class _Stopped(Exception):  # noqa: N818
    """Leaves the block that would give a file its name."""


@contextmanager
def _file(target: Path, source: Image, predictor: Predictor, overwrite: bool) -> Iterator[Any]:
    """Give the array of a result that becomes the file `target` when the block is left without an error."""
    if target.suffix == ".zarr":
        with _target(target, source, predictor, overwrite) as array:
            yield array
        return
    with _target(None, source, predictor) as array:
        yield array
    write_image(target, array, _pixel_size_nm(source, predictor), overwrite)
