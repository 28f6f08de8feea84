"""Which pages of a TIFF belong together, and which of its images is the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..axes import PlaneAxis, plane_axis
from ..contents import is_haadf
from .calibration import imagej_axis
from .ome_xml import OmeSet, describe_incomplete, parse_ome

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

_MERGED = ("generic", "shaped", "uniform")
"""Kinds of series that say only that pages look alike, not that they are images of their own."""
_RGB = 2
_SMALL = 64
"""An image with so many times fewer pixels than the largest is a thumbnail, whatever its type."""
_CAPTION = 1.3
"""An image of the same width that is taller, by less than this factor, has a caption below."""


@dataclass(frozen=True)
class Stack:
    """Planes of one size and type in a TIFF, not yet read."""

    name: str
    series: int | None
    """Number of tifffile's series; None where the pages were put together here."""
    pages: tuple[int, ...]
    """Numbers of the pages, where `series` is None."""
    shape: tuple[int, ...]
    letters: str
    """tifffile's letters for the axes: ``IYX``, ``TZYXS``."""
    dtype: np.dtype[np.generic]
    keyframe: "TiffPage"
    axes: tuple[PlaneAxis, ...] = ()
    """Of the axes before those of a page."""
    note: str = ""
    """What is said about how it is read."""

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the axes before those of a page."""
        return self.shape[: len(self.shape) - len(self.keyframe.shape)]

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width."""
        lengths = dict(zip(self.letters, self.shape, strict=True))
        return lengths["Y"], lengths["X"]

    @property
    def samples(self) -> int:
        """Values per pixel; 0 for grey."""
        return int(self.shape[self.letters.index("S")]) if "S" in self.letters else 0

    @property
    def planes(self) -> int:
        """How many planes it has."""
        return int(np.prod(self.shape, dtype=float)) // (int(np.prod(self.plane_shape)) * max(self.samples, 1))


@dataclass(frozen=True)
class TiffContents:
    """The images of a TIFF."""

    stacks: tuple[Stack, ...]
    default: int
    """Number of the one that is meant when nobody says."""
    note: str = ""
    """What is said about the file as a whole."""
    ome: OmeSet = field(default_factory=OmeSet)


def contents_of(tif: "TiffFile", path: Path) -> TiffContents:
    """Return the images of an open file: pages of one size and type are one stack, whatever their compression.

    Series that a format names (OME, slide scanners) stay apart. Of an OME or Micro-Manager set of several files only
    the planes of this file count, so that each plane is read once, and no other file is opened.
    """
    ome = parse_ome(tif.ome_metadata) if tif.is_ome else OmeSet()
    pages = len(tif.pages)
    note = describe_incomplete(path, pages, ome)
    # tifffile would open the other files of a set, and make a list as long as the header claims
    alone = bool(note) or tif.is_mmstack or tif.is_ndtiff or (tif.is_ome and not ome.images)
    stacks = _by_page(tif) if alone else _by_series(tif, ome)
    if len(stacks) == 1 and alone and not note:
        stacks = [_with_axes(stacks[0], ome)]
    if tif.is_imagej and not note and not ome.images:
        note = _imagej_note(path, tif.imagej_metadata or {}, sum(one.planes for one in stacks))
    stacks = [_of_tifffile(one) for one in stacks if {"Y", "X"} <= set(one.letters)]
    if not stacks:
        raise ValueError("it holds no image")
    return TiffContents(tuple(stacks), _data(stacks), note, ome)


def _of_tifffile(stack: Stack) -> Stack:
    """Undo a guess of tifffile: it writes stacks of three and four planes as colours where nobody says what they are.

    Colours of more than 8 bits are no such pictures; those of 8 bits may be, and that they are taken for it is said.
    """
    page = stack.keyframe
    if not (page.is_shaped and page.axes == "SYX" and page.photometric == _RGB and stack.letters.endswith("SYX")):
        return stack
    if stack.dtype == np.uint8:
        note = (
            f"Its {stack.samples} planes are marked as colours and were made one grey image. If they are a stack, "
            "write it again with photometric='minisblack'."
        )
        return replace(stack, note=note)
    note = f"Its {stack.samples} planes are marked as colours, which tifffile does to any; they are read as a stack."
    letters = f"{stack.letters[:-3]}QYX"
    return replace(stack, letters=letters, axes=(*stack.axes, PlaneAxis()), note=note)


def _imagej_note(path: Path, metadata: Mapping[str, object], held: int) -> str:
    """A sentence where ImageJ claims more planes; raises `ValueError` for a single one, the rest of a cut stack."""
    claimed = metadata.get("images")
    if not isinstance(claimed, int) or claimed <= held:
        return ""
    if held == 1:
        raise ValueError(f"it holds 1 of the {claimed} planes that its header names")
    return f"{path} holds {held} of the {claimed} planes that its header names, which are read."


