"""How much room there is: main memory and disk, and when there was none. Imports no torch: the viewer may ask, too."""

import os
import shutil
from pathlib import Path

_UNKNOWN_FREE_BYTES = 2 * 2**30
_PHRASES = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
)
"""What torch says on a CPU and on a Mac's GPU, where its error is a bare RuntimeError."""


def free_main_memory() -> int:
    """Return the bytes of main memory that are free: by psutil, else the operating system, else 2 GiB are assumed."""
    try:
        import psutil
    except ImportError:
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, OSError, ValueError):
            return _UNKNOWN_FREE_BYTES
    return int(psutil.virtual_memory().available)


def says_out_of_memory(error: BaseException) -> bool:
    """Whether the text of an error says that memory ran out."""
    return any(phrase in str(error) for phrase in _PHRASES)


def free_disk(folder: Path) -> int:
    """Return the bytes free where `folder` is, or will be made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free
