"""Parts of a data set that its files name: ``Training_Images.h5``, ``val/0001.png``, ``test_12.tif``."""

import re
from collections.abc import Sequence
from typing import Literal

Part = Literal["training", "validation", "test"]
PARTS: tuple[Part, ...] = ("training", "validation", "test")

_WORDS: dict[str, Part] = {
    "train": "training",
    "training": "training",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def named_parts(names: Sequence[str]) -> list[Part | None]:
    """Return the part that each name says its file belongs to.

    A single word may mean anything, so names count only where some say training and others validation or test; files
    that say nothing are for training then.

    Parameters
    ----------
    names
        Path-like, without the folder that all share.

    Returns
    -------
    list
        A part for each name, or None for all of them.
    """
    found = [_part_of(name) for name in names]
    if "training" not in found or not {"validation", "test"} & set(found):
        return [None] * len(names)
    return [part or "training" for part in found]


def _part_of(name: str) -> Part | None:
    """The one part that the words of a name mean; None where there is none, or more than one."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    said = {_WORDS[word.lower()] for word in words if word.lower() in _WORDS}
    return said.pop() if len(said) == 1 else None
