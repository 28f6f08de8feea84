"""The user's folder: own models, paintings, samples, indices of large folders; and names of files in it."""

import os
import re
from pathlib import Path

from ...errors import UserError

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])( *\..*)?", re.IGNORECASE | re.DOTALL)


def home() -> Path:
    """Return the user's folder: ``$NAPARI_EMSSL_HOME`` or the platform's place for application data."""
    override = os.environ.get("NAPARI_EMSSL_HOME")
    if override:
        return Path(override)
    from platformdirs import user_data_path

    return user_data_path("napari-emssl", appauthor=False)


def is_device_name(name: str) -> bool:
    """Whether Windows takes a file of this name for a device, with any suffix and in any case: ``con``, ``nul.tif``."""
    return _DEVICES.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return `name`; raises `UserError` when it cannot be the name of a model, and of its file on every system."""
    if not re.fullmatch(r"[\w][\w .+()-]*", name):
        raise UserError(f"'{name}' is not a valid name for a model. Use letters, digits, spaces, '-', '_' and '.'.")
    if is_device_name(name):
        raise UserError(
            f"'{name}' is not a valid name for a model: Windows keeps it for a device. Choose another name."
        )
    return name


def safe_stem(text: str, longest: int = 40) -> str:
    """Return a text as part of a file name: lower-case ASCII letters, digits and dashes, about `longest` of them."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    stem = "-".join(filter(None, kept.split("-")))[:longest].strip("-") or "image"
    return f"{stem}-image" if is_device_name(stem) else stem


def unused_path(folder: Path, stem: str, suffix: str) -> Path:
    """Return a path in a folder that nothing has yet.

    Parameters
    ----------
    folder
        Where the file will be.
    stem, suffix
        Its name; the stem gets ``-2``, ``-3``, ... where that is taken.
    """
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
    return next(path for name in names if not (path := folder / f"{name}{suffix}").exists())
