"""Metadata of OME-Zarr images (ngff.openmicroscopy.org, versions 0.4 and 0.5), as far as they are read and written."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from .units import square_pixel_nm

AXES = {2: "YX", 3: "ZYX", 4: "TZYX"}
"""Names of the axes of an image, by their number."""
MOST_AXES = max(AXES)
_LENGTHS = ("angstrom", "picometer", "nanometer", "micrometer", "millimeter", "meter")
_TIMES = ("nanosecond", "microsecond", "millisecond", "second", "minute", "hour")


class Axis(TypedDict):
    """One axis of an image."""

    name: str
    type: NotRequired[str]
    unit: NotRequired[str]


class Transformation(TypedDict, total=False):
    """From pixels to places; only those of the type ``scale`` are read."""

    type: str
    scale: list[float]
    translation: list[float]


class Level(TypedDict, total=False):
    """One resolution of an image."""

    path: str
    coordinateTransformations: list[Transformation]


class Multiscale(TypedDict, total=False):
    """An image in one or several resolutions, the finest first."""

    axes: list[Axis | str]
    datasets: list[Level]
    coordinateTransformations: list[Transformation]


class Attributes(TypedDict):
    """What stands under ``ome`` in the attributes of a group."""

    version: str
    multiscales: list[Multiscale]


def finest_pixel_size_nm(image: Multiscale) -> float | None:
    """Return the pixel size in nm of the finest resolution; None where it is not stated, or stretched."""
    levels = image.get("datasets") or [Level()]
    unit = next((axis.get("unit") for axis in image.get("axes", [])[-1:] if isinstance(axis, dict)), None)
    y = x = 1.0
    scales = [
        step["scale"]
        for holder in (levels[0], image)
        for step in holder.get("coordinateTransformations") or []
        if step.get("type") == "scale"
    ]
    for scale in scales:  # that of the level and that of the image are applied one after the other
        y, x = y * float(scale[-2]), x * float(scale[-1])
    return square_pixel_nm(y, x, unit) if scales else None


def single_level(axes: int, pixel_size_nm: float | None) -> Attributes:
    """Return the attributes, version 0.5, of an image with one resolution and 2 to 4 axes."""
    names: list[Axis | str] = [_axis(name, calibrated=bool(pixel_size_nm)) for name in AXES[axes].lower()]
    scale = [*(1.0 for _ in range(axes - 2)), pixel_size_nm or 1.0, pixel_size_nm or 1.0]
    level: Level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    return {"version": "0.5", "multiscales": [{"axes": names, "datasets": [level]}]}


def _axis(name: str, calibrated: bool) -> Axis:
    """One axis; only y and x have the unit, since nothing is known of the distance of planes."""
    axis: Axis = {"name": name, "type": "time" if name == "t" else "space"}
    if calibrated and name in "yx":
        axis["unit"] = "nanometer"
    return axis


@dataclass(frozen=True)
class ZarrGrid:
    """Where an image lies, as far as OME-Zarr can tell: one value for each axis; rotation and shear have no place."""

    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str, ...]
    """Full names of units: ``nanometer``, ``second``; what is neither a length nor a time is left out."""

    def ome(self, attributes: Attributes) -> Attributes:
        """Return the attributes of an image with one resolution with this grid written into them."""
        (image,) = attributes["multiscales"]
        axes = [_with_unit(axis, unit) for axis, unit in zip(image["axes"], self.units, strict=True)]
        transformations: list[Transformation] = [
            {"type": "scale", "scale": list(self.scale)},
            {"type": "translation", "translation": list(self.translate)},
        ]
        level: Level = {**image["datasets"][0], "coordinateTransformations": transformations}
        return {**attributes, "multiscales": [{**image, "axes": axes, "datasets": [level]}]}


def _with_unit(axis: Axis | str, unit: str) -> Axis | str:
    """One axis with its unit, where that is one that OME-Zarr knows for it."""
    if isinstance(axis, str):
        return axis
    known = _TIMES if axis.get("type") == "time" else _LENGTHS
    return {**axis, "unit": unit} if unit in known else axis
