"""Which reader opens which file, by suffix; and how to get the packages that readers need."""

from pathlib import Path

import numpy as np

from ..formats.contents import RawImage, Reader, Select, is_colour, single
from ..formats.hdf5 import SUFFIXES as HDF5_SUFFIXES
from ..formats.hdf5 import read_hdf5
from ..formats.mrc import read_mrc
from ..formats.pictures import read_picture
from ..formats.rosettasciio import SUFFIXES as EM_SUFFIXES
from ..formats.rosettasciio import read_em
from ..formats.ser import read_ser
from ..formats.tiff.reader import read_tiff
from ..formats.zarr_store import read_zarr


def _read_npy(path: Path, select: Select) -> list[RawImage]:
    """NumPy array, memory-mapped; never unpickles. ``(..., h, w, 3 | 4)`` uint8 is colour."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "bject" not in str(error):
            raise
        raise ValueError("it is not a plain array of numbers, and Python objects are never loaded") from error
    if not isinstance(array, np.ndarray):
        raise ValueError("it is an archive of arrays, not one array")
    return single(RawImage(array, colour=is_colour(array)), select)


READERS: dict[str, Reader] = {
    **dict.fromkeys((".tif", ".tiff"), read_tiff),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), read_picture),
    ".npy": _read_npy,
    **dict.fromkeys((".mrc", ".mrcs", ".map"), read_mrc),
    ".zarr": read_zarr,
    **dict.fromkeys(HDF5_SUFFIXES, read_hdf5),
    **dict.fromkeys(EM_SUFFIXES, read_em),
    ".ser": read_ser,
}
"""Reader by file suffix, lower case."""

HINTS = {
    "rsciio": 'pip install "napari-emssl[em]"',
    "mrcfile": "pip install mrcfile",
    "zarr": 'pip install "zarr>=3"',
    "imagecodecs": "pip install imagecodecs",
}
"""How to get the package that a reader lacks, by module name."""
