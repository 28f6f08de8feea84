"""The user's folder: own models, paintings, samples, indices of large folders; and names of files in it."""

import os
from pathlib import Path


def home() -> Path:
    """Return the user's folder: ``$NAPARI_EMSSL_HOME`` or the platform's place for application data."""
    override = os.environ.get("NAPARI_EMSSL_HOME")
    if override:
        return Path(override)
    from platformdirs import user_data_path

    return user_data_path("napari-emssl", appauthor=False)


def safe_stem(text: str, longest: int = 40) -> str:
    """Return a text as part of a file name: lower-case ASCII letters, digits and dashes, at most `longest` of them."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return "-".join(filter(None, kept.split("-")))[:longest].strip("-") or "image"


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
