"""Series of TIA (``.ser``), frame by frame; rosettasciio would read the whole file for each."""

import threading
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from .axes import PlaneAxis
from .claims import check_claim
from .contents import RawImage, Select, single
from .units import PixelNm, pixel_nm

_IMAGES, _SPECTRA = 0x4122, 0x4120
_WIDE = 0x0220
"""From this version on, offsets have 8 bytes."""
_TYPES = {1: "<u1", 2: "<u2", 3: "<u4", 4: "<i1", 5: "<i2", 6: "<i4", 7: "<f4", 8: "<f8", 9: "<c8", 10: "<c16"}
_HEAD = np.dtype([("order", "<u2"), ("id", "<u2"), ("version", "<u2"), ("kind", "<u4"), ("tag", "<u4"),
                  ("total", "<u4"), ("valid", "<u4")])  # fmt: skip
_DIMENSION = np.dtype([("size", "<i4"), ("offset", "<f8"), ("step", "<f8"), ("element", "<i4")])
_ELEMENT = np.dtype([("x_offset", "<f8"), ("x_step", "<f8"), ("x_element", "<i4"), ("y_offset", "<f8"),
                     ("y_step", "<f8"), ("y_element", "<i4"), ("type", "<i2"), ("width", "<i4"),
                     ("height", "<i4")])  # fmt: skip
_MOST_DIMENSIONS = 4


class _Layout(NamedTuple):
    """Where the frames of a file lie."""

    offsets: NDArray[np.int64]
    """Of the headers of the frames."""
    dtype: np.dtype[np.generic]
    height: int
    width: int
    pixel: PixelNm | None


class SerFrames:
    """The frames of a file as ``(n, h, w)``, each read when it is asked for."""

    def __init__(self, path: Path, layout: _Layout) -> None:
        self._path, self._offsets = path, layout.offsets
        self.shape, self.ndim, self.dtype = (len(layout.offsets), layout.height, layout.width), 3, layout.dtype
        self._lock = threading.Lock()

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        _, height, width = self.shape
        with self._lock, self._path.open("rb") as file:
            element = _record(file, _ELEMENT, int(self._offsets[i]))
            if (int(element["height"]), int(element["width"]), _TYPES.get(int(element["type"]))) != (
                height, width, self.dtype.str.replace("|", "<"),
            ):  # fmt: skip
                raise ValueError("its size or type differs from that of the first frame")
            values = np.fromfile(file, self.dtype, height * width)
        if len(values) < height * width:
            raise ValueError("the file ends before its last pixel")
        return values.reshape(height, width)[::-1]  # rows are stored from the bottom up

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())


def read_ser(path: Path, select: Select) -> list[RawImage]:
    """Open an image or a film; raises `UserError` for spectra and for maps of images (4D-STEM)."""
    with path.open("rb") as file:
        layout, dimensions = _layout(path, file)
    frames = SerFrames(path, layout)
    if len(layout.offsets) == 1:
        return single(RawImage(frames, layout.pixel, leading=()), select)
    if len([size for size in dimensions if size > 1]) > 1:
        shape = (*dimensions, layout.height, layout.width)
        raise UserError(f"{path} holds a data cube of shape {shape}. Export the image you want from it.")
    return single(RawImage(frames, layout.pixel, axes=(PlaneAxis(),)), select)


def _record(file: BinaryIO, dtype: np.dtype[np.void], at: int | None = None) -> np.void:
    if at is not None:
        file.seek(at)
    content = file.read(dtype.itemsize)
    if len(content) < dtype.itemsize:
        raise ValueError("it ends before the end of a header")
    found: np.void = np.frombuffer(content, dtype)[0]
    return found


def _layout(path: Path, file: BinaryIO) -> tuple[_Layout, list[int]]:
    """Frames of the file, and the lengths of the axes that they are on."""
    head, size = _record(file, _HEAD), path.stat().st_size
    if (int(head["order"]), int(head["id"])) != (0x4949, 0x0197):
        raise ValueError("it is not a series written by TIA")
    if int(head["kind"]) != _IMAGES:
        what = "spectra" if int(head["kind"]) == _SPECTRA else "data of an unknown kind"
        raise UserError(f"{path} holds {what} (a spectrum image?), no image. Export the image you want from it.")
    word = "<i8" if int(head["version"]) >= _WIDE else "<i4"
    table = int(_record(file, np.dtype([("at", word)]))["at"])
    dimensions = _dimensions(file)
    valid = int(head["valid"])
    if not valid or valid * np.dtype(word).itemsize > size:
        raise ValueError(f"it should hold {valid} frames, for which it is too short" if valid else "it holds no frame")
    file.seek(table)
    offsets = np.fromfile(file, word, valid).astype(np.int64)
    if len(offsets) < valid or (offsets <= 0).any():
        raise ValueError("it ends before its last frame")
    first = _record(file, _ELEMENT, int(offsets[0]))
    return _checked(size, offsets, first), dimensions


def _dimensions(file: BinaryIO) -> list[int]:
    """Lengths of the axes that the frames are on."""
    count = int(_record(file, np.dtype([("n", "<u4")]))["n"])
    if count > _MOST_DIMENSIONS:
        raise ValueError("its header is not understood")
    sizes = []
    for _ in range(count):
        sizes.append(int(_record(file, _DIMENSION)["size"]))
        for _ in ("description", "units"):
            file.seek(max(int(_record(file, np.dtype([("n", "<i4")]))["n"]), 0), 1)
    return sizes


def _checked(size: int, offsets: NDArray[np.int64], first: np.void) -> _Layout:
    """What the first frame says of all."""
    height, width, kind = int(first["height"]), int(first["width"]), _TYPES.get(int(first["type"]))
    if kind is None or height < 1 or width < 1:
        raise ValueError("the header of its first frame is not understood")
    dtype = np.dtype(kind)
    frame = height * width * dtype.itemsize
    check_claim(frame * len(offsets), size)
    if int(offsets.max()) + _ELEMENT.itemsize + frame > size:
        raise ValueError("it ends before its last pixel")
    return _Layout(offsets, dtype, height, width, pixel_nm(float(first["y_step"]), float(first["x_step"]), "m"))
