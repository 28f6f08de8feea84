"""Where each plane of images comes from: its name in files of splits, what it was cut from, and its part."""

from collections.abc import Sequence

from ..formats.hdf5 import frames_of, role_of
from ..images.image import Image, shared_folder
from ..images.readers import HDF5_SUFFIXES
from ..splits.copies import key_of_copies
from ..splits.division import PlaneOrigin
from ..splits.named_parts import named_parts
from ..splits.origins import origin_of


def plane_origins(images: Sequence[Image], by_names: bool = True) -> list[PlaneOrigin]:
    """Return an entry for each plane of all images, in their order.

    Parameters
    ----------
    images
        Opened; planes of one image are of one origin, but in HDF5 sets every plane is an image: its origin is the frame
        it was cut from where the file knows that, else itself. Flips and turns of one plane share an origin.
    by_names
        Whether to look for parts in the names of files.

    """
    names = _names(images)
    parts = named_parts(names if by_names else [""] * len(images))
    found: list[PlaneOrigin] = []
    for position, (image, name, part) in enumerate(zip(images, names, parts, strict=True)):
        for index, origin in enumerate(_origins(image, position)):
            # images without a file are known by the number of their plane, as draws of earlier versions had it
            draw = f"{image.path or len(found)} [{index}]"
            found.append(PlaneOrigin(name if len(image) == 1 else f"{name}#{index}", draw, origin, part))
    return found


def planes_are_images(image: Image) -> bool:
    """Whether each plane of a file is an image of its own: in HDF5 sets of images with labels or maps."""
    path = image.path
    return path is not None and path.suffix.lower() in HDF5_SUFFIXES and role_of(path) == "images"


def _origins(image: Image, position: int) -> list[str]:
    """What each plane was cut from."""
    if image.path is None:
        return [str(position)] * len(image)
    if not planes_are_images(image):
        return [origin_of(image.path)] * len(image)
    frames = frames_of(image.path)
    if frames is None:
        return [f"{image.path.as_posix()}#{first}" for first in _first_copies(image)]
    return [f"{image.path.as_posix()}#frame {frame}" for frame in frames]


def _first_copies(image: Image) -> list[int]:
    """For each plane the first one that it is a flip or turn of: itself, unless a set was enlarged by its copies."""
    seen: dict[bytes, int] = {}
    return [seen.setdefault(key_of_copies(image.plane(index)), index) for index in range(len(image))]


def _names(images: Sequence[Image]) -> list[str]:
    """Names below the folder that all files share; of images without a file their position."""
    shared = shared_folder([image.path.absolute() for image in images if image.path])
    return [
        image.path.absolute().relative_to(shared).as_posix() if image.path else str(position)
        for position, image in enumerate(images)
    ]
