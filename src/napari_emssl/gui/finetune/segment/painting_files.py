"""What a user has painted is never lost: a copy is kept whenever a training starts."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ....data.images.image import write_image
from ....data.images.user_folder import safe_stem, unused_path
from ....models.zoo import home
from .request import PaintedImage, TrainingRequest

_WHOLE_BYTES = 64 * 2**20
"""Paintings up to this size are saved on the grid of the whole image, larger ones as their painted planes."""


def painting_paths(request: TrainingRequest, now: datetime) -> tuple[Path, ...]:
    """Return where the paintings of a request are kept, files that do not exist yet, in the order of its images."""
    folder = home() / "paintings"
    stems = [f"{safe_stem(painted.source.name)}-{now:%Y-%m-%d-%H%M%S}" for painted in request.images]
    numbered = [f"{stem}-image-{n}" if stems.count(stem) > 1 else stem for n, stem in enumerate(stems, start=1)]
    return tuple(unused_path(folder, stem, ".tif") for stem in numbered)


def save_paintings(request: TrainingRequest, paths: Sequence[Path]) -> None:
    """Write each painting as TIFF and, beside it, what is known of it as JSON; raises `UserError` when it cannot."""
    for painted, path in zip(request.images, paths, strict=True):
        _save_painting(painted, request, path)


def _save_painting(painted: PaintedImage, request: TrainingRequest, path: Path) -> None:
    shape = painted.source.shape
    whole = np.prod(shape, dtype=float) <= _WHOLE_BYTES and len(shape) <= 4
    labels = painted.painting.astype(smallest_type(int(painted.painting.max(initial=0))), copy=False)
    if whole:
        grid = np.zeros(shape, labels.dtype)
        for index, plane in zip(painted.indices, labels, strict=True):
            grid[index] = plane
        labels = grid
    write_image(path, labels, painted.source.pixel_size_nm)
    path.with_suffix(".json").write_text(json.dumps(_record(painted, request, whole), indent=2), encoding="utf-8")


def _record(painted: PaintedImage, request: TrainingRequest, whole: bool) -> dict[str, Any]:
    return {
        "image": painted.source.name,
        "image_shape": painted.source.shape,
        "painted_planes": painted.indices,
        "file_holds": "the whole grid of the image" if whole else "the painted planes, in this order",
        "unpainted": request.unpainted,
        "labels": {label.value: {"name": label.name, "role": label.role} for label in request.classes},
        "fully_annotated": [
            {"plane": region.at, "outline_px": region.outline.round(2).tolist()} for region in painted.regions
        ],
        **{name: _plain(value) for name, value in painted.source.placement.items()},
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else [str(part) for part in value]


def smallest_type(highest: int) -> Any:
    """Return the smallest unsigned integer type that holds `highest`."""
    return next(t for t in (np.uint8, np.uint16, np.uint32, np.uint64) if highest <= np.iinfo(t).max)
