"""What a user has painted is never lost: a copy is saved whenever a training starts."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from ....atomic_files import replacing
from ....data.images.user_folder import home, safe_stem, unused_path
from ....data.images.writers import write_image
from .classes import PaintedClass, Unpainted
from .painted_image import PaintedImage

_WHOLE_BYTES = 64 * 2**20
"""Paintings up to this size are saved on the grid of the whole image, larger ones as their painted planes."""


def painting_paths(images: Sequence[PaintedImage], now: datetime) -> tuple[Path, ...]:
    """Return where the paintings of some images are saved, files that do not exist yet, in the order of the images."""
    folder = home() / "paintings"
    stems = [f"{safe_stem(painted.source.name)}-{now:%Y-%m-%d-%H%M%S}" for painted in images]
    numbered = [f"{stem}-image-{n}" if stems.count(stem) > 1 else stem for n, stem in enumerate(stems, start=1)]
    return tuple(unused_path(folder, stem, ".tif") for stem in numbered)


def save_paintings(
    images: Sequence[PaintedImage],
    paths: Sequence[Path],
    classes: Sequence[PaintedClass],
    unpainted: Unpainted,
    overwrite: bool = False,
) -> None:
    """Write each painting as TIFF and, beside it, what is known of it as JSON.

    Parameters
    ----------
    images
        The paintings, and the images that they lie on.
    paths
        Where the TIFF files go, in the same order.
    classes
        What the labels stand for.
    unpainted
        What unpainted pixels mean.
    overwrite
        Whether files of an earlier moment are replaced.

    Raises
    ------
    UserError
        When a file cannot be written.

    """
    meaning: dict[str, object] = {
        "unpainted": unpainted,
        "labels": {label.value: {"name": label.name, "role": label.role} for label in classes},
    }
    for painted, path in zip(images, paths, strict=True):
        _save_painting(painted, path, meaning, overwrite)


def _save_painting(painted: PaintedImage, path: Path, meaning: dict[str, object], overwrite: bool) -> None:
    shape = painted.source.shape
    whole = np.prod(shape, dtype=float) <= _WHOLE_BYTES and len(shape) <= 4
    highest = max((int(plane.max(initial=0)) for plane in painted.labels.values()), default=0)
    grid = np.zeros(shape if whole else (len(painted.labels), *shape[-2:]), np.min_scalar_type(highest))
    for number, (index, plane) in enumerate(painted.labels.items()):
        grid[index if whole else number] = plane
    write_image(path, grid, painted.source.pixel_size_nm, overwrite)
    with replacing(path.with_suffix(".json"), overwrite) as temporary:
        temporary.write_text(json.dumps(_record(painted, whole, meaning), indent=2), encoding="utf-8")


def _record(painted: PaintedImage, whole: bool, meaning: dict[str, object]) -> dict[str, object]:
    return {
        "image": painted.source.name,
        "image_shape": painted.source.shape,
        "painted_planes": list(painted.labels),
        "file_holds": "the whole grid of the image" if whole else "the painted planes, in this order",
        **meaning,
        "fully_annotated": [
            {"plane": region.at, "outline_px": region.outline.round(2).tolist()} for region in painted.regions
        ],
        **{name: _plain(value) for name, value in painted.source.placement.items()},
    }


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [str(part) for part in value] if isinstance(value, tuple) else str(value)
