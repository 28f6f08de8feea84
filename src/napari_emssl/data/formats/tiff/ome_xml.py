"""What the OME-XML of a TIFF says: its images, how many planes they have, in which files, and how they are spaced."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..axes import PlaneAxis, plane_axis
from ..units import PixelNm, number_in, pixel_nm

_MICROMETRE = "\u00b5m"
"""The unit of lengths that name none."""


class OmeImage(NamedTuple):
    """One image of an OME-XML text."""

    name: str
    leading: tuple[int, ...]
    """Lengths of the axes before height and width, in the order in which planes are stored, the slowest first."""
    axes: tuple[PlaneAxis, ...]
    pixel: PixelNm | None

    @property
    def planes(self) -> int:
        """How many planes the text claims."""
        count = 1
        for length in self.leading:
            count *= length
        return count


@dataclass(frozen=True)
class OmeSet:
    """Everything that an OME-XML text describes, in however many files it lies."""

    images: tuple[OmeImage, ...] = ()
    files: tuple[str, ...] = ()
    """Names of the files that it names, each once."""
    companion: str = ""
    """The file that holds the description, where this one only points to it."""

    @property
    def planes(self) -> int:
        """How many planes all images have."""
        return sum(image.planes for image in self.images)


def parse_ome(xml: str | None) -> OmeSet:
    """Return what an OME-XML text says; nothing where it cannot be understood."""
    try:
        root = ElementTree.fromstring((xml or "").strip())
        images = tuple(_image(node, pixels) for node in _named(root, "Image") for pixels in _named(node, "Pixels"))
    except (ElementTree.ParseError, ValueError, KeyError, OverflowError):
        return OmeSet()
    named = (node.get("FileName", "") for node in root.iter() if _tag(node) == "UUID")
    companion = next((node.get("MetadataFile", "") for node in _named(root, "BinaryOnly")), "")
    return OmeSet(images, tuple(dict.fromkeys(filter(None, named))), companion)


def _tag(node: ElementTree.Element) -> str:
    """Name of an element without its name space."""
    return node.tag.rpartition("}")[2]


def _named(node: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (child for child in node if _tag(child) == tag)


def _image(node: ElementTree.Element, pixels: ElementTree.Element) -> OmeImage:
    """One image: axes are named fastest first in OME, slowest first here."""
    letters = [letter for letter in reversed(pixels.attrib["DimensionOrder"]) if letter not in "XY"]
    samples = next((int(channel.get("SamplesPerPixel", 1)) for channel in _named(pixels, "Channel")), 1)
    lengths = {letter: int(pixels.attrib[f"Size{letter}"]) for letter in letters}
    lengths["C"] = max(lengths.get("C", 1) // max(samples, 1), 1)
    if min(lengths.values()) < 1:
        raise ValueError("an axis of length 0")
    return OmeImage(
        name=node.get("Name") or "",
        leading=tuple(lengths[letter] for letter in letters),
        axes=tuple(_axis(letter, pixels) for letter in letters),
        pixel=_pixel(pixels),
    )


def _axis(letter: str, pixels: ElementTree.Element) -> PlaneAxis:
    step, default = {"Z": ("PhysicalSizeZ", _MICROMETRE), "T": ("TimeIncrement", "s")}.get(letter, ("", ""))
    value = pixels.get(step) if step else None
    return plane_axis(letter, None if value is None else number_in(value), pixels.get(f"{step}Unit", default))


def _pixel(pixels: ElementTree.Element) -> PixelNm | None:
    units = [pixels.get(f"PhysicalSize{axis}Unit", _MICROMETRE) for axis in "YX"]
    return pixel_nm(pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX"), *units)


def describe_incomplete(path: Path, held: int, ome: OmeSet) -> str:
    """Return a sentence about what of a set of files lies in others; empty where this file holds everything.

    Parameters
    ----------
    path
        The file that is opened.
    held
        Planes in it.
    ome
        What its description says.
    """
    others = [name for name in ome.files if name.lower() != path.name.lower()]
    if ome.companion:
        return f"{path} is one file of a set that {ome.companion} describes; only its own planes are read."
    if ome.planes <= held:
        return ""
    missing = [name for name in others if not _beside(path, name)]
    where = f" The others are in {_listed(others)}." if others else " The others are in no file that it names."
    lacking = f" Missing: {_listed(missing)}." if missing else ""
    return f"{path} holds {held} of the {ome.planes} planes of its set; only these are read.{where}{lacking}"


def _beside(path: Path, name: str) -> bool:
    """Whether a file of this name lies in the same folder; a name that leads elsewhere is not followed."""
    try:
        return Path(name).name == name and (path.parent / name).is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero in it
        return False


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
