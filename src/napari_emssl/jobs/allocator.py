"""Memory that is freed stays with the process while a job runs, and goes back to the system when it ends.

The C library of Linux gives every block above 32 MB back as soon as it is freed, and the system clears each page of the
next one anew. A network frees and asks for such blocks in every layer: in passes over planes of 2048 px this took more
than half of the time. Elsewhere, and with other C libraries, nothing is done. Imports no torch.

The library also gives threads arenas of their own, which keep no block above 64 MB, and whose ends it never gives back
while freed memory is kept. So threads that begin after the first job share one arena; in a process that lives on, and
waits, all of them do.
"""

import ctypes
import platform
import sys
import threading
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEPT = 2**31 - 1
_USUAL = 32 * 2**20
"""The largest threshold that the library reaches by itself; the one for trimming is twice that."""

_lock = threading.Lock()
_holders = 0


@cache
def keeps_memory() -> bool:
    """Whether freed memory can be kept here: with the GNU C library."""
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc"


def keeping_memory() -> Generator[None, None, None]:
    """Keep freed memory for what is asked for next, from the first ``next`` until closed or dropped."""
    _hold(1)
    try:
        yield
    finally:
        _hold(-1)


kept_memory = contextmanager(keeping_memory)
"""The same as a block; memory goes back when the last of all such blocks is left."""


def share_one_arena(environment: MutableMapping[str, str]) -> None:
    """Let all threads of a process that starts with `environment` take memory from one place, unless it says how."""
    environment.setdefault("MALLOC_ARENA_MAX", "1")


def release_memory() -> None:
    """Give memory that is free within the process back to the system."""
    if keeps_memory():
        ctypes.CDLL(None).malloc_trim(0)


def _hold(change: int) -> None:
    global _holders
    with _lock:
        before, _holders = _holders, _holders + change
        if bool(before) == bool(_holders) or not keeps_memory():
            return
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, _KEPT if _holders else _USUAL)
        library.mallopt(_TRIM_THRESHOLD, _KEPT if _holders else 2 * _USUAL)
    if not _holders:
        release_memory()
