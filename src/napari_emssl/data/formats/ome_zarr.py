"""Metadata of OME-Zarr images (ngff.openmicroscopy.org, versions 0.4 and 0.5), as far as they are read and written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from .axes import AxisOrder, PlaneAxis, axis_order, is_spectral, plane_axis
from .units import PixelNm, PixelSize, edges_of, pixel_nm

AXES = {2: "YX", 3: "ZYX", 4: "TZYX"}
"""Names of the axes of an image of which nothing else is known, by their number."""
MOST_AXES = max(AXES)
_LENGTHS = ("angstrom", "picometer", "nanometer", "micrometer", "millimeter", "meter")
_TIMES = ("nanosecond", "microsecond", "millisecond", "second", "minute", "hour")
_UNITS = {"t": "second", "z": "nanometer"}
_TYPES = {"t": "time", "c": "channel"}
_FIVE = "tczyx"
"""Axes of versions that named none."""


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

    name: str
    axes: list[Axis | str]
    datasets: list[Level]
    coordinateTransformations: list[Transformation]


class Attributes(TypedDict):
    """What stands under ``ome`` in the attributes of a group."""

    version: str
    multiscales: list[Multiscale]


def axes_of(image: Multiscale, shape: Sequence[int]) -> tuple[AxisOrder, tuple[PlaneAxis, ...], PixelNm | None]:
    """Return which axes of an image are height and width, what the others count, and the size of a pixel.

    Parameters
    ----------
    image
        What the group says of it.
    shape
        Of the finest resolution.

    Raises
    ------
    ValueError
        Where its axes are not those of planes.
    """
    axes = _axes(image, len(shape))
    spectral = next((axis for axis, n in zip(axes, shape, strict=True) if n > 1 and _is_spectrum(axis)), None)
    if spectral:
        raise ValueError(f"its axis '{spectral['name']}' is that of a spectrum. Export the image you want from it")
    order = axis_order([axis["name"] for axis in axes], shape, [_is_space(axis) for axis in axes])
    scale = _scale(image)
    steps: Sequence[float | None] = scale if len(scale) == len(shape) else [None] * len(shape)
    before = tuple(plane_axis(_named(axes[at]), steps[at], axes[at].get("unit")) for at in order.before)
    down, across = order.height, order.width
    pixel = pixel_nm(steps[down], steps[across], axes[down].get("unit"), str(axes[across].get("unit")))
    return order, before, pixel


def _axes(image: Multiscale, count: int) -> list[Axis]:
    """Axes of an image; of one that names none, or not as many as it has, those that versions 0.1 and 0.2 had."""
    axes: list[Axis] = [{"name": axis} if isinstance(axis, str) else axis for axis in image.get("axes") or []]
    if len(axes) == count:
        return axes
    letters = _FIVE if count == len(_FIVE) else [*(f"axis {number + 1}" for number in range(count - 2)), "y", "x"]
    return [{"name": letter, "type": _TYPES.get(letter, "space")} for letter in letters]


def _is_space(axis: Axis) -> bool:
    """Whether an axis is one of space, by its type, else by its name and unit."""
    kind = axis.get("type")
    return kind == "space" if kind else plane_axis(axis["name"], None, axis.get("unit")).kind not in ("t", "c")


def _is_spectrum(axis: Axis) -> bool:
    return axis.get("type") not in ("time", "channel") and is_spectral(
        f"{axis['name']} {axis.get('type', '')}", axis.get("unit")
    )


def _named(axis: Axis) -> str:
    """The type where it says more than the name; all axes of space are called so."""
    kind = axis.get("type", "space")
    return axis["name"] if kind == "space" else kind


def _scale(image: Multiscale) -> list[float]:
    """Steps along all axes of the finest resolution; empty where none are stated."""
    levels = image.get("datasets") or [Level()]
    total: list[float] = []
    for holder in (levels[0], image):  # the scale of the level and that of the image are applied one after the other
        for step in holder.get("coordinateTransformations") or []:
            if step.get("type") == "scale":
                factors = [float(factor) for factor in step["scale"]]
                total = [a * b for a, b in zip(total, factors, strict=True)] if total else factors
    return total


def single_level(axes: Sequence[PlaneAxis], pixel_size_nm: PixelSize) -> Attributes:
    """Return the attributes, version 0.5, of an image with one resolution.

    Parameters
    ----------
    axes
        Those before height and width, up to two; where one is merely numbered, it is called z or t.
    pixel_size_nm
        None where it is not known.
    """
    letters = axis_letters(axes)
    named: list[Axis | str] = [_axis(letter, axis.unit is not None) for letter, axis in zip(letters, axes, strict=True)]
    edges = edges_of(pixel_size_nm)
    named += [_axis(letter, edges is not None) for letter in "yx"]
    scale = [*(axis.step or 1.0 for axis in axes), *(edges or (1.0, 1.0))]
    level: Level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    return {"version": "0.5", "multiscales": [{"axes": named, "datasets": [level]}]}


def axis_letters(axes: Sequence[PlaneAxis]) -> str:
    """Return a letter for each axis, none of them twice: axes of which nothing is known are z, t or c."""
    free = [letter for letter in ("ztc" if len(axes) == 1 else "tzc") if letter not in {axis.kind for axis in axes}]
    letters: list[str] = []
    for axis in axes:
        letters.append(axis.kind if axis.kind != "n" and axis.kind not in letters else free.pop(0))
    return "".join(letters)


def _axis(letter: str, calibrated: bool) -> Axis:
    """One axis; where it has a step, with its unit."""
    axis: Axis = {"name": letter, "type": _TYPES.get(letter, "space")}
    if calibrated:
        axis["unit"] = _UNITS.get(letter, "nanometer")
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
