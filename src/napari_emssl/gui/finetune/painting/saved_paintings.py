"""Paintings that were saved, opened again with their classes, roles and regions. No Qt."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from ....data.arrays import Floats
from ....data.images.opening import read_image
from ....data.images.user_folder import home
from ....errors import UserError
from ....json_text import parse_json
from ...layers.layers import placement, placement_of_plane
from .classes import PaintedClass, Role, remember
from .regions import AnnotatedRegion, new_regions

if TYPE_CHECKING:
    from napari.layers import Image, Labels

_WHOLE = "the whole grid"
_LARGEST_LABEL = 2**63 - 1
_FARTHEST_PX = 1e7
"""An outline may leave its image, but not so far that it cannot be shown."""
_MOST_READ = 200
"""Records that are looked into, the newest ones."""


class _Meaning(BaseModel):
    name: str
    role: Role = "class"


class _Region(BaseModel):
    plane: list[int] = Field(default_factory=list)
    outline_px: list[tuple[float, float]]

    def is_drawn_on(self, shape: list[int]) -> bool:
        """Whether it is an outline on a plane of an image."""
        near = all(abs(place) <= _FARTHEST_PX for point in self.outline_px for place in point)  # False for NaN, too
        leading = shape[:-2][-len(self.plane) :] if self.plane else []
        inside = len(self.plane) == len(leading) and all(0 <= at < n for at, n in zip(self.plane, leading, strict=True))
        return near and inside and len(set(self.outline_px)) > 2


class _Record(BaseModel):
    """What stands beside a painting, see `save_paintings`."""

    image: str
    image_shape: list[int]
    painted_planes: list[list[int]]
    file_holds: str
    labels: dict[int, _Meaning] = Field(default_factory=dict)
    fully_annotated: list[_Region] = Field(default_factory=list)


@dataclass(frozen=True)
class SavedPainting:
    """A painting in the user's folder."""

    path: Path
    record: _Record = field(repr=False)
    written: datetime

    @property
    def classes(self) -> tuple[PaintedClass, ...]:
        """What its labels stand for; numbers that no label can be are left out."""
        return tuple(
            PaintedClass(value, said.name, said.role)
            for value, said in self.record.labels.items()
            if 0 <= value <= _LARGEST_LABEL
        )

    @property
    def regions(self) -> tuple[AnnotatedRegion, ...]:
        """What is fully annotated; outlines that nobody can have drawn are left out."""
        drawn = [region for region in self.record.fully_annotated if region.is_drawn_on(self.record.image_shape)]
        return tuple(
            AnnotatedRegion(tuple(region.plane), np.array(region.outline_px, float).reshape(-1, 2))
            for region in drawn
            if len(region.plane) == len(drawn[0].plane)
        )

    def labels(self) -> NDArray[np.generic]:
        """Read the labels, on the grid of the image.

        Raises
        ------
        UserError
            When the file cannot be read, or does not hold what its record says.

        """
        saved, shape = np.asarray(read_image(self.path).planes), tuple(self.record.image_shape)
        if self.record.file_holds.startswith(_WHOLE):
            if saved.size != np.prod(shape):
                raise self._unlike_its_record()
            return saved.reshape(shape)
        whole = np.zeros(shape, saved.dtype)
        try:
            for index, plane in zip(self.record.painted_planes, saved.reshape(-1, *shape[-2:]), strict=True):
                whole[tuple(index)] = plane
        except (ValueError, IndexError) as error:
            raise self._unlike_its_record() from error
        return whole

    def _unlike_its_record(self) -> UserError:
        return UserError(f"'{self.path}' does not match '{self.path.stem}.json'. Press 'New' to start a new painting.")

    def describe_in(self, painting: "Labels") -> None:
        """Write what the labels stand for into a layer."""
        for painted in self.classes:
            remember([painting], painted)


def saved_paintings(name: str, shape: tuple[int, ...]) -> list[SavedPainting]:
    """Return the saved paintings of an image, newest first; records that cannot be read are left out.

    Parameters
    ----------
    name
        Of the image.
    shape
        Of its grid.

    """
    records = sorted((home() / "paintings").glob("*.json"), key=_written, reverse=True)[:_MOST_READ]
    found = (saved for path in records for saved in _opened(path))
    return [saved for saved in found if saved.record.image == name and tuple(saved.record.image_shape) == shape]


def _opened(path: Path) -> Iterator[SavedPainting]:
    with suppress(OSError, ValueError, ValidationError, RecursionError):
        record = _Record.model_validate(parse_json(path.read_bytes()))
        picture = path.with_suffix(".tif")
        if picture.is_file():
            yield SavedPainting(picture, record, datetime.fromtimestamp(_written(path)))


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def shapes_of(regions: tuple[AnnotatedRegion, ...], image: "Image") -> tuple[list[Floats], dict[str, object]]:
    """Return polygons and keyword arguments of the Shapes layer that holds these regions of an image.

    Parameters
    ----------
    regions
        At least one; those of one painting lie on planes alike.
    image
        The image they were drawn on.

    """
    where, axes = new_regions(image), len(regions[0].at)
    if not axes:
        where |= {"ndim": 2, **placement_of_plane(placement(image))}
    polygons = [np.hstack([np.tile(region.at, (len(region.outline), 1)), region.outline]) for region in regions]
    return polygons, {**where, "shape_type": "polygon"}
