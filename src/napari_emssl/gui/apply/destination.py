"""Where results go, and what a run will take: decided and said before it. No Qt, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...data.images.user_folder import home, safe_stem
from ...errors import UserError
from ...formatting import counted, duration
from ...inference.plan import NetworkProfile, RunEstimate, estimate_run
from ...inference.resumable_zarr import (
    ZarrGrid,
    ZarrProgress,
    check_free,
    check_not_done,
    progress_of,
    read_progress,
)
from ...inference.sinks import MOST_AXES
from ...jobs.settings import ApplySettings
from ...models.model_file import Card
from ...models.results import result_dtype, result_shape
from ...models.tasks import task_of
from ...resources import free_disk, free_main_memory
from ..layers.layers import placement_of_finer, placement_of_plane
from ..layers.lazy_array import ROOM_BYTES
from .request import ApplyRequest

DestinationKind = Literal["memory", "disk", "lazy"]
_SMALL_BYTES = 2_000_000_000
_LABELS_SHRINK = 8
"""Labels compress to less than this part of their size; intensities hardly at all."""


@dataclass(frozen=True)
class Destination:
    """Where the results of a run go."""

    place: DestinationKind = "memory"
    why: str = ""
    """What of the size decided, where the user has left the place open: ``small``, ``more than 2 GB``."""
    folder: Path | None = None
    """Holds the OME-Zarr results."""
    overwrite: bool = False

    def path(self, request: ApplyRequest, card: Card) -> Path | None:
        """Return the OME-Zarr that a result goes to; None where it stays in memory."""
        if self.place != "disk" or self.folder is None:
            return None
        plane = "".join(f" {i}" for i in request.index or ())
        return self.folder / f"{safe_stem(request.source.name, 80)}{plane} {safe_stem(card.name, 60)}.zarr"


def result_bytes(request: ApplyRequest, card: Card) -> int:
    """Return the size of a result in memory."""
    return int(np.prod(result_shape(request.shape, card), dtype=float) * result_dtype(card).itemsize)


def choose_destination(
    wanted: DestinationKind | None,
    requests: Sequence[ApplyRequest],
    card: Card,
    folder: Path | None = None,
    overwrite: bool = False,
) -> Destination:
    """Return the place that was asked for, or the one that suits the size of the results."""
    folder = folder or default_folder()
    if wanted is not None:
        return Destination(wanted, "", folder, overwrite)
    size, free = sum(result_bytes(request, card) for request in requests), free_main_memory()
    if size <= min(_SMALL_BYTES, free // 4):
        return Destination("memory", "small", folder, overwrite)
    limit = f"more than {bytes_in_words(min(_SMALL_BYTES, free // 4))}"
    fits_zarr = all(len(request.shape) <= MOST_AXES for request in requests)
    return Destination("disk" if fits_zarr else "lazy", limit, folder, overwrite)


def default_folder() -> Path:
    """Return the folder for results where the user has chosen none."""
    return home() / "results"


def check_fits(requests: Sequence[ApplyRequest], card: Card, destination: Destination, augmented: bool) -> None:
    """Raise `UserError` where the results do not fit, or their places are taken; nothing is computed yet."""
    size = sum(result_bytes(request, card) for request in requests)
    if destination.place == "memory" and size > free_main_memory() // 2:
        raise UserError(
            f"The result would take {bytes_in_words(size)}, more than half of the free memory "
            f"({bytes_in_words(free_main_memory())}). Write it to disk, or let it be computed when it is looked at."
        )
    if destination.place != "disk":
        return
    places = []
    for request in requests:
        path = destination.path(request, card)
        assert path is not None
        places.append((path, record_for(request, card, augmented), destination.overwrite))
        check_free(*places[-1])
        needed = result_bytes(request, card) // (_LABELS_SHRINK if task_of(card.task).gives_labels else 1)
        if needed > free_disk(path):
            raise UserError(
                f"The result would take about {bytes_in_words(needed)} of disk, but only "
                f"{bytes_in_words(free_disk(path))} are free there. Choose another folder, or fewer planes."
            )
    check_not_done(places)


def record_for(request: ApplyRequest, card: Card, augmented: bool) -> ZarrProgress:
    """Return what a result on disk will say of itself."""
    return progress_of(card, request.source.name, request.shape, augmented)


def grid_of(request: ApplyRequest, card: Card) -> ZarrGrid:
    """Return where a result lies, for its file."""
    where = request.source.placement if request.index is None else placement_of_plane(request.source.placement)
    where = placement_of_finer(where, card.upscale)
    units = tuple(str(unit) for unit in where.get("units", ("pixel",) * len(request.shape)))
    return ZarrGrid(tuple(map(float, where["scale"])), tuple(map(float, where["translate"])), units)


def describe_destination(
    requests: Sequence[ApplyRequest],
    card: Card,
    destination: Destination,
    settings: ApplySettings,
    survey: NetworkProfile | None,
) -> str:
    """Say what a run will do: planes, tiles, memory and time where they are known, and where the results go."""
    looks = [estimate_run(survey, settings, *request.source.shape[-2:]) for request in requests] if survey else []
    parts = [_planes(requests)]
    if looks:
        parts.append(_passes(looks, requests, destination))
    return "".join(parts) + ". " + _where(requests, card, destination, settings)


def _planes(requests: Sequence[ApplyRequest]) -> str:
    total = sum(request.planes for request in requests)
    sizes = list(dict.fromkeys(f"{request.source.shape[-2]} x {request.source.shape[-1]}" for request in requests))
    images = f"{counted(len(requests), 'layer')}, " if len(requests) > 1 else ""
    return f"{images}{counted(total, 'plane')} of {' and '.join(sizes[:2])}{' and more' if len(sizes) > 2 else ''} px"


def _passes(looks: Sequence[RunEstimate], requests: Sequence[ApplyRequest], destination: Destination) -> str:
    largest = max(looks, key=lambda look: look.pass_bytes)
    tiles = "in one piece" if largest.tiles == 1 else f"in tiles of {largest.tile} px"
    if destination.place == "lazy":
        time = f"roughly {duration(max(look.plane_seconds for look in looks))} a plane"
    else:
        seconds = sum(look.plane_seconds * request.planes for look, request in zip(looks, requests, strict=True))
        time = f"roughly {duration(max(seconds, 1))}"
    return f" {tiles}: about {bytes_in_words(largest.pass_bytes)} while it runs, {time}"


def _where(requests: Sequence[ApplyRequest], card: Card, destination: Destination, settings: ApplySettings) -> str:
    size = ", ".join(
        filter(None, (bytes_in_words(sum(result_bytes(each, card) for each in requests)), destination.why))
    )
    one = len(requests) == 1
    result = "The result" if one else "The results"
    if destination.place == "memory":
        return f"{result} ({size}) {'stays' if one else 'stay'} in memory."
    if destination.place == "lazy":
        return (
            f"{result} ({size}) {'is' if one else 'are'} computed plane by plane when you look; the latest "
            f"{bytes_in_words(ROOM_BYTES)} of them are remembered."
        )
    names = [path.name for path in (destination.path(request, card) for request in requests) if path]
    more = f" and {len(names) - 1} more" if not one else ""
    begun = "".join(_begun(request, card, destination, settings) for request in requests)
    return f"{result} ({size}, before compression) {'goes' if one else 'go'} to '{names[0]}'{more}.{begun}"


def _begun(request: ApplyRequest, card: Card, destination: Destination, settings: ApplySettings) -> str:
    """Say what of a result is there already."""
    path = destination.path(request, card)
    there = read_progress(path) if path is not None and not destination.overwrite else None
    wanted = record_for(request, card, settings.test_time_augmentation)
    if there is None or there.complete or not there.continues(wanted):
        return ""
    return f" {there.done} of its {there.planes} planes are there already; the run goes on from them."


def bytes_in_words(count: float) -> str:
    """Return a size as a person would say it: ``12 MB``, ``3.4 GB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{max(round(count / 1e6), 1)} MB"
