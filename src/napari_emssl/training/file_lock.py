"""Two runs never write one file: a path is claimed beside it, by a lock of the operating system.

Such a lock ends with its process; the file of a run that was killed holds nobody up, and the next run that claims
something in the folder removes it. It works over NFS where the server has locks; where a file system has none, a marker
with host and process is written instead (`filelock`).
"""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..atomic_files import remove_empty, sweep_once
from ..errors import UserError

_HOLDER = re.compile(r"process (\d{1,9}) on (.*)", re.DOTALL)
_LOCK = ".lock"
_swept: set[Path] = set()


@contextmanager
def claimed(*paths: Path) -> Iterator[None]:
    """Hold `paths` (files or folders, there or not) for this run alone.

    Folders that are missing are made; those in which nothing was written are removed at the end.

    Raises
    ------
    UserError
        When another run holds one of them, or no lock can be made there.

    """
    with ExitStack() as stack:
        for path in paths:
            sweep_once(path.absolute().parent)
            _sweep_locks(path.absolute().parent)
            stack.enter_context(_folder_of(path))
            stack.enter_context(_lock(path))
        yield


@contextmanager
def claimed_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for this run alone, by a lock inside it; as `claimed` holds files."""
    sweep_once(folder.absolute())
    beside = folder.absolute() / _LOCK
    with _folder_of(beside), _lock(folder, beside):
        yield


def holds_something(folder: Path) -> bool:
    """Whether a folder is there and holds anything but the lock by which a run holds it."""
    return folder.is_dir() and any(path.name != _LOCK for path in folder.iterdir())


@contextmanager
def _lock(path: Path, beside: Path | None = None) -> Iterator[None]:
    from filelock import FileLock, Timeout  # late: it would be felt in --help

    place = path.absolute()  # '.' has a name there
    if not place.name:
        raise UserError(f"Nothing can be written to '{path}'. Name a file or folder in it.")
    beside = beside or place.with_name(f".{place.name}.lock")
    lock = FileLock(beside, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another run is writing '{path}'{_holder(beside)}. Wait for it to finish, or choose another name."
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"'{path}' cannot be locked for this run ({reason}). Choose another folder.") from error
    try:
        with suppress(OSError):  # Windows lets nobody write to a file that is locked
            beside.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # before the release, so that nobody's lock but ours is removed
            beside.unlink()
        lock.release()


def _sweep_locks(folder: Path) -> None:
    """Remove the locks that killed runs of this computer have left in a folder, once in the life of this process."""
    from filelock import FileLock, Timeout  # late: it would be felt in --help

    if folder in _swept:
        return
    _swept.add(folder)
    for lock in folder.glob(".*.lock"):
        if _is_left(lock):
            # held meanwhile, as at the end of a run: another may have claimed it since, and has not signed it yet
            with suppress(OSError, Timeout), FileLock(lock).acquire(timeout=0):
                lock.unlink()


def _is_left(lock: Path) -> bool:
    """Whether the process that made a lock is known to be gone."""
    import psutil  # late: few runs find any

    made = _HOLDER.fullmatch(_text_of(lock))
    return made is not None and made[2] == socket.gethostname() and not psutil.pid_exists(int(made[1]))


def _text_of(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _holder(beside: Path) -> str:
    """Say who holds a lock, where that can be read."""
    text = _text_of(beside)
    return f" ({text})" if text.startswith("process ") else ""


@contextmanager
def _folder_of(path: Path) -> Iterator[None]:
    missing = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        taken = next((folder for folder in path.absolute().parents if folder.is_file()), None)
        reason = f"'{taken}' is a file" if taken else error.strerror
        raise UserError(f"Folder '{path.parent}' cannot be made: {reason}. Choose another folder.") from error
    try:
        yield
    finally:
        remove_empty(missing)
