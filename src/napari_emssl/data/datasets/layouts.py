"""Layouts of published data sets: which files are images to learn from, which share an origin, which are pairs."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import UserError
from ..formats.hdf5 import role_of
from ..images.readers import HDF5_SUFFIXES
from ..splits.origins import origin_of

LayoutName = Literal["auto", "folder", "cem500k", "tem-imagenet", "au-hdf5", "au5nm"]

TEM_IMAGENET_TARGETS = {
    "denoise": "noNoise",
    "remove-background": "noBackgroundnoNoise",
    "super-resolve": "noNoiseNoBackgroundSuperresolution",
    "segment": "circularMask",
}
"""Folder of TEM-ImageNet v1.3 that holds the targets of a task; the images are in ``image``."""

_CEM = re.compile(r"cem500k|cem1\.5m|cem1_5m|empiar-?(10592|11035)", re.IGNORECASE)
_LOOKED_INTO = 20
"""HDF5 files that are opened to find out the layout."""


@dataclass(frozen=True)
class Layout:
    """How a data set lies in its folder; names are relative to that folder, with forward slashes."""

    name: str
    fits: Callable[[Path, Sequence[str]], bool]
    """Whether a folder with these image files looks like it."""
    chooses: Callable[[Path, str], bool]
    """Whether a file is an image to learn from, not a target."""
    origin: Callable[[str], str]
    """What an image was cut from, see `origin_of`."""
    planes_are_images: bool = False
    """Whether each plane of a file is an image of its own, to be drawn and split by itself."""


def find_layout(root: Path, names: Sequence[str], wanted: LayoutName = "auto") -> Layout:
    """Return the layout asked for, or the first that fits.

    Parameters
    ----------
    root
        The folder.
    names
        Image files below it, relative.
    wanted
        ``auto``, or a layout by name.

    Raises
    ------
    UserError
        If the layout asked for finds no image among the files.
    """
    for layout in LAYOUTS.values():
        if wanted == "auto" and layout.fits(root, names):
            return layout
    layout = LAYOUTS["folder" if wanted == "auto" else wanted]
    if not any(layout.chooses(root, name) for name in names):
        raise UserError(f"{root} holds no image of the layout {layout.name}. Leave out --layout, or check the folder.")
    return layout


def _is_hdf5(name: str) -> bool:
    return name.lower().endswith(HDF5_SUFFIXES)


def _holds(*roles: str) -> Callable[[Path, Sequence[str]], bool]:
    """Return a test: whether HDF5 files, and nothing else, are there, one of them in such a role."""

    def fits(root: Path, names: Sequence[str]) -> bool:
        if not names or not all(map(_is_hdf5, names)):
            return False
        return any(role_of(root / name) in roles for name in names[:_LOOKED_INTO])

    return fits


def _is_h5_image(root: Path, name: str) -> bool:
    return _is_hdf5(name) and role_of(root / name) == "images"


def _folders(names: Iterable[str]) -> set[str]:
    return {name.rpartition("/")[0] for name in names}


def _fits_tem_imagenet(_root: Path, names: Sequence[str]) -> bool:
    found = {folder.rpartition("/")[2] for folder in _folders(names)}
    return "image" in found and bool(found & set(TEM_IMAGENET_TARGETS.values()))


def _fits_cem(root: Path, names: Sequence[str]) -> bool:
    return any("-LOC-" in name for name in names) or (_CEM.search(root.name) is not None and any(_folders(names)))


def _cem_origin(name: str) -> str:
    """Volume of a tile cut from one; else the sub-folder, which holds what was submitted together."""
    folder, _, file = name.rpartition("/")
    return folder if folder and "-LOC-" not in file else origin_of(name)


def _itself(name: str) -> str:
    return name


def _any(_root: Path, _names: str | Sequence[str]) -> bool:
    return True


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("au5nm", _holds("maps"), _is_h5_image, _itself, planes_are_images=True),
        Layout("au-hdf5", _holds("images", "labels"), _is_h5_image, _itself, planes_are_images=True),
        Layout("tem-imagenet", _fits_tem_imagenet, lambda _, name: "/image/" in f"/{name}", origin_of),
        Layout("cem500k", _fits_cem, _any, _cem_origin),
        Layout("folder", _any, _any, origin_of),
    )
}
"""By name, in the order in which they are tried."""
