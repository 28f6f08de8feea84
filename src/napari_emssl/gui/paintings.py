"""What a user has painted is never lost: a copy is kept whenever a training starts."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..data.planes import write_image
from ..models.zoo import home
from .requests import TrainingRequest

_WHOLE_BYTES = 64 * 2**20
"""Paintings up to this size are saved on the grid of the whole image, larger ones as their painted planes."""


def painting_path(request: TrainingRequest, now: datetime) -> Path:
    """Return where the painting of a request is kept, a file that does not exist yet."""
    folder = home() / "paintings"
    stem = f"{slug(request.source.name)}-{now:%Y-%m-%d-%H%M%S}"
    return unused(folder, stem, ".tif")


def save_painting(request: TrainingRequest, path: Path) -> None:
    """Write the painting as TIFF and, beside it, what is known of it as JSON; raises `UserError` when it cannot."""
    whole = np.prod(request.source.shape, dtype=float) <= _WHOLE_BYTES and len(request.source.shape) <= 4
    labels = request.painting.astype(smallest_type(int(request.painting.max())), copy=False)
    if whole:
        grid = np.zeros(request.source.shape, labels.dtype)
        for index, plane in zip(request.indices, labels, strict=True):
            grid[index] = plane
        labels = grid
    write_image(path, labels, request.source.pixel_size_nm)
    path.with_suffix(".json").write_text(json.dumps(_record(request, whole), indent=2), encoding="utf-8")


def _record(request: TrainingRequest, whole: bool) -> dict[str, Any]:
    return {
        "image": request.source.name,
        "image_shape": request.source.shape,
        "painted_planes": request.indices,
        "file_holds": "the whole grid of the image" if whole else "the painted planes, in this order",
        "unpainted": request.unpainted,
        "background_label": request.background_label,
        **{name: _plain(value) for name, value in request.source.placement.items()},
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else [str(part) for part in value]


def smallest_type(highest: int) -> Any:
    """Return the smallest unsigned integer type that holds `highest`."""
    return next(t for t in (np.uint8, np.uint16, np.uint32, np.uint64) if highest <= np.iinfo(t).max)


def slug(text: str, longest: int = 40) -> str:
    """Return a text as part of a file name: letters, digits and dashes."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return "-".join(filter(None, kept.split("-")))[:longest].strip("-") or "image"


def unused(folder: Path, stem: str, suffix: str) -> Path:
    """Return ``folder/stem`` + suffix, with a number behind the stem where that is taken."""
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
    return next(path for name in names if not (path := folder / f"{name}{suffix}").exists())
