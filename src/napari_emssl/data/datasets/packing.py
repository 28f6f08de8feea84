"""The job that packs very many images into one file, so that reading never holds up pretraining."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...formatting import counted
from ...jobs.events import Control, Finished, Job, Notice, Update
from ...jobs.meter import Meter
from ...jobs.settings import PackSettings
from ..images.image import ImageSource
from .pack_file import PackFacts, write_pack
from .sources import ImageCatalog, describe_skipped, open_sources


@dataclass(frozen=True)
class PackResult:
    """What a pack holds."""

    path: Path
    images: int
    planes: int
    damaged: int
    """Planes that could not be read; in pretraining others are shown in their place."""
    bytes: int


def pack(
    sources: Sequence[ImageSource], output: Path | str, settings: PackSettings | None = None, *, overwrite: bool = False
) -> Job[PackResult | None]:
    """Write images into one file that pretraining reads in place of them.

    The same seed gives the same patches, bit for bit, from the pack as from the images.

    Parameters
    ----------
    sources
        Folders (searched through), files, packs and arrays ``(h, w)`` or ``(n, h, w)``, in any mix.
    output
        The file to write, by convention ``.pack``.
    settings
        Layout and repair of hot pixels.
    overwrite
        Whether a file that is there may be replaced.

    Returns
    -------
    Job
        Its `Progress` counts planes; its result is a `PackResult`, or None when it was stopped: then nothing is
        written.

    Raises
    ------
    UserError
        From the iteration: when there is no readable image, the file exists, or the disk is full.

    """
    chosen, path = settings or PackSettings(), Path(output)

    def events(control: Control) -> Iterator[Update | Finished[PackResult | None]]:
        catalog = open_sources(sources, chosen.layout, chosen.hot_pixels)
        if catalog.skipped:
            yield Notice(describe_skipped(catalog.skipped))
        yield from map(Notice, catalog.notes)
        problems: list[str] = []
        yield from _write(path, catalog, chosen, overwrite, control, problems)
        if control.stopped:
            yield Finished(None, stopped=True)
            return
        if problems:
            yield Notice(f"{counted(len(problems), 'damaged plane')} marked as such, the first: {problems[0]}")
        planes = int(catalog.counts.sum())
        yield Finished(PackResult(path, len(catalog), planes, len(problems), path.stat().st_size))

    return Job(events)


def _write(
    path: Path, catalog: ImageCatalog, settings: PackSettings, overwrite: bool, control: Control, problems: list[str]
) -> Iterator[Update]:
    """Write plane by plane until all are done or the job is stopped; why planes cannot be read goes to `problems`."""
    images = catalog.names, catalog.origins, catalog.counts.tolist()
    facts: PackFacts = {"layouts": catalog.layouts, "hot_pixels": settings.hot_pixels}
    writer = write_pack(path, catalog.store, images, facts, overwrite)
    total, meter = int(catalog.counts.sum()), Meter()
    for done, problem in enumerate(writer, 1):
        if problem is not None:
            problems.append(problem)
        yield from meter.tick(done, total, images_per_step=1)
        if control.stopped:
            writer.close()
            return
