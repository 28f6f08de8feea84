"""Which function of `data/formats` opens which file, by suffix, and how to get the packages that readers need.

A format is imported when a file of it is opened.
"""

from functools import cache
from pkgutil import resolve_name

from ..formats.contents import HeaderReader, Reader

_FORMATS = "napari_emssl.data.formats"
HDF5_SUFFIXES = (".h5", ".hdf5")
READERS = {
    **dict.fromkeys((".tif", ".tiff"), f"{_FORMATS}.tiff.reader:read_tiff"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), f"{_FORMATS}.pictures:read_picture"),
    ".npy": f"{_FORMATS}.npy:read_npy",
    **dict.fromkeys((".mrc", ".mrcs", ".map"), f"{_FORMATS}.mrc:read_mrc"),
    ".zarr": f"{_FORMATS}.zarr_store:read_zarr",
    **dict.fromkeys(HDF5_SUFFIXES, f"{_FORMATS}.hdf5:read_hdf5"),
    **dict.fromkeys((".dm3", ".dm4", ".emd"), f"{_FORMATS}.rosettasciio:read_em"),
    ".ser": f"{_FORMATS}.ser:read_ser",
}
"""Reader by file suffix, lower case, as ``module:function``."""

HEADER_READERS = {
    **dict.fromkeys((".tif", ".tiff"), f"{_FORMATS}.tiff.reader:read_tiff_header"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), f"{_FORMATS}.pictures:read_picture_header"),
}
"""What reads a header alone, where that is quicker than to open the file; by suffix, as ``module:function``."""

HINTS = {
    "rsciio": 'pip install "napari-emssl[em]"',
    "mrcfile": "pip install mrcfile",
    "zarr": 'pip install "zarr>=3"',
    "imagecodecs": "pip install imagecodecs",
}
"""How to get the package that a reader lacks, by module name."""


def reader_of(suffix: str) -> Reader:
    """Import the reader of a suffix, one of those in `READERS`."""
    reader: Reader = resolve_name(READERS[suffix])
    return reader


@cache
def header_reader_of(suffix: str) -> HeaderReader | None:
    """Import what reads the headers of files with a suffix; None where the file has to be opened."""
    found = HEADER_READERS.get(suffix)
    reader: HeaderReader | None = resolve_name(found) if found else None
    return reader
