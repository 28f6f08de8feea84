"""Pairs of HDF5 files that hold images and labels, found by the names of their data sets."""

import re
from collections.abc import Iterable
from pathlib import Path

from ..formats.hdf5 import SUFFIXES, role_of


def hdf5_pairs(files: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Pair HDF5 files of images with those of labels or maps: same name but for the word that names the role.

    A single file of images and a single one of labels or maps are a pair whatever their names.
    """
    sides: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    for file in files:
        role = role_of(file) if file.suffix.lower() in SUFFIXES else None
        if role is not None:
            stem = re.sub(r"[ _-]*(images?|labels?|maps?|masks?)[ _-]*", "", file.stem.casefold())
            sides[role != "images"][f"{file.parent.as_posix()}/{stem}"] = file
    if len(sides[0]) == len(sides[1]) == 1:
        return [(next(iter(sides[0].values())), next(iter(sides[1].values())))]
    return [(sides[0][key], sides[1][key]) for key in sides[0] if key in sides[1]]
