"""Which images were cut from one origin, and draws that keep them together: the same for a seed on any machine."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_LARGE_ORIGIN = 0.1
"""Share of all items above which an origin is held out only when nothing smaller is left."""


def origin_of(path: Path | str) -> str:
    """Return the name of what an image was cut from; images that share it are too much alike to be split.

    ``NAME-LOC-...`` (CEM500K) comes from the volume NAME; ``name.0012``, ``name_z012``, ``slice12``,
    ``Frame540`` are slices or frames of one stack; ``name_0012_01`` is tile 01 of image ``name_0012``. Every
    other file is an origin of its own.
    """
    path = Path(path)
    stem = re.sub(r"(\.ome)?\.[^.\d][^.]*$", "", path.name, flags=re.IGNORECASE)
    if "-LOC-" in stem:
        return stem.partition("-LOC-")[0]
    for pattern in _SERIES:
        if found := pattern.match(stem):
            return f"{path.parent.as_posix()}/{found[1]}"
    return path.as_posix()


_SERIES = (
    re.compile(r"^(.*[^.\d].*)\.\d{2,}$"),
    re.compile(r"^(.*(?:^|[^a-z])(?:frame|slice|section|plane|z|t))[ _-]?\d+$", re.IGNORECASE),
    re.compile(r"^(.*\d[_-])\d{1,2}$"),
)
"""A slice after a dot, a frame after its word, a tile after the number of its image."""


def split_by_origin(
    items: Sequence[T],
    count_or_share: float,
    seed: int,
    origin: Callable[[T], str] | None = None,
) -> tuple[list[T], list[T]]:
    """Split items into those to train on and those held out, without dividing an origin.

    Which origins are held out depends on their names and the seed alone, so a larger held-out set contains the
    smaller one. Origins with more than a tenth of all items are held out last. Items of a single origin are split into
    a beginning and an end instead, so that only the two neighbours at the cut are alike.

    Parameters
    ----------
    items
        Paths, or anything else if `origin` is given.
    count_or_share
        Least number of items to hold out (int), or their share (float below 1). At least one origin is left
        for training.
    seed
        Any integer.
    origin
        Names what an item was cut from; `origin_of` by default.

    Returns
    -------
    training, held_out
        Both in the order of `items`.
    """
    name = origin or _path_origin
    count = round(count_or_share * len(items)) if isinstance(count_or_share, float) else count_or_share
    groups: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[name(item)].append(index)
    if len(groups) < 2:
        cut = max(len(items) - count, min(1, len(items)))
        return list(items[:cut]), list(items[cut:])
    held = _held_out(groups, count, seed)
    return [x for i, x in enumerate(items) if i not in held], [x for i, x in enumerate(items) if i in held]


def _path_origin(item: object) -> str:
    """Origin of an item that is a path."""
    return origin_of(str(item))


def _held_out(groups: dict[str, list[int]], count: int, seed: int) -> set[int]:
    """Indices of whole groups, `count` of them or a few more, at least one group being left."""
    held: set[int] = set()
    for name in order_by_draw(groups, seed)[:-1]:
        if len(held) >= count:
            break
        held.update(groups[name])
    return held


def order_by_draw(groups: Mapping[str, Sequence[object]], seed: int) -> list[str]:
    """Return origins in the order in which they are held out: drawn by name and seed, large ones last."""
    large = _LARGE_ORIGIN * sum(map(len, groups.values()))
    return sorted(groups, key=lambda name: (len(groups[name]) > large, _draw(_last_parts(name), seed)))


def draw_subset(items: Sequence[T], count: int, seed: int, name: Callable[[T], str] = str) -> list[T]:
    """Draw some of the items; a larger subset contains the smaller one.

    The draw depends on the seed and the last two parts of an item's name, not on where the data lie.

    Parameters
    ----------
    items
        What to draw from.
    count
        How many; all, if there are fewer.
    seed
        Any integer.
    name
        Names an item.

    Returns
    -------
    list
        In the order of `items`.
    """
    order = sorted(range(len(items)), key=lambda i: _draw(_last_parts(name(items[i])), seed))
    return [items[i] for i in sorted(order[: max(0, count)])]


def _last_parts(name: str) -> str:
    """Folder and file of a path-like name."""
    return "/".join(re.split(r"[/\\]", name)[-2:])


def _draw(name: str, seed: int) -> bytes:
    """A random draw that is always the same for a name and a seed, on any machine."""
    return blake2b(f"{seed}|{name}".encode(errors="surrogateescape"), digest_size=8).digest()
