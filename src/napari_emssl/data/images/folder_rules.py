"""What counts when a folder is searched for images: names, and folders that cannot be searched."""

import re
from pathlib import Path

from ...errors import UserError
from .readers import READERS

_JUNK = re.compile(
    r"^(\.|~\$|__MACOSX$|Thumbs\.db$|desktop\.ini$|lost\+found$|\$RECYCLE\.BIN$|System Volume Information$)",
    re.IGNORECASE,
)


def refuse_closed(error: OSError) -> None:
    """Raise `UserError` for a folder that may not be searched: its images would be missing without a word."""
    if isinstance(error, PermissionError):
        raise UserError(
            f"The folder {error.filename} cannot be searched ({error.strerror}). Allow it, or name the folders and "
            "files that are meant."
        ) from error


def is_regular(path: Path) -> bool:
    """Whether a path is a file or a folder: no pipe or device, and no link to nothing or to one of these."""
    return path.is_file() or path.is_dir()


def is_image_name(name: str) -> bool:
    """Whether a file or ``.zarr`` folder of this name counts as an image when a folder is searched."""
    return name[name.rfind(".") :].lower() in READERS and not _JUNK.match(name)


def is_junk(name: str) -> bool:
    """Whether a folder or file of this name is skipped when a folder is searched."""
    return bool(_JUNK.match(name))
