"""Images in zarr folders: OME-Zarr, bare arrays and groups of them, read inside their own folder only."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...errors import UserError
from .axes import PlaneAxis
from .claims import check_claim
from .contents import RawImage, Select, is_colour
from .ome_zarr import Multiscale, plane_axes, plane_pixel

if TYPE_CHECKING:
    import zarr
    from zarr.storage import LocalStore

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
    images = list(_ome_images(node))
    if images:
        names = [name or f"image {number + 1}" for number, (name, *_) in enumerate(images)]
        chosen = select(names if len(names) > 1 else [images[0][0]], 0)
        return [_ome(path, group, image)._replace(name=names[number]) for number in chosen
                for _, group, image in (images[number],)]  # fmt: skip
    arrays = dict(sorted(node.arrays()))
    if not arrays:
        raise UserError(f"{path} holds no array and no OME-Zarr image. Give the folder of an image.")
    names = list(arrays)
    chosen = select(names, 0 if len(names) == 1 else None)
    return [_bare(path, arrays[names[number]])._replace(name=names[number]) for number in chosen]


def _ome_images(group: "zarr.Group") -> Iterator[tuple[str, "zarr.Group", Multiscale]]:
    """Images of a group, or of the numbered groups in it, as bioformats2raw writes them."""
    found = _multiscales(group)
    for image in found:
        yield str(image.get("name") or ""), group, image
    if not found and "bioformats2raw.layout" in dict(dict(group.attrs).get("ome") or group.attrs):
        for key, child in sorted(group.groups(), key=lambda each: (len(each[0]), each[0])):
            for image in _multiscales(child):
                yield str(image.get("name") or key), child, image


def _multiscales(group: "zarr.Group") -> list[Multiscale]:
    attributes = dict(group.attrs)
    found = dict(attributes.get("ome") or attributes).get("multiscales")
    return cast(list[Multiscale], found) if isinstance(found, list) else []


def _ome(path: Path, group: "zarr.Group", image: Multiscale) -> RawImage:
    array = group[image["datasets"][0]["path"]]
    _check_size(path, array)
    axes: tuple[PlaneAxis, ...] = plane_axes(image, array.ndim)
    return RawImage(array, plane_pixel(image), axes=axes)


def _bare(path: Path, array: "zarr.Array") -> RawImage:
    _check_size(path, array)
    return RawImage(array, colour=is_colour(array))


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
