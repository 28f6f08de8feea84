"""Images in zarr folders: OME-Zarr, bare arrays and groups of them, read inside their own folder only."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...errors import UserError
from .axes import AxisOrder, OrderedPlanes, axis_order, plane_axis
from .claims import check_claim
from .contents import RawImage, Select, is_colour, is_haadf, numbered
from .ome_zarr import Multiscale, axes_of

if TYPE_CHECKING:
    import zarr
    from zarr.storage import LocalStore

_DEEPEST, _MOST_GROUPS = 6, 1000
"""So far down, and so many groups, are searched for images."""
_LISTED_FILES = 20_000
"""So many files are looked at to see whether a store can hold what it claims."""


def _fenced(root: Path) -> "LocalStore":
    """Return a store that reads regular files below its folder and nothing else, wherever links in it lead."""
    from zarr.storage import LocalStore

    real = root.resolve()

    def check(key: str) -> None:
        path = (real / key).resolve()
        if not path.is_relative_to(real):
            raise UserError(f"{root} holds a link that leads out of it ({key}), which is not followed.")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UserError(f"{root} holds a pipe or device ({key}), which is not read.")

    class FencedStore(LocalStore):
        """A folder that is not left."""

        async def get(self, key: str, *args: Any, **options: Any) -> Any:
            check(key)
            return await super().get(key, *args, **options)

    return FencedStore(root, read_only=True)


def read_zarr(path: Path, select: Select) -> list[RawImage]:
    """Open the images of a zarr folder that are wanted: level 0 of OME-Zarr images, or bare arrays.

    Raises
    ------
    UserError
        Where the folder holds several arrays that are no OME-Zarr image, and none is named.
    """
    import zarr

    node = zarr.open(_fenced(path), mode="r")
    if isinstance(node, zarr.Array):
        select([""], 0)
        return [_bare(path, node)]
    images = _ome_images(node)
    if images:
        names = numbered([name for name, *_ in images])
        default = next((number for number, name in enumerate(names) if is_haadf(name)), 0)
        chosen = select(names if len(names) > 1 else [str(images[0][2].get("name") or "")], default)
        return [_ome(path, *images[number][1:])._replace(name=names[number]) for number in chosen]
    arrays = _arrays(node)
    if not arrays:
        raise UserError(f"{path} holds no array and no OME-Zarr image. Give the folder of an image.")
    names = list(arrays)
    chosen = select(names, 0 if len(names) == 1 else None)
    return [_bare(path, arrays[names[number]])._replace(name=names[number]) for number in chosen]


def _groups(group: "zarr.Group", depth: int = 0) -> Iterator["zarr.Group"]:
    """A group and those in it, in natural order; what belongs to an image, as its labels do, is not entered."""
    yield group
    if depth < _DEEPEST and not _multiscales(group):
        for _, child in sorted(group.groups(), key=lambda each: (len(each[0]), each[0])):
            yield from _groups(child, depth + 1)


def _ome_images(group: "zarr.Group") -> list[tuple[str, "zarr.Group", Multiscale]]:
    """Images of a group and of those in it, as bioformats2raw, plates and collections have them, with their names."""
    found = [(child, image) for child in islice(_groups(group), _MOST_GROUPS) for image in _multiscales(child)]
    return [(str(image.get("name") or child.path or f"image {number}"), child, image)
            for number, (child, image) in enumerate(found, 1)]  # fmt: skip


def _arrays(group: "zarr.Group") -> dict[str, "zarr.Array"]:
    """Arrays with two axes or more of a group and of those in it, by their place in it."""
    found = [array for child in islice(_groups(group), _MOST_GROUPS) for _, array in sorted(child.arrays())]
    return {array.path.removeprefix(group.path).strip("/"): array for array in found if len(array.shape) > 1}


def _multiscales(group: "zarr.Group") -> list[Multiscale]:
    attributes = dict(group.attrs)
    found = dict(attributes.get("ome") or attributes).get("multiscales")
    return cast(list[Multiscale], found) if isinstance(found, list) else []


def _ome(path: Path, group: "zarr.Group", image: Multiscale) -> RawImage:
    array = group[image["datasets"][0]["path"]]
    _check_size(path, array)
    order, axes, pixel = axes_of(image, array.shape)
    return _ordered(RawImage(array, pixel, axes=axes), order)


def _bare(path: Path, array: "zarr.Array") -> RawImage:
    """An array of which at most the names of its axes are known, as xarray and zarr 3 write them."""
    _check_size(path, array)
    raw = RawImage(array, colour=is_colour(array))
    names = _dimensions(array)
    if raw.colour or not {"y", "x"} <= {name.strip().lower() for name in names}:
        return raw
    axes = [plane_axis(name) for name in names]
    order = axis_order(names, array.shape, [axis.kind not in ("t", "c") for axis in axes])
    return _ordered(raw._replace(axes=tuple(axes[number] for number in order.before)), order)


def _dimensions(array: "zarr.Array") -> list[str]:
    """Names of all axes; none where one has no name."""
    found = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    named = isinstance(found, list | tuple) and len(found) == len(array.shape) and all(found)
    return [str(name) for name in cast(list[object], found)] if named else []


def _ordered(raw: RawImage, order: AxisOrder) -> RawImage:
    """An image whose height and width may be any of its axes."""
    whole = len(order.before) + 2 == len(raw.array.shape)
    if order.last and whole:
        return raw
    leading = tuple(int(raw.array.shape[axis]) for axis in order.before)
    return raw._replace(array=OrderedPlanes(raw.array, order), leading=leading)


def _check_size(path: Path, array: "zarr.Array") -> None:
    """Raise `ValueError` where an array claims what cannot be in its folder; chunks that are missing are zero."""
    claimed = int(np.prod(array.shape, dtype=object)) * np.dtype(array.dtype).itemsize
    check_claim(claimed, _stored(path))


def _stored(path: Path) -> int:
    """Bytes of the chunks in a folder; of a folder of very many files so many that their number says enough."""
    total = count = 0
    for folder, _, files in os.walk(path):
        for name in files:
            if name.startswith(".z") or name == "zarr.json":
                continue
            total += Path(folder, name).lstat().st_size
            count += 1
        if count > _LISTED_FILES:
            return total * total  # more than anything claims
    return total