def _with_axes(stack: Stack, ome: OmeSet) -> Stack:
    """Lay the pages of a complete file out as its description says."""
    if len(ome.images) != 1 or ome.images[0].planes != len(stack.pages):
        return stack
    (image,) = ome.images
    shape = (*image.leading, *stack.keyframe.shape)
    letters = "Q" * len(image.leading) + stack.keyframe.axes
    return Stack(image.name, None, stack.pages, shape, letters, stack.dtype, stack.keyframe, image.axes)


def _by_series(tif: "TiffFile", ome: OmeSet) -> list[Stack]:
    """tifffile's series; where several look alike, or pages are in none of them, the pages are sorted again."""
    series = list(tif.series)
    kinds = {each.kind for each in series}
    alike = {(each.keyframe.shape, each.dtype, each.keyframe.axes) for each in series}
    split = kinds <= set(_MERGED) and len(alike) < len(series) and sum(map(len, series)) == len(tif.pages)
    stacks = [_of_series(tif, number, each, ome) for number, each in enumerate(series)]
    # ImageJ's header may know nothing of frames that another program appended, or of those that were cut off
    other = kinds == {"imagej"} and 1 < len(tif.pages) != sum(stack.planes for stack in stacks)
    return _by_page(tif) if split or other else stacks


def _of_series(tif: "TiffFile", number: int, series: "TiffPageSeries", ome: OmeSet) -> Stack:
    letters, page = series.axes, series.keyframe
    before = letters[: len(series.shape) - len(page.shape)]
    if series.kind == "ome" and len(ome.images) == len(tif.series):
        known = dict(zip((axis.kind for axis in ome.images[number].axes), ome.images[number].axes, strict=True))
        axes = tuple(known.get(plane_axis(letter).kind, PlaneAxis()) for letter in before)
    elif series.kind == "imagej":
        axes = tuple(imagej_axis(letter, tif.imagej_metadata or {}) for letter in before)
    else:
        axes = tuple(plane_axis(letter) for letter in before)
    name = (series.name or "").strip() or f"series {number + 1}"
    return Stack(name, number, (), tuple(map(int, series.shape)), letters, np.dtype(series.dtype), page, axes)


def _by_page(tif: "TiffFile") -> list[Stack]:
    """Pages of one size, type and purpose, in the order of the file."""
    groups: dict[tuple[object, ...], list[int]] = {}
    first: dict[tuple[object, ...], TiffPage] = {}
    for number, page in enumerate(tif.pages):
        if page.shape and page.dtype is not None:
            key = (page.shape, page.dtype, page.axes, page.is_reduced, page.is_mask)
            groups.setdefault(key, []).append(number)
            first.setdefault(key, page)
    return [_of_pages(number, first[key], pages) for number, (key, pages) in enumerate(groups.items())]


def _of_pages(number: int, page: "TiffPage", pages: Sequence[int]) -> Stack:
    shape, letters = tuple(map(int, page.shape)), page.axes
    if len(pages) > 1:
        shape, letters = (len(pages), *shape), f"I{letters}"
    axes = (PlaneAxis(),) * (len(shape) - len(page.shape))
    return Stack(f"series {number + 1}", None, tuple(pages), shape, letters, np.dtype(page.dtype), page, axes)


def _data(stacks: Sequence[Stack]) -> int:
    """Number of the image that is the data: a picture or preview beside it, with or without a caption, never is."""
    largest = max(int(np.prod(stack.plane_shape)) for stack in stacks)
    best = max(range(len(stacks)), key=lambda number: (*_rank(stacks[number], largest), is_haadf(stacks[number].name)))
    same = [
        number for number, stack in enumerate(stacks)
        if _uncaptioned(stack, stacks[best]) and _rank(stack, largest)[:-1] == _rank(stacks[best], largest)[:-1]
    ]  # fmt: skip
    return min(same, key=lambda number: stacks[number].plane_shape[0], default=best)


def _rank(stack: Stack, largest: int) -> tuple[int, ...]:
    """What speaks for an image, the weightiest first."""
    page, pixels = stack.keyframe, int(np.prod(stack.plane_shape))
    purpose = not (page.is_reduced or page.is_mask) and pixels * _SMALL >= largest
    grey = stack.samples < 3 and page.photometric != 3  # 3: the values are colours of a palette
    depth = 2 if stack.dtype.kind == "f" or stack.dtype.itemsize > 1 else int(page.bitspersample > 1)
    return int(purpose), int(grey), depth, stack.planes * pixels


def _uncaptioned(stack: Stack, taller: Stack) -> bool:
    """Whether one image is the other without the rows of a caption."""
    (height, width), (tall, wide) = stack.plane_shape, taller.plane_shape
    like = (stack.dtype, stack.samples, stack.planes) == (taller.dtype, taller.samples, taller.planes)
    return like and width == wide and height < tall <= _CAPTION * height
