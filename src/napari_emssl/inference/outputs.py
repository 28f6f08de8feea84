"""The names of result files: one for each image among files and folders, checked before anything is computed."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..data.images.opening import find_images
from ..errors import UserError

FileFormat = Literal["tiff", "zarr"]
_SUFFIX: dict[FileFormat, str] = {"tiff": ".tif", "zarr": ".zarr"}


def output_paths(paths: Sequence[Path | str], folder: Path, file_format: FileFormat) -> dict[Path, Path]:
    """Return the output file of each image among files and folders; nothing is read or written.

    Parameters
    ----------
    paths
        Image files, and folders that are searched through.
    folder
        For the outputs; the sub-folders of a folder among `paths` are kept in it.
    file_format
        Decides on the suffix.

    Returns
    -------
    dict[Path, Path]
        By image. Images that would share an output get their own suffix into the name (``a.png`` -> ``a_png.tif``),
        then a number.

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
        target = _free(folder / place.parent, stem, _SUFFIX[file_format], taken)
        taken.add(_key(target))
        targets[image] = target
    _check_inputs_stay(targets)
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


def _check_inputs_stay(targets: dict[Path, Path]) -> None:
    inputs = {os.path.realpath(image) for image in targets}
    for target in targets.values():
        if os.path.realpath(target) in inputs:
            raise UserError(f"The result would replace the input '{target}'. Choose another output folder.")


def check_folder(folder: Path) -> None:
    """Raise `UserError` when the output folder, or the first part of its path that is there, is a file."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"'{there}' is a file, so no results can be put there. Choose another output folder.")


def check_nothing_there(targets: Sequence[Path]) -> None:
    """Raise `UserError` when one of the files is there already, naming the first and how many."""
    there = [target for target in targets if target.exists()]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UserError(f"'{there[0]}'{more} exist already. Choose another folder, or pass --overwrite.")
