"""MRC files of microscopes and of IMOD, memory-mapped."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from .axes import PlaneAxis
from .contents import RawImage, Select, single
from .units import PixelNm, pixel_nm

if TYPE_CHECKING:
    from mrcfile.mrcfile import MrcFile

_IMOD_STAMP = 1146047817
_STAMP_OFFSET, _FLAGS_OFFSET = 152, 156
"""Where IMOD writes that a file is its own, and whether its bytes are signed."""
_SIGNED = 1
_OLD_FEI_BYTES, _OLD_FEI_PIXEL = 128 * 1024, 11
"""Length of the extended header of FEI before 2015, and which of the first image's floats is its pixel size, in m."""
_OTHER_MODES = {3: "complex numbers", 4: "complex numbers", 16: "colours", 101: "values of 4 bits"}


class ShiftedBytes:
    """Signed bytes of which IMOD took 128 off, as the unsigned ones they were: ``(n, h, w)``, plane by plane."""

    def __init__(self, stored: NDArray[np.generic]) -> None:
        self._stored = stored
        self.shape, self.ndim, self.dtype = stored.shape, stored.ndim, np.dtype(np.uint8)

    def __getitem__(self, index: object) -> NDArray[np.uint8]:
        # of bytes, taking 128 off and on again is the same as turning the highest bit over
        return np.asarray(self._stored[index]).view(np.uint8) ^ np.uint8(128)  # type: ignore[call-overload]


def read_mrc(path: Path, select: Select) -> list[RawImage]:
    """Open an MRC file; a pixel size of 0 in the header means not calibrated."""
    import mrcfile

    _check_header(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # permissive reading warns of every header that is not to the letter
        with mrcfile.mmap(path, mode="r", permissive=True) as mrc:
            data = mrc.data
            if data is None:
                raise ValueError("its header does not describe the data that follow")
            # mapped again below, so that no open mrcfile has to outlive this function
            offset, dtype, shape = 1024 + int(mrc.header.nsymbt), data.dtype, data.shape
            width, height, depth = _steps(mrc)
            pixel = _pixel_of_fei(mrc) or pixel_nm(height, width, "angstrom")
            slices = PlaneAxis("z", depth / 10 if depth > 0 else None) if mrc.is_volume() else PlaneAxis()
            axes = (slices,) * (len(shape) == 3)
    values = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
    return single(RawImage(_imod(path, values), pixel, axes=axes), select)


def _steps(mrc: "MrcFile") -> tuple[float, float, float]:
    """Distances of columns, rows and slices in angstrom: the header says which axis of space each of them is."""
    voxel = [float(mrc.voxel_size[name]) for name in "xyz"]
    order = [int(mrc.header[name]) for name in ("mapc", "mapr", "maps")]
    x, y, z = (voxel[axis - 1] for axis in (order if sorted(order) == [1, 2, 3] else (1, 2, 3)))
    return x, y, z


def _pixel_of_fei(mrc: "MrcFile") -> PixelNm | None:
    """What microscopes of FEI and Thermo Fisher write for each image in the extended header, in metres."""
    if bytes(mrc.header.exttyp)[:3] == b"FEI" and mrc.indexed_extended_header is not None:
        first = mrc.indexed_extended_header[:1]
        if not len(first) or "Pixel size X" not in (first.dtype.names or ()):
            return None
        return pixel_nm(float(first["Pixel size Y"][0]), float(first["Pixel size X"][0]), "m")
    if int(mrc.header.nsymbt) != _OLD_FEI_BYTES or b"Fei Company" not in bytes(mrc.header.label[0]):
        return None
    floats = np.dtype("f4").newbyteorder(mrc.header.nx.dtype.byteorder)
    values = np.frombuffer(mrc.extended_header.tobytes(), floats, _OLD_FEI_PIXEL + 1)
    return pixel_nm(float(values[-1]), float(values[-1]), "m")


def _check_header(path: Path) -> None:
    """Raise `UserError` for values that are no grey values: mrcfile would call the file damaged."""
    with path.open("rb") as file:
        header = file.read(1024)
    if len(header) < 1024:
        raise ValueError("it ends before the end of its header")
    words = np.frombuffer(header, _byte_order(header))
    mode, extended = int(words[3]), int(words[23])
    if not 0 <= extended <= path.stat().st_size:  # mrcfile takes as much memory as it is said to be long
        raise ValueError("its header claims more than it holds")
    if mode in _OTHER_MODES:
        raise UserError(
            f"{path} holds {_OTHER_MODES[mode]} (MRC mode {mode}), which cannot be read. Save it as whole numbers or "
            "floats, for instance with IMOD's newstack -mode 2."
        )


def _imod(path: Path, values: NDArray[np.generic]) -> NDArray[np.generic] | ShiftedBytes:
    """Bytes as IMOD meant them: those of its files are unsigned, stored as they are or with 128 taken off."""
    if values.dtype != np.int8:
        return values
    with path.open("rb") as file:
        header = file.read(1024)
    order = _byte_order(header)
    stamp, flags = (int(np.frombuffer(header, order, 1, at)[0]) for at in (_STAMP_OFFSET, _FLAGS_OFFSET))
    if stamp != _IMOD_STAMP:
        return values
    return ShiftedBytes(values) if flags & _SIGNED else values.view(np.uint8)


def _byte_order(header: bytes) -> str:
    """numpy's type of the header's numbers: in the wrong order its sizes are huge, even where the mode is 0."""

    def largest(order: str) -> int:
        return max(abs(int(word)) for word in np.frombuffer(header, order, 4))

    return min("<i4", ">i4", key=largest)
