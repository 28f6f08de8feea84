"""Where results go and what a run will need, decided and shown before it starts. No Qt, no torch."""

from collections.abc import Sequence
from pathlib import Path

from ...data.formats.ome_zarr import MOST_AXES
from ...data.images.user_folder import home
from ...formatting import bytes_in_words, counted, duration
from ...inference.tiles import NetworkProfile, RunEstimate, estimate_run
from ...inference.zarr_progress import read_progress
from ...resources import free_main_memory
from ..layers.lazy_array import ROOM_BYTES
from .request import ApplyRequest, Destination, DestinationKind, Selection

_SMALL_BYTES = 2_000_000_000


def choose_destination(
    wanted: DestinationKind | None, request: ApplyRequest, folder: Path | None = None, overwrite: bool = False
) -> Destination:
    """Return the place that was asked for, or the one that suits the size of the results.

    Parameters
    ----------
    wanted
        The place; None leaves it open.
    request
        What is applied to what.
    folder
        Folder for results on disk; by default that of the user.
    overwrite
        Whether results that are there may be replaced.

    """
    folder = folder or default_folder()
    if wanted is not None:
        return Destination(wanted, "", folder, overwrite)
    free = free_main_memory()
    if request.bytes <= min(_SMALL_BYTES, free // 4):
        return Destination("memory", "", folder, overwrite)
    limit = f"more than {bytes_in_words(min(_SMALL_BYTES, free // 4))}"
    fits_zarr = all(len(selection.shape) <= MOST_AXES for selection in request.selections)
    return Destination("disk" if fits_zarr else "lazy", limit, folder, overwrite)


def default_folder() -> Path:
    """Return the folder for results where the user has chosen none."""
    return home() / "results"


def describe_run(request: ApplyRequest, profile: NetworkProfile | None) -> str:
    """Say what a run will do: planes, tiles, memory and time where they are known, and where the results go."""
    selections, settings = request.selections, request.settings
    passes = [estimate_run(profile, settings, *each.source.shape[-2:]) for each in selections] if profile else []
    parts = [_planes(selections)]
    if passes:
        parts.append(_passes(passes, request))
    return "".join(parts) + ". " + _where(request)


def _planes(selections: Sequence[Selection]) -> str:
    total = sum(each.planes for each in selections)
    sizes = list(dict.fromkeys(f"{each.source.shape[-2]} x {each.source.shape[-1]}" for each in selections))
    images = f"{counted(len(selections), 'layer')}, " if len(selections) > 1 else ""
    return f"{images}{counted(total, 'plane')} of {' and '.join(sizes[:2])}{' and more' if len(sizes) > 2 else ''} px"


def _passes(passes: Sequence[RunEstimate], request: ApplyRequest) -> str:
    largest = max(passes, key=lambda each: each.pass_bytes)
    tiles = "in one piece" if largest.tiles == 1 else f"in tiles of {largest.tile} px"
    if request.destination.place == "lazy":
        time = f"roughly {duration(max(each.plane_seconds for each in passes))} a plane"
    else:
        pairs = zip(passes, request.selections, strict=True)
        time = f"roughly {duration(max(sum(each.plane_seconds * planes.planes for each, planes in pairs), 1))}"
    return f" {tiles}: about {bytes_in_words(largest.pass_bytes)} of memory, {time}"


def _where(request: ApplyRequest) -> str:
    destination, one = request.destination, len(request.selections) == 1
    size = ", ".join(filter(None, (bytes_in_words(request.bytes), destination.why)))
    result = "The result" if one else "The results"
    if destination.place == "memory":
        return f"{result} ({size}) {'stays' if one else 'stay'} in memory."
    if destination.place == "lazy":
        return (
            f"{result} ({size}) {'is' if one else 'are'} computed plane by plane as you view it; the latest "
            f"{bytes_in_words(ROOM_BYTES)} are kept."
        )
    names = [path.name for path in map(request.path_of, request.selections) if path]
    more = f" and {len(names) - 1} more" if not one else ""
    begun = "".join(_begun(request, each) for each in request.selections)
    return f"{result} ({size}, before compression) {'goes' if one else 'go'} to '{names[0]}'{more}.{begun}"


def _begun(request: ApplyRequest, selection: Selection) -> str:
    """Say what of a result is there already."""
    path = request.path_of(selection)
    there = read_progress(path) if path is not None and not request.destination.overwrite else None
    if there is None or not there.done or there.complete or not there.continues(request.progress_of(selection)):
        return ""
    return f" {there.done} of its {there.planes} planes are already there; the run continues after them."
