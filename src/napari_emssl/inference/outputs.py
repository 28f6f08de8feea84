"""Where results go: memory, an array the caller gave, a mapped file, a zarr store, or one file for each image."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import create_zarr, find_images, replacing
from ..errors import UserError

Format = Literal["tiff", "zarr"]
_SUFFIX: dict[str, str] = {"tiff": ".tif", "zarr": ".zarr"}


@contextmanager
def opened(
    out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], pixel_size_nm: float | None = None, overwrite: bool = False
) -> Iterator[Any]:
    """Give an array of zeros to be filled plane by plane.

    `out` is None (memory), an array of the right shape (given back as it is), or a path ending in .npy or .zarr. A file
    gets its name only when the block is left without an error; see `reopened`.

    Raises
    ------
    UserError
        When the file exists and `overwrite` is False, has another suffix, or cannot be written; when the array's shape
        is wrong.

    """
    if out is None:
        yield np.zeros(shape, dtype)
    elif not isinstance(out, str | Path):
        yield _checked(out, shape)
    else:
        create = _creator(Path(out), len(shape))
        with replacing(out, overwrite) as temporary:
            array = create(temporary, shape, dtype, pixel_size_nm)
            yield array
            if isinstance(array, np.memmap):
                array.flush()
            # Windows renames no file that is still mapped.
            del array


def reopened(out: Any, array: Any) -> Any:
    """Return what a job hands over: the array, or the finished file opened for reading."""
    if not isinstance(out, str | Path):
        return array
    if Path(out).suffix.lower() == ".npy":
        return np.load(out, mmap_mode="r")
    import zarr

    return zarr.open_array(Path(out) / "0", mode="r")


def _creator(path: Path, axes: int) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _create_npy
    if suffix == ".zarr" and axes <= 4:
        return create_zarr
    if suffix == ".zarr":
        raise UserError(f"OME-Zarr holds at most four axes here, the image has {axes}. Write to a .npy file instead.")
    raise UserError(f"Cannot write a result to '{path}'. Name a file that ends in .npy or .zarr.")


def _create_npy(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], _pixel_size_nm: float | None) -> Any:
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def _checked(out: Any, shape: tuple[int, ...]) -> Any:
    if not hasattr(out, "__setitem__") or tuple(getattr(out, "shape", ())) != shape:
        raise UserError(
            f"The result has shape {shape}, 'out' has {getattr(out, 'shape', 'none')}. Give an array of that shape."
        )
    return out


def put(array: Any, leading: tuple[int, ...], index: int, plane: NDArray[Any]) -> None:
    """Write plane `index`, counted over all leading axes, into an array ``(*leading, h, w)``."""
    place = tuple(int(i) for i in np.unravel_index(index, leading)) if leading else ...
    array[place] = plane


def output_paths(paths: Sequence[Path | str], folder: Path, format: Format) -> dict[Path, Path]:
    """Return the output file of each image among files and folders; nothing is read or written.

    Below a folder that was given, sub-folders are kept. Images that would share an output get their own suffix into the
    name (``a.png`` -> ``a_png.tif``), then a number.

    Raises
    ------
    UserError
        When there is no image, or an output would replace its own input.

    """
    places = _places([Path(path) for path in paths])
    shared = Counter(_key(place.with_suffix("")) for place in places.values())
    targets: dict[Path, Path] = {}
    taken: set[str] = set()
    for image, place in places.items():
        stem = place.stem if shared[_key(place.with_suffix(""))] == 1 else place.name.replace(".", "_")
        target = _free(folder / place.parent, stem, _SUFFIX[format], taken)
        taken.add(_key(target))
        targets[image] = target
    _refuse_inputs(targets)
    return targets


def _places(paths: Sequence[Path]) -> dict[Path, Path]:
    """Each image, once, with its place relative to the folder that was given."""
    places: dict[str, tuple[Path, Path]] = {}
    for path in paths:
        for image in find_images(path):
            place = Path(image.name) if image == path else image.relative_to(path)
            places.setdefault(os.path.realpath(image), (image, place))
    return dict(places.values())


def _key(path: Path) -> str:
    """Same for names that are one file on a file system that ignores case."""
    return str(path).casefold()


def _free(folder: Path, stem: str, suffix: str, taken: set[str]) -> Path:
    names = (f"{stem}{number}{suffix}" for number in ("", *(f"_{i}" for i in range(2, len(taken) + 3))))
    return next(folder / name for name in names if _key(folder / name) not in taken)


def _refuse_inputs(targets: dict[Path, Path]) -> None:
    inputs = {os.path.realpath(image) for image in targets}
    for target in targets.values():
        if os.path.realpath(target) in inputs:
            raise UserError(f"The result would replace the input '{target}'. Choose another output folder.")


def refuse_file(folder: Path) -> None:
    """Raise `UserError` when the output folder, or the first part of its path that is there, is a file."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"'{there}' is a file, so no results can be put there. Choose another output folder.")


def refuse_existing(targets: Sequence[Path]) -> None:
    """Raise `UserError` when one of the files is there already, naming the first and how many."""
    there = [target for target in targets if target.exists()]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UserError(f"'{there[0]}'{more} exist already. Choose another folder, or pass --overwrite.")
