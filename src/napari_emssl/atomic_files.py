"""Files and folders that are either complete or absent: written under another name, then renamed.

The other name tells which process of which computer writes it. What a killed program left is found by that, and removed
by the next one that writes into the folder.
"""

import os
import platform
import re
import shutil
import sys
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from .errors import UserError

_NAME = re.compile(
    r"\.emssl-(?P<node>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}-(?P<kind>new|old)\.(?P<name>.*)", re.DOTALL
)
_LONGEST_BYTES = 200
"""Of the name of what is written; file systems take 255 bytes, and letters have up to four."""
_PROGRAMS = ("python", "napari", Path(sys.executable).name.lower())
"""Beginnings of the names of processes that may be this program."""
_FORGOTTEN_SECONDS = 7 * 86_400.0
"""After this time, what another computer began is taken to be abandoned."""
_BUSY_SECONDS, _LOOK_SECONDS = 2.0, 0.05
"""How long Windows is asked again whether a file may be renamed."""
_swept: set[Path] = set()


@contextmanager
def replacing(path: Path | str, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it is renamed to `path`, on failure it is removed.

    What was there before stays untouched until the new file (or folder) is complete.

    Folders that are missing are made, and stay where something was written.

    Raises
    ------
    UserError
        If `path` exists and `overwrite` is false, or the file cannot be written (disk full, no permission).
    """
    path = Path(path)
    check_free(path, overwrite)
    temporary = hidden_name(path)
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(path.parent)
        yield temporary
        check_free(path, overwrite)  # again: writing takes time, in which another program may have made the file
        _rename(temporary, path)
        missing = []
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Whatever was there before is unchanged. "
            + _way_out(error)
        ) from error
    finally:
        remove(temporary)
        remove_empty(missing)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that were made for what was not written after all, the deepest first, as far as they are empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def write_text(path: Path, text: str, overwrite: bool = False) -> None:
    """Write a text file in UTF-8; what no text can hold, bytes in names of files, is written as escapes.

    Parameters
    ----------
    path
        The file to write; it is never half there.
    text
        What it holds.
    overwrite
        Whether a file that is there may be replaced.

    Raises
    ------
    UserError
        If it is there and `overwrite` is false, or cannot be written.

    """
    with replacing(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _way_out(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "Close the programs that have it open, or choose another folder."
    return "Make room or choose another folder."


def move(source: Path, target: Path) -> None:
    """Rename a file or folder that was just written; a file that is at `target` is replaced.

    On Windows that is refused while somebody has it open, as virus scanners and indexers have whatever is new for a
    moment: so it is tried again for two seconds.

    Raises
    ------
    OSError
        When it cannot be done.

    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > until:
                raise
        time.sleep(_LOOK_SECONDS)


def hidden_name(path: Path, kind: Literal["new", "old"] = "new") -> Path:
    """Return a temporary name for what becomes `path`, or what steps aside for it.

    It is beside the target, so that renaming moves no bytes, and hidden, so that searches of the folder pass it over.
    """
    name = path.name
    while len(os.fsencode(name)) > _LONGEST_BYTES:
        name = name[1:]
    return path.with_name(f".emssl-{_node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}-{kind}.{name}")


def sweep_once(folder: Path) -> None:
    """Remove what killed programs left in a folder, unless this program did so already."""
    if folder.absolute() not in _swept:
        _swept.add(folder.absolute())
        sweep(folder)


def sweep(folder: Path) -> None:
    """Remove what killed programs left in a folder; what stepped aside comes back where nothing took its place.

    Nothing is raised: whoever comes to write has nothing to do with what is left.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if not found or not _is_left(found["node"], int(found["process"]), entry):
                continue
            target = folder / found["name"]
            if found["kind"] == "old" and not os.path.lexists(target):
                if len(os.fsencode(found["name"])) < _LONGEST_BYTES - 3:  # else it may have been cut: nobody knows it
                    with suppress(OSError):
                        Path(entry.path).rename(target)
            else:
                remove(Path(entry.path))


def _is_left(node: str, process: int, entry: "os.DirEntry[str]") -> bool:
    """Whether whoever wrote it is gone."""
    import psutil  # late: few runs find anything

    try:
        written = entry.stat(follow_symlinks=False).st_mtime
        if node != _node():
            return time.time() - written > _FORGOTTEN_SECONDS
        if process == os.getpid():
            return False
        # another process may have got the number meanwhile; but where the clock was put forward, it seems so too, and
        # what is written by a program like this one stays
        other = psutil.Process(process)
        return other.create_time() > written + 1 and not other.name().lower().startswith(_PROGRAMS)
    except psutil.NoSuchProcess:
        return True
    except (OSError, psutil.Error, OverflowError):
        return False


def _node() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def check_free(path: Path, overwrite: bool) -> None:
    """Raise `UserError` where something exists that may not be replaced; pipes and devices never may."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{path} is a pipe or a device, which is not replaced. Name a file.")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already. Choose another name, or allow overwriting.")


def _rename(temporary: Path, path: Path) -> None:
    """Put a finished file or folder in its place."""
    if not path.is_dir():
        move(temporary, path)
        return
    # a folder cannot be renamed onto another: the old one steps aside, and back where the new one cannot come in
    old = hidden_name(path, "old")
    move(path, old)
    try:
        move(temporary, path)
    except OSError:
        move(old, path)
        raise
    remove(old)


def remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # the error under way says what is wrong with the place; the clean-up must not hide it with one of its own
        with suppress(OSError):
            path.unlink(missing_ok=True)
