"""How much room there is: main memory and disk, and when there was none. Imports no torch: the viewer may ask, too."""

import errno
import os
import re
import shutil
from pathlib import Path

_UNKNOWN_FREE_BYTES = 2 * 2**30
_FULL = re.compile(
    r"DefaultCPUAllocator: (can't allocate|not enough) memory|MPS backend out of memory|std::bad_alloc|bad allocation"
    r"|can't start new thread|failed to map segment from shared object|could not create a (primitive|memory object)"
)
"""What torch says on a CPU and on a Mac's GPU, where its error is a bare RuntimeError, and what C++ says."""


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


def free_disk(folder: Path) -> int:
    """Return the bytes free where `folder` is, or will be made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, that of the computer or of a GPU, and nothing else.

    torch's own error is known by its name, as torch may not be imported here; on the CPU torch raises a bare
    RuntimeError with the message of its allocator, or of oneDNN. Threads and libraries need memory, too.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError | ImportError) and bool(_FULL.search(str(error)))
