"""The names of result files: one for each image among files and folders, checked before anything is computed."""

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..data.images.choice import ALL
from ..data.images.image import ImageIn
from ..data.images.opening import find_images, read_images
from ..data.images.own_results import results_among
from ..data.images.user_folder import safe_stem
from ..errors import UserError
from ..formatting import counted

FileFormat = Literal["tiff", "zarr"]


class Outputs(dict[Path | ImageIn, Path]):
    """The output file of each image; `left_out` are results of this program that lie among the images."""

    def __init__(self, left_out: Sequence[Path] = ()) -> None:
        super().__init__()
        self.left_out = list(left_out)

    @property
    def note(self) -> str:
        """A sentence about what is left out; empty where that is nothing."""
        if not self.left_out:
            return ""
        return (
            f"Left out: {counted(len(self.left_out), 'result')} of earlier runs among the images, the first "
            f"'{self.left_out[0]}'. To use them as images, name them, or a folder that holds nothing else."
        )


_SUFFIX: dict[FileFormat, str] = {"tiff": ".tif", "zarr": ".zarr"}


def output_paths(
    paths: Sequence[Path | str], folder: Path, file_format: FileFormat, image: str | None = None
) -> Outputs:
    """Return the output file of each image among files and folders; nothing is written.

    Parameters
    ----------
    paths
        Image files, and folders that are searched through.
    folder
        For the outputs; the sub-folders of a folder among `paths` are kept in it.
    file_format
        Decides on the suffix.
    image
        Which image of files with several: a name, a number, or ``all``, for which files are looked into; the results
        of several images of a file have their names behind that of the file.

    Returns
    -------
    Outputs
        By image. Results of this program that a folder holds beside images are no images. Images that would share an
        output get their own suffix into the name (``a.png`` -> ``a_png.tif``), then a number.

    Raises
    ------
    UserError
        When there is no image, or an output would replace its own input.

    """
    found, left_out = _places([Path(path) for path in paths], folder)
    places = _chosen(found, image)
    shared = Counter(_key(place.with_suffix("")) for place in places.values())
    targets = Outputs(left_out)
    taken: set[str] = set()
    for chosen, place in places.items():
        stem = place.stem if shared[_key(place.with_suffix(""))] == 1 else place.name.replace(".", "_")
        target = _free(folder / place.parent, stem, _SUFFIX[file_format], taken)
        taken.add(_key(target))
        targets[chosen] = target
    _check_inputs_stay(targets)
    return targets


def _places(paths: Sequence[Path], folder: Path) -> tuple[dict[Path, Path], list[Path]]:
    """Each image, once, with its place relative to the folder that was given; and results that are none."""
    places: dict[str, tuple[Path, Path]] = {}
    left_out: dict[Path, None] = {}
    for path in paths:
        images = find_images(path)
        results = set(results_among(images, path, folder))
        left_out |= dict.fromkeys(sorted(results))
        for image in images:
            if image in results:
                continue
            place = Path(image.name) if image == path else image.relative_to(path)
            places.setdefault(os.path.realpath(image), (image, place))
    named = dict(places.values())
    return named, [result for result in left_out if os.path.realpath(result) not in places]


def _chosen(places: dict[Path, Path], image: str | None) -> dict[Path | ImageIn, Path]:
    """The images that are wanted of each file; one that cannot be opened stays, to be reported when it has its turn."""
    if image is None:
        return {path: places[path] for path in places}
    if image != ALL:
        return {ImageIn(path, image): place for path, place in places.items()}
    found: dict[Path | ImageIn, Path] = {}
    for path, place in places.items():
        names = _names(path)
        for number, name in enumerate(names, 1):
            part = f"_{safe_stem(name)}" if len(names) > 1 else ""
            found[ImageIn(path, str(number))] = place.with_name(f"{place.stem}{part}{place.suffix}")
    return found


def _names(path: Path) -> list[str]:
    """Names of the images in a file, without that of the file."""
    try:
        return [image.label for image in read_images(path)]
    except UserError:
        return [""]


def _key(path: Path) -> str:
    """Same for names that are one file on a file system that ignores case, or how accents are put together."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _free(folder: Path, stem: str, suffix: str, taken: set[str]) -> Path:
    names = (f"{stem}{number}{suffix}" for number in ("", *(f"_{i}" for i in range(2, len(taken) + 3))))
    return next(folder / name for name in names if _key(folder / name) not in taken)


def _check_inputs_stay(targets: dict[Path | ImageIn, Path]) -> None:
    inputs = {os.path.realpath(image.path if isinstance(image, ImageIn) else image) for image in targets}
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
        exist = f" and {len(there) - 1} more exist" if len(there) > 1 else " exists"
        raise UserError(f"'{there[0]}'{exist} already. Choose another folder, or pass --overwrite.")
