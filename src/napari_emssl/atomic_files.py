"""Files and folders that are either complete or absent: written under another name, then renamed."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError


@contextmanager
def replacing(path: Path | str, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success it is renamed to `path`, on failure it is removed.

    What was there before stays untouched until the new file (or folder) is complete.

    Raises
    ------
    UserError
        If `path` exists and `overwrite` is false, or the file cannot be written (disk full, no permission).
    """
    path = Path(path)
    check_free(path, overwrite)
    # beside the target, so that renaming moves no bytes; hidden, so that searches of the folder pass it over
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        check_free(path, overwrite)  # again: writing takes time, in which another program may have made the file
        _rename(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Whatever was there before is unchanged. "
            "Make room or choose another folder."
        ) from error
    finally:
        _remove(temporary)


def check_free(path: Path, overwrite: bool) -> None:
    """Raise `UserError` where something exists that may not be replaced."""
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already. Choose another name, or allow overwriting.")


def _rename(temporary: Path, path: Path) -> None:
    """Put a finished file or folder in its place."""
    if not path.is_dir():
        temporary.replace(path)
        return
    # a folder cannot be renamed onto another: the old one steps aside, and back where the new one cannot come in
    old = path.with_name(f".{uuid.uuid4().hex[:8]}.old.{path.name}")
    path.rename(old)
    try:
        temporary.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # the error under way says what is wrong with the place; the clean-up must not hide it with one of its own
        with suppress(OSError):
            path.unlink(missing_ok=True)
