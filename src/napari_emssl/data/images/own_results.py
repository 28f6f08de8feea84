"""Results of this program among image files: what is written into them about their making, and how they are found.

A result that lies in a folder of images would be taken for one of them by the next run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ... import __version__
from ...json_text import parse_json
from .opening import find_images

RESULT_ATTRIBUTE = "napari_emssl_result"
"""Attribute of a zarr group that says by what it was made."""
PROGRESS_ATTRIBUTE = "napari_emssl"
"""Attribute of a zarr group that is written plane by plane and can be resumed."""
_HEAD_BYTES = 8192
"""In these a TIFF that is written here names its software: of hundreds of thousands of images no more is read."""
_TEXT = re.compile(r"napari-emssl [^;]{1,40}; work ([0-9a-f]{32}); model ([^\0]*)", re.ASCII)
_TIFF = (".tif", ".tiff")


@dataclass(frozen=True)
class MadeBy:
    """What a result was made by."""

    model: str
    """Name of the model."""
    work: str
    """Checksum of the model and of the settings that change results; empty where it is not recorded."""

    def text(self) -> str:
        """Return it as a file holds it: in ASCII, as TIFF wants it."""
        name = self.model.encode("ascii", "backslashreplace").decode()
        return f"napari-emssl {__version__}; work {self.work}; model {name}"


def made_by(path: Path) -> MadeBy | None:
    """Return what an image file was made by; None where it is no result of this program, or cannot be read."""
    try:
        if path.suffix.lower() in _TIFF and path.is_file():
            with path.open("rb", buffering=0) as file:
                return _read(file.read(_HEAD_BYTES).decode("latin-1"))
        return _of_zarr(path) if path.is_dir() else None
    except Exception:  # whatever is wrong with a file is told when it is opened as an image
        return None


def _read(text: str) -> MadeBy | None:
    found = _TEXT.search(text)
    return None if found is None else MadeBy(found[2], found[1])


def _of_zarr(path: Path) -> MadeBy | None:
    described = cast(dict[str, dict[str, object]], parse_json((path / "zarr.json").read_bytes()))
    attributes = described["attributes"]
    if isinstance(resumable := attributes.get(PROGRESS_ATTRIBUTE), dict):
        return MadeBy(str(resumable.get("model", "")), "")
    return _read(str(attributes.get(RESULT_ATTRIBUTE, "")))


def results_among(images: Sequence[Path], root: Path, folder: Path | None = None) -> list[Path]:
    """Return the results of this program among the image files of a folder, as far as they are not what is looked for.

    A folder that holds nothing but results is one to go on from, such as one of images without their noise; and so is
    a file that is named.

    Parameters
    ----------
    images
        The image files that were found.
    root
        Where: a folder, or the image file itself.
    folder
        To which a run writes: results in it are its own.

    """
    if list(images) == [root]:
        return []
    results = [path for path in images if made_by(path) is not None]
    if len(results) < len(images):
        return results
    return [] if folder is None else [path for path in results if folder.absolute() in path.absolute().parents]


def results_below(root: Path, folder: Path | None = None) -> list[Path]:
    """Search a folder, or an image file, for `results_among`; raises `UserError` as `find_images` does."""
    return results_among(find_images(root), root, folder)
