"""Particles of many files measured by the workers of a Dask scheduler; what is measured is kept until all is."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from .. import __version__
from ..atomic_files import replacing
from ..data.images.image import chosen_image, distinct_names
from ..data.images.opening import open_images, read_image
from ..errors import UserError
from ..formatting import counted
from ..jobs.cluster.dask_scheduler import run_on_workers
from ..jobs.cluster.parts import in_groups
from ..jobs.events import Control, Finished, Job, Notice, Started, Update
from ..jobs.meter import Meter
from ..jobs.settings import MeasureSettings
from .measure import measure_job
from .table import LeftOut, ParticleTable, concatenate

_FILES_OF_A_TASK = 16
_COLUMN = "column "
"""Before the names of columns in files, since numpy takes `file` for a name of its own."""
_DIGEST_BYTES = 12
_TASK = re.compile(f"[0-9a-f]{{{2 * _DIGEST_BYTES}}}")
_LEFT_OUT = "left out"
_CALIBRATED = "calibrated uncalibrated"
"""Under this name the two facts about a table stand beside its columns."""


@dataclass(frozen=True)
class LabelsFile:
    """A file of masks or numbered particles, and what belongs to it."""

    path: Path
    image: str | None = None
    """Which of its images is meant."""
    shown: Path | None = None
    """The micrograph, for the mean intensity."""
    name: str = ""
    """What the table calls it."""


@dataclass(frozen=True)
class MeasureGroup:
    """Some files for one worker."""

    files: tuple[LabelsFile, ...]
    settings: MeasureSettings


def measure_group(group: MeasureGroup) -> tuple[ParticleTable, tuple[str, ...]]:
    """Measure some files on a worker; returns the table, and remarks on the files."""
    labels = [open_images(chosen_image(file.path, file.image)) for file in group.files]
    shown = [None if file.shown is None else read_image(file.shown) for file in group.files]
    pairs = [(label, image) for of_file, image in zip(labels, shown, strict=True) for label in of_file]
    names = [
        f"{file.name} {label.label}".strip()
        for file, of_file in zip(group.files, labels, strict=True)
        for label in of_file
    ]
    notes: list[str] = []
    for event in measure_job([label for label, _ in pairs], [image for _, image in pairs], group.settings, names):
        if isinstance(event, Notice):
            notes.append(event.text)
        elif isinstance(event, Finished):
            return event.result, tuple(notes)
    raise AssertionError("a job ends with Finished")


def measure_on_workers(
    files: Sequence[LabelsFile], settings: MeasureSettings, address: str, kept: Path
) -> Job[ParticleTable]:
    """Measure files on a cluster, some a task, as a job.

    Parameters
    ----------
    files
        All machines see them under the same paths.
    settings
        How particles are separated, which count, the pixel size.
    address
        ``dask://HOST:PORT`` of the scheduler.
    kept
        A folder for tables of files that are done, so that a measurement that was stopped goes on; it is removed at
        the end.

    Returns
    -------
    Job
        As of `measure_job`; its `Progress` counts tasks.

    Raises
    ------
    UserError
        From the iteration: no scheduler or workers, or a file that cannot be measured.

    """
    names = distinct_names([file.path.name for file in files], [file.path for file in files])
    absolute = [
        LabelsFile(file.path.resolve(), file.image, None if file.shown is None else file.shown.resolve(), name)
        for file, name in zip(files, names, strict=True)
    ]
    groups = [MeasureGroup(tuple(some), settings) for some in in_groups(absolute, _FILES_OF_A_TASK)]
    return Job(lambda control: _events(groups, address, kept, control))


def _events(
    groups: Sequence[MeasureGroup], address: str, kept: Path, control: Control
) -> Iterator[Update | Finished[ParticleTable]]:
    places = [kept / f"{_digest(group)}.npz" for group in groups]
    missing = [number for number, place in enumerate(places) if not place.exists()]
    files = sum(len(group.files) for group in groups)
    yield Started(address, "", f"{counted(files, 'file')} in {counted(len(missing), 'task')}.")
    meter, failures, said = Meter(), list[str](), set[str]()
    work = run_on_workers(address, measure_group, [groups[number] for number in missing], control) if missing else ()
    for number, done in enumerate(work, 1):
        if done.result is None:
            failures.append(done.failure)
            continue
        table, notes = done.result
        _keep(places[missing[done.index]], table)
        yield from map(Notice, sorted({*notes} - said))
        said |= {*notes}
        yield from meter.tick(number, len(missing))
    if failures:
        raise UserError(f"{failures[0]} What has been measured is kept in '{kept}' for the next try.")
    tables = [_kept(place) for place in places if place.exists()]
    _check_limits(tables, groups[0].settings)
    if len(tables) == len(places):
        _clear(kept)
    yield Finished(concatenate(tables), stopped=len(tables) < len(places))


def _check_limits(tables: Sequence[ParticleTable], settings: MeasureSettings) -> None:
    limited = settings.min_diameter > 0 or settings.max_diameter is not None
    if limited and any(table.calibrated for table in tables) and any(table.uncalibrated for table in tables):
        raise UserError(
            "A limit on the diameter would mean nm for some files and pixels for others. Give the pixel size of the "
            "others with --pixel-size, or measure them on their own."
        )


def _clear(kept: Path) -> None:
    """Remove the tables that are no longer needed, and nothing that somebody else has put there."""
    for path in kept.glob("*.npz"):
        if _TASK.fullmatch(path.stem):
            path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        kept.rmdir()


def _digest(group: MeasureGroup) -> str:
    """Name of a task: by files, their times, and settings, so that what has changed since is measured again."""
    said = [
        [str(file.path), _state(file.path), file.image, str(file.shown), _state(file.shown), file.name]
        for file in group.files
    ]
    known = json.dumps([__version__, said, group.settings.model_dump()])
    return blake2b(known.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _state(path: Path | None) -> list[list[int]]:
    """Size and time of a file, or of all files in a zarr, whose own time does not change with its values."""
    if path is None:
        return []
    parts = [path, *(sorted(path.rglob("*")) if path.is_dir() else ())]
    return [[status.st_size, status.st_mtime_ns] for status in (part.stat() for part in parts)]


def _keep(path: Path, table: ParticleTable) -> None:
    columns = {
        f"{_COLUMN}{name}": array.astype(str) if array.dtype.kind == "O" else array
        for name, array in table.columns.items()
    }
    columns[_CALIBRATED] = np.array([table.calibrated, table.uncalibrated])
    columns[_LEFT_OUT] = np.array(table.left_out)
    with replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **columns)


def _kept(path: Path) -> ParticleTable:
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise UserError(f"'{path}' is damaged. Delete it; the same command then measures its files again.") from error


def _read(path: Path) -> ParticleTable:
    with np.load(path) as arrays:
        columns = {name.removeprefix(_COLUMN): arrays[name] for name in arrays.files if name.startswith(_COLUMN)}
        calibrated, uncalibrated = arrays[_CALIBRATED].tolist()
        left_out = LeftOut(*arrays[_LEFT_OUT].tolist())
    text = {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in columns.items()}
    return ParticleTable(text, calibrated, uncalibrated, left_out)
