"""Arrays of NumPy, memory-mapped."""

from pathlib import Path

import numpy as np

from .contents import RawImage, Select, is_colour, single


def read_npy(path: Path, select: Select) -> list[RawImage]:
    """Open an array, never unpickling it; ``(..., h, w, 3 | 4)`` uint8 is colour."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "bject" not in str(error):
            raise
        raise ValueError("it is not a plain array of numbers, and Python objects are never loaded") from error
    if not isinstance(array, np.ndarray):
        raise ValueError("it is an archive of arrays, not one array")
    return single(RawImage(array, colour=is_colour(array)), select)
