"""MRC files of microscopes and of IMOD, memory-mapped."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from .axes import PlaneAxis
from .contents import RawImage, Select, single
from .units import pixel_nm

_IMOD_STAMP = 1146047817
_STAMP_OFFSET, _FLAGS_OFFSET = 152, 156
"""Where IMOD writes that a file is its own, and whether its bytes are signed."""
_SIGNED = 1
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
            header, data, voxel = mrc.header, mrc.data, mrc.voxel_size
            if data is None:
                raise ValueError("its header does not describe the data that follow")
            # mapped again below, so that no open mrcfile has to outlive this function
            offset, dtype, shape = 1024 + int(header.nsymbt), data.dtype, data.shape
            depth = float(voxel.z) / 10 if mrc.is_volume() and float(voxel.z) > 0 else None
            pixel = pixel_nm(float(voxel.y), float(voxel.x), "angstrom")
            axes = (PlaneAxis("z", depth) if mrc.is_volume() else PlaneAxis(),) * (len(shape) == 3)
    values = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
    return single(RawImage(_imod(path, values), pixel, axes=axes), select)


def _check_header(path: Path) -> None:
    """Raise `UserError` for values that are no grey values: mrcfile would call the file damaged."""
    with path.open("rb") as file:
        header = file.read(1024)
    if len(header) < 1024:
        raise ValueError("it ends before the end of its header")
    orders = [np.frombuffer(header, order, 24) for order in ("<i4", ">i4")]
    mode, extended = next(((int(words[3]), int(words[23])) for words in orders if 0 <= words[3] < 1024), (-1, 0))
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
    order = "<i4" if int.from_bytes(header[12:16], "little") < 1024 else ">i4"
    stamp, flags = (int(np.frombuffer(header, order, 1, at)[0]) for at in (_STAMP_OFFSET, _FLAGS_OFFSET))
    if stamp != _IMOD_STAMP:
        return values
    return ShiftedBytes(values) if flags & _SIGNED else values.view(np.uint8)
