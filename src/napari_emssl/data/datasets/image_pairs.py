"""Images with their targets, given as arrays, files or folders: opened, paired and checked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from ...errors import UserError
from ...formatting import counted
from ..images.image import Image, ImageIn, ImageSource, chosen_image, notes_of, shared_folder
from ..images.opening import as_image, find_images, open_images
from ..images.own_results import results_below
from .pairing import find_pairs, find_task_pairs, pair_files

ImageSources = ImageSource | Sequence[ImageSource]
"""One image, many, or a folder of them."""
_UNEQUAL = 2
"""Pixel sizes of images that differ by more than this factor are told."""


def open_pairs(
    images: ImageSources,
    targets: ImageSources,
    task: str = "segment",
    factors: Sequence[int] = (1,),
) -> list[tuple[Image, Image]]:
    """Pair images with targets: two paths by file name, two lists (or arrays) in order.

    Parameters
    ----------
    images, targets
        Files, folders, arrays ``(h, w)`` or ``(n, h, w)``, or lists of them; `ImageIn` for other images of files than
        those that are meant when nobody says. One folder as both, a data set of a known
        layout, gives the targets of the task.
    task
        What is to be learnt; it decides the targets of a data set that has several kinds.
    factors
        How many times finer than the image's grid the grid of a target may be.

    Returns
    -------
    list of tuple
        Images with their targets, opened, at least one pair.

    Raises
    ------
    UserError
        If there is nothing to learn from, numbers or shapes differ, or a file cannot be read.
    """
    path, wanted = (images.path, images.image) if isinstance(images, ImageIn) else (images, None)
    if isinstance(path, Path | str) and isinstance(targets, Path | str):
        same = Path(path).is_dir() and Path(path).resolve() == Path(targets).resolve()
        found = find_task_pairs(Path(path), task) if same else find_pairs(Path(path), Path(targets))
        pairs: list[tuple[ImageSource, ImageSource]] = [(chosen_image(one, wanted), two) for one, two in found.pairs]
        remark = found.remark
    else:
        remark = ""
        left, right = (as_list(side) for side in (images, targets))
        if len(left) != len(right):
            raise UserError(
                f"{counted(len(left), 'image')} but {counted(len(right), 'target')}: give one target for each image."
            )
        pairs = list(zip(left, right, strict=True))
    if not pairs:
        raise UserError("There is no image to learn from. Give at least one image with its target.")
    # of several images of a file each has the file's target
    opened = [(one, as_image(target)) for image, target in pairs for one in open_images(image)]
    for image, target in opened:
        _check_shapes(image, target, factors)
    return _with_remark(opened, remark)


def _with_remark(pairs: list[tuple[Image, Image]], remark: str) -> list[tuple[Image, Image]]:
    """Note on the first image what is true of the whole folder."""
    if not remark:
        return pairs
    image, target = pairs[0]
    return [(replace(image, notes=(remark, *image.notes)), target), *pairs[1:]]


def pair_notes(pairs: Sequence[tuple[Image, Image]]) -> list[str]:
    """Return remarks on the files of images and targets, on files without a partner, and on unequal pixel sizes."""
    notes = notes_of(one for pair in pairs for one in pair)
    sizes = pixel_sizes([image for image, _ in pairs])
    if sizes and sizes[1] > _UNEQUAL * sizes[0]:
        notes.append(
            f"The pixels of the images measure from {sizes[0]:.3g} to {sizes[1]:.3g} nm, so that one thing has "
            "many sizes in pixels. Rescale the images, unless that is meant."
        )
    return notes


def painted_pairs(images: Sequence[Path], paintings: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pair paintings with some of many images by name, as `find_pairs` does; one with one, whatever their names.

    Parameters
    ----------
    images, paintings
        Files and folders.

    Returns
    -------
    list of tuple
        Each painting with its image.

    Raises
    ------
    UserError
        If there is no image, a file is given as both, or a painting has no image of its name.
    """
    found_results = {path for root in images for path in results_below(root)}
    files = [[path for path in find_images(images) if path not in found_results], find_images(paintings)]
    given = {path.resolve() for path in files[0]}
    for path in files[1]:
        if path.resolve() in given:
            raise UserError(
                f"'{path}' is given as an image and as a painting. Keep paintings in a folder of their own."
            )
    found = pair_files(files, (shared_folder(files[0]), shared_folder(files[1])))
    if found.unpaired_targets:
        raise UserError(
            f"The painting '{found.unpaired_targets[0]}' has no image of the same name. Add the image, or leave the "
            "painting out."
        )
    return list(found.pairs)


def resolve_zero(zero: str, target: Image) -> Literal["background", "unpainted"]:
    """Return what 0 in a target means: as asked for, or with ``auto`` background in files and unpainted in arrays."""
    if zero == "background" or (zero == "auto" and target.path is not None):
        return "background"
    return "unpainted"


def as_list(side: ImageSources) -> list[ImageSource]:
    """Return a list of one image, or of many."""
    if isinstance(side, Path | str | Image | ImageIn) or hasattr(side, "ndim"):
        return [cast(ImageSource, side)]
    return list(cast(Sequence[ImageSource], side))


def pixel_sizes(images: Sequence[Image]) -> tuple[float, float] | None:
    """Return the smallest and the largest pixel size, nm; None when no image is calibrated."""
    sizes = [image.pixel_size_nm for image in images if image.pixel_size_nm]
    return (min(sizes), max(sizes)) if sizes else None


def _check_shapes(image: Image, target: Image, factors: Sequence[int]) -> None:
    sizes = [(len(one), *one.plane_shape) for one in (image, target)]
    count, height, width = sizes[0]
    if sizes[1] not in [(count, height * fine, width * fine) for fine in factors]:
        if sizes[1][0] == 1 < count and sizes[1][1:] == (height, width):
            raise UserError(
                f"Target '{target.name}' is one plane, but image '{image.name}' has {count}. Give a stack of as many "
                "planes, or that plane alone as the image."
            )
        shown = [" x ".join(map(str, size)) for size in sizes]
        raise UserError(
            f"Image '{image.name}' ({shown[0]}) and its target '{target.name}' ({shown[1]}) differ in size "
            f"(planes x height x width). Give a target on {_grids(factors)}."
        )


def _grids(factors: Sequence[int]) -> str:
    """Say which grids a target may have."""
    names = ["the image's own grid" if factor == 1 else f"one {factor} times as fine" for factor in factors]
    return " or ".join(names)
