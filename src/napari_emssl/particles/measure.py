"""The particles of many arrays and files, in one table."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from ..data.images.image import Image, ImageIn, ImageSource, distinct_names, notes_of
from ..data.images.opening import as_image, open_images
from ..errors import UserError
from ..formatting import counted
from ..jobs.events import Control, Finished, Job, Notice, Progress, Started, Update
from ..jobs.settings import MeasureSettings
from .instances import Meaning, Particles, looks_grey, meaning_of, measure_plane, plain_labels
from .table import ParticleTable, concatenate

_SAME_SIZE = 0.01
"""Pixel sizes that differ by a smaller share are the same, rounded in different ways."""


def measure_particles(
    labels: ImageSource | Sequence[ImageSource],
    images: ImageSource | Sequence[ImageSource] | None = None,
    settings: MeasureSettings | None = None,
) -> ParticleTable:
    """Measure the particles in masks or numbered labels.

    Parameters
    ----------
    labels
        Arrays ``(h, w)`` or ``(n, h, w)``, `Image` objects, files or folders; one or a list. Stacks are measured plane
        by plane.
    images
        Images of the same shapes for the mean intensity, in the same order; by default none.
    settings
        How particles are separated, which count, the pixel size.

    Returns
    -------
    ParticleTable
        One row per particle; see ``docs/reference/particle-table.md`` for the columns.

    Raises
    ------
    UserError
        When an input is no image or holds no labels, shapes differ, or some are calibrated and others not while a limit
        of the diameter is set.

    """
    shown = None if images is None else _images(images)
    return measure_job(_images(labels), shown, settings).result()


def table_names(labels: Sequence[Image]) -> list[str]:
    """Return what the table calls each of the labels: the name of its file, with the folder where others have it."""
    return distinct_names([_name(image) for image in labels], [image.path for image in labels])


def measure_job(
    labels: Sequence[Image],
    images: Sequence[Image | None] | None = None,
    settings: MeasureSettings | None = None,
    names: Sequence[str] | None = None,
    elsewhere: Sequence[Image] = (),
) -> Job[ParticleTable]:
    """Return the job behind `measure_particles`.

    Parameters
    ----------
    labels
        Masks or numbered particles.
    images
        For each of them an image of the same shape for the mean intensity, or None; by default none.
    settings
        How particles are separated, which count, the pixel size.
    names
        What the table calls the labels; by default `table_names`.
    elsewhere
        Labels of the same measurement that another machine measures, with the pixel sizes that count: they decide on
        columns and limits too, so that the tables of all machines fit together.

    Returns
    -------
    Job
        Its result is the table; of a stopped job that of the planes done so far.

    Raises
    ------
    UserError
        If there are not as many images as labels; from the iteration what `measure_particles` raises.

    """
    settings = settings or MeasureSettings()
    shown = [None] * len(labels) if images is None else list(images)
    if len(shown) != len(labels):
        raise UserError(f"There are {len(labels)} labels but {len(shown)} images. Give an image for each, or none.")

    def events(control: Control) -> Iterator[Update | Finished[ParticleTable]]:
        sized = [calibrated(image, other, settings) for image, other in zip(labels, shown, strict=True)]
        _check_limits([*sized, *elsewhere], settings)
        yield from _notices(labels, sized, settings)
        yield from map(Notice, _told_once(_contradictions(labels, shown, settings)))
        units = [_none_of(image) for image in (*sized, *elsewhere)]
        yield from _measure(control, sized, shown, settings, table_names(labels) if names is None else names, units)

    return Job(events)


def _measure(
    control: Control,
    labels: Sequence[Image],
    images: Sequence[Image | None],
    settings: MeasureSettings,
    names: Sequence[str],
    units: Sequence[ParticleTable],
) -> Iterator[Update | Finished[ParticleTable]]:
    """Go through all planes; `units` are tables without a row, whose columns count."""
    meanings = [_meaning(image, settings) for image in labels]
    yield Started("CPU", summary=_what([meaning.mask for meaning in meanings]))
    yield from map(Notice, _told_once([meaning.doubt for meaning in meanings if meaning.doubt]))
    tables, done, total = [*units], 0, sum(map(len, labels))
    for image, (mask, _), shown, name in zip(labels, meanings, images, names, strict=True):
        _check_shape(image, shown)
        for i in range(len(image)):
            if control.stopped:
                break
            tables.append(_rows(image, i, mask, shown, settings, name))
            done += 1
            yield Progress(done, total)
    yield Finished(concatenate(tables), stopped=done < total)


def _meaning(image: Image, settings: MeasureSettings) -> Meaning:
    """What the values of an image stand for; raises `UserError` where they are grey values."""
    meaning = meaning_of((image.label_plane(i) for i in range(len(image))), settings, _name(image))
    if (not meaning.mask or meaning.doubt) and settings.labels == "auto" and looks_grey(image.label_plane(0)):
        raise UserError(
            f"{_name(image)} looks like a grey image, not like labels. Give its mask; if its values do number "
            "particles, pass --labels numbered."
        )
    return meaning


def _told_once(sentences: Sequence[str]) -> list[str]:
    """The first of several sentences of a kind, with the number of the others."""
    more = f" The same holds for {counted(len(sentences) - 1, 'more file')}." if len(sentences) > 1 else ""
    return [f"{sentence}{more}" for sentence in sentences[:1]]


def _rows(image: Image, i: int, mask: bool, shown: Image | None, settings: MeasureSettings, name: str) -> ParticleTable:
    """Table of one plane, with the columns that say where it is."""
    intensity = None if shown is None else shown.plane(i)
    plane = plain_labels(image.label_plane(i), _name(image))
    found = measure_plane(plane, mask, settings, intensity, image.pixel_size_nm)
    return with_place(found, name, i).table


def with_place(found: Particles, name: str, plane: int) -> Particles:
    """Add to the table which file and plane the particles come from.

    Parameters
    ----------
    found
        The particles of a plane.
    name
        Name of the file or image.
    plane
        Number of the plane in it, from 0 on.

    """
    n = len(found.table)
    where = {"file": np.full(n, name, object), "plane": np.full(n, plane, np.int64)}
    return replace(found, table=replace(found.table, columns={**where, **found.table.columns}))


def _none_of(image: Image) -> ParticleTable:
    """An empty table with all columns, so that an image without particles counts when the units are chosen."""
    empty = Image(image.name, np.zeros((1, 1, 1), np.uint8), (), image.pixel_size_nm, image.path)
    return _rows(empty, 0, True, None, MeasureSettings(), image.name)


def calibrated(image: Image, shown: Image | None, settings: MeasureSettings) -> Image:
    """Give labels the pixel size of the micrograph where they have none, or that of the settings where it is wanted.

    Parameters
    ----------
    image
        The labels.
    shown
        Their micrograph; None where there is none.
    settings
        May hold a pixel size.

    """
    if image.pixel is None and shown is not None and shown.pixel_size_nm is not None:
        image = replace(image, pixel_size_nm=shown.pixel_size_nm)
    if settings.pixel_size is None or (image.pixel_size_nm is not None and not settings.correct_pixel_size):
        return image
    return replace(image, pixel_size_nm=settings.pixel_size)


def _check_limits(labels: Sequence[Image], settings: MeasureSettings) -> None:
    limited = settings.min_diameter > 0 or settings.max_diameter is not None
    if limited and len({image.pixel_size_nm is None for image in labels}) > 1:
        bare = next(image for image in labels if image.pixel_size_nm is None)
        raise UserError(
            f"A limit on the diameter would mean nm for some files and pixels for others: {_name(bare)} has no "
            "pixel size. Give it with --pixel-size, or measure these files on their own."
        )


def _notices(given: Sequence[Image], labels: Sequence[Image], settings: MeasureSettings) -> Iterator[Notice]:
    """Yield remarks on the files, what the table mixes, and what the given pixel size did not change."""
    yield from map(Notice, notes_of(given))
    bare = [image for image in labels if image.pixel_size_nm is None]
    if bare and len(bare) < len(labels):
        yield Notice(
            f"{len(bare)} of {len(labels)} files {'has' if len(bare) == 1 else 'have'} no single pixel size "
            f"({_name(bare[0])}): the table has columns in nm and in pixels, and a summary of each. "
            "Give the pixel size with --pixel-size."
        )
    sizes = [image.pixel_size_nm for image in given if image.pixel_size_nm is not None]
    other = [size for size in sizes if settings.pixel_size and abs(size / settings.pixel_size - 1) > 1e-3]
    if other and not settings.correct_pixel_size:
        yield Notice(
            f"{'1 file has' if len(other) == 1 else f'{len(other)} files have'} another pixel size ({other[0]:g} nm) "
            "than the one given, and keep it. To use the given one, pass --correct-pixel-size."
        )


def _contradictions(labels: Sequence[Image], images: Sequence[Image | None], settings: MeasureSettings) -> list[str]:
    """Sentences about labels that carry another pixel size than their image."""
    if settings.pixel_size is not None and settings.correct_pixel_size:
        return []
    return [
        f"{_name(label)} has {label.pixel_size_nm:.4g} nm per pixel, its image {shown.pixel_size_nm:.4g}; that of the "
        "labels is used. If it is wrong, pass --pixel-size and --correct-pixel-size."
        for label, shown in zip(labels, images, strict=True)
        if shown is not None
        and label.pixel_size_nm
        and shown.pixel_size_nm
        and abs(label.pixel_size_nm / shown.pixel_size_nm - 1) > _SAME_SIZE
    ]


def _what(masks: Sequence[bool]) -> str:
    parts = [f"{n} {word}{'s' * (n > 1)}" for n, word in ((sum(masks), "mask"),) if n]
    numbered = len(masks) - sum(masks)
    parts += [f"{numbered} file{'s' * (numbered > 1)} of numbered particles"] if numbered else []
    return f"Measuring {' and '.join(parts)}." if parts else "There is nothing to measure in this part."


def _check_shape(labels: Image, shown: Image | None) -> None:
    if shown is not None and (len(shown), shown.plane_shape) != (len(labels), labels.plane_shape):
        raise UserError(
            f"{_name(shown)} ({_shape(shown)}) does not fit {_name(labels)} ({_shape(labels)}). "
            "Give the image the labels belong to."
        )


def _shape(image: Image) -> str:
    height, width = image.plane_shape
    return f"{len(image)} x {height} x {width}"


def _name(image: Image) -> str:
    return f"{image.path.name} {image.label}".strip() if image.path else image.name


def _images(sources: ImageSource | Sequence[ImageSource]) -> list[Image]:
    """Open what was given; folders are searched."""
    found: list[Image] = []
    given = cast(Sequence[ImageSource], sources if isinstance(sources, list | tuple) else [sources])
    for source in given:
        if isinstance(source, str | Path | ImageIn):
            found += open_images(source)
        else:
            found.append(as_image(source, "labels"))
    return found
