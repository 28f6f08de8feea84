"""What readers give: the images of a file, as arrays that are mapped or read plane by plane, or its header."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..arrays import DuckArray
from .axes import PlaneAxis
from .units import PixelNm

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""


class RawImage(NamedTuple):
    """An image of a file: ``(..., h, w)``, or ``(..., h, w, 3 | 4)`` where `colour`.

    With `leading` given, `array` is ``(n, h, w[, samples])`` with n the product of `leading`.
    """

    array: DuckArray
    pixel: PixelNm | None = None
    colour: bool = False
    leading: tuple[int, ...] | None = None
    axes: tuple[PlaneAxis, ...] = ()
    """One for each axis before height and width; empty where nothing is known of them."""
    name: str = ""
    """What the file calls it; empty where the file holds one image."""
    notes: tuple[str, ...] = ()
    """Sentences about what was left out of it."""


class ImageHeader(NamedTuple):
    """What an image file holds."""

    planes: int
    height: int
    width: int
    dtype: str
    """Type of the values as they are stored, in numpy's short form with byte order (``<u2``)."""
    offset: int
    """Where the first plane begins, when the planes lie in the file in one piece as plain values; else -1."""
    pixel_size_nm: float | None
    images: int = 1
    """How many images the file holds; the others are passed over."""


Select = Callable[[Sequence[str], int | None], Sequence[int]]
"""Which images of a file are wanted: takes their names, and the number of the one meant when nobody says, or None."""
Reader = Callable[[Path, Select], list[RawImage]]
"""Opens the images of a file that are wanted."""
HeaderReader = Callable[[Path], ImageHeader | None]
"""Reads the header of a file; None where only the reader can tell."""


def is_colour(array: DuckArray) -> bool:
    """Whether a bare array counts as RGB or RGBA: uint8 with 3 or 4 values on the last of at least 3 axes."""
    return len(array.shape) >= 3 and array.shape[-1] in (3, 4) and array.dtype == "u1"


def single(raw: RawImage, select: Select) -> list[RawImage]:
    """Return the one image of a file, if it is wanted."""
    select([raw.name], 0)
    return [raw]


def palette_note(path: Path) -> str:
    """Return what to say of a file whose values are numbers of a palette's colours."""
    return (
        f"The palette of {path} has colours, so its values are their numbers, as label masks need them. If it is an "
        "image, save it again as a grey one."
    )


def is_haadf(name: str) -> bool:
    """Whether an image is of the detector that is meant, of several images that are alike, when nobody says."""
    return name.strip().casefold().startswith("haadf")


def numbered(names: Sequence[str]) -> list[str]:
    """Return names with a number behind those that stand for several images: ``HAADF``, ``HAADF 2``."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result
