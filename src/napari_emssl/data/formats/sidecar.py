"""Texts that scanning microscopes write beside an image, for the size of its pixels."""

import re
from collections.abc import Iterator
from pathlib import Path

from .units import PixelNm, number_in, pixel_nm


def pixel_beside(path: Path) -> PixelNm | None:
    """Return the pixel size that a text beside an image gives: Hitachi, JEOL's SEM and TESCAN write one."""
    for text in _texts(path):
        if re.search(r"^\[(Sem|Tem)ImageFile\]", text, re.MULTILINE):
            found = pixel_size_lines(text, "nm")
        elif "$SM_MICRON_BAR" in text:
            found = _micron_bar(text)
        else:
            found = pixel_size_lines(text, "m") if re.search(r"^\[MAIN\]", text, re.MULTILINE) else None
        if found:
            return found
    return None


def _texts(path: Path) -> Iterator[str]:
    """The first 64 KiB of the texts that belong to an image, by their names."""
    suffix, whole = path.suffix, str(path)
    base = whole[: len(whole) - len(suffix)]
    for ending in (".txt", ".TXT", f"-{suffix.lstrip('.')}.hdr", ".hdr"):
        # of folders of very many files: to put a path together from parts takes longer
        if content := _beginning(Path(base + ending)):
            wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
            yield content.decode("utf-16" if wide else "utf-8", "replace").replace("\r", "\n")


def _beginning(path: Path) -> bytes:
    """The first 64 KiB of a file; nothing where there is none, it may not be read, or its name is too long to exist."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(1 << 16)
    except (OSError, ValueError):
        return b""


def pixel_size_lines(text: str, unit: str) -> PixelNm | None:
    """Return the pixel of lines ``PixelSizeX=...`` and ``PixelSizeY=...``, or of one ``PixelSize=...``, in `unit`."""
    found = re.findall(r"\b(PixelSize[XY]?)\s*=\s*([-+.,\deE]+)", text)
    named = {name: number_in(value) for name, value in found}
    x = named.get("PixelSizeX", named.get("PixelSize"))
    return pixel_nm(named.get("PixelSizeY", x), x, unit)


def _micron_bar(text: str) -> PixelNm | None:
    """JEOL's SEM: the scale bar is so many pixels long, and stands for so much."""
    bar = re.search(r"\$SM_MICRON_BAR\s+([\d.,]+)", text)
    marker = re.search(r"\$SM_MICRON_MARKER\s+([\d.,]+)\s*(\S+)", text)
    if bar is None or marker is None:
        return None
    pixels, length = number_in(bar[1]), number_in(marker[1])
    edge = length / pixels if pixels and length else None
    return pixel_nm(edge, edge, marker[2])
