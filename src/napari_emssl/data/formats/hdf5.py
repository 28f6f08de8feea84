"""HDF5 data sets of nanoparticles (Sytwu et al., Groschner et al.): images, labels and maps as grey planes."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".hdf5")

Role = Literal["images", "labels", "maps"]
ROLES: tuple[Role, ...] = ("images", "labels", "maps")

_PARTICLE = 1
"""Channel of ``maps (n, h, w, 2)`` that is 1 on particles; the other is its complement."""


class H5Planes:
    """A data set of an HDF5 file as planes ``(n, h, w)``, each read when it is asked for.

    The file is opened with the first plane and stays open. It can be pickled: the copy opens the file for itself.
    Labels and maps come as whole numbers: labels rounded, of maps the channel of particles, 1 where it is above 0.5.

    Parameters
    ----------
    path
        The HDF5 file.
    key
        Name of a data set ``(h, w)``, ``(n, h, w)``, ``(n, 1, h, w)``, ``(n, h, w, 1)`` or ``(n, h, w, 2)``.

    Raises
    ------
    UserError
        If the data set has another shape.
    """

    ndim = 3

    def __init__(self, path: Path, key: str) -> None:
        import h5py

        self._path, self._key = path, key
        with h5py.File(path, "r") as file:
            stored, dtype = tuple(int(n) for n in file[key].shape), np.dtype(file[key].dtype)
        self.shape = _planes_shape(stored, path)
        self._channel = _PARTICLE if len(stored) == 4 and stored[-1] == 2 else None
        self._counts = self._channel is not None or (key in ("labels", "maps") and dtype.kind == "f")
        self.dtype = np.dtype(np.uint8) if self._counts else dtype
        self._file: h5py.File | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, i: int) -> NDArray[np.generic]:
        import h5py

        with self._lock:
            if self._file is None:
                self._file = h5py.File(self._path, "r")
            data = self._file[self._key]
            plane = np.asarray(data[i] if data.ndim > 2 else data[()])
        if self._channel is not None:
            return (plane[..., self._channel] > 0.5).astype(np.uint8)
        plane = plane.reshape(self.shape[1:])
        return np.rint(plane).astype(np.uint8) if self._counts else plane

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_file", "_lock")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _file=None, _lock=threading.Lock())


def _planes_shape(stored: tuple[int, ...], path: Path) -> tuple[int, int, int]:
    """``(n, h, w)`` of a data set."""
    shape = stored
    if len(shape) == 4 and shape[-1] in (1, 2):
        shape = shape[:-1]
    elif len(shape) == 4 and shape[1] == 1:
        shape = (shape[0], *shape[2:])
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or 0 in shape:
        raise UserError(
            f"{path} holds an array of shape {stored}. Planes (n, h, w), (n, 1, h, w), (n, h, w, 1) or maps "
            "(n, h, w, 2) can be read: save it as one of them, or as TIFF."
        )
    return shape[0], shape[1], shape[2]


def find_dataset(path: Path) -> str:
    """Return the name of the data set to read: ``images``, ``labels`` or ``maps``, else the only one there is.

    Raises
    ------
    UserError
        If there is none, or several of other names.
    OSError
        If it is no HDF5 file or is damaged.
    """
    import h5py

    found: list[str] = []
    with h5py.File(path, "r") as file:
        for role in ROLES:
            if isinstance(file.get(role), h5py.Dataset):
                return role
        file.visititems(lambda name, node: found.append(name) if _is_grid(node) else None)
    if len(found) == 1:
        return found[0]
    listed = ", ".join(found[:5]) or "nothing of the kind"
    raise UserError(
        f"{path} should hold one data set, or one called images, labels or maps; it holds {listed}. "
        "Save the one you want in a file of its own."
    )


def _is_grid(node: "h5py.Group | h5py.Dataset") -> bool:
    """Whether an HDF5 node is a data set with at least two axes."""
    return len(getattr(node, "shape", None) or ()) >= 2


def repair(plane: NDArray[np.number], hot_pixels: float) -> NDArray[np.number]:
    """Return ``(h, w)`` with negative pixels set to 0 and hot ones replaced by the mean of their neighbours.

    Preparation of the Au sets (Sytwu, Groschner & Scott 2022). The eight neighbours are those of the plane before
    any is replaced; at the border there are fewer.

    Parameters
    ----------
    plane
        Grey values of any real type.
    hot_pixels
        A pixel is hot when it exceeds the plane's median by more than this, in the units of the plane.
    """
    clean: NDArray[np.number] = np.maximum(plane, 0) if plane.dtype.kind in "if" else plane.copy()
    rows, columns = np.nonzero(clean > np.median(clean) + hot_pixels)
    means = [_mean_around(clean, int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
    if means:
        values = np.asarray(means)
        clean[rows, columns] = values if clean.dtype.kind == "f" else np.rint(values)
    return clean


def _mean_around(plane: NDArray[np.number], row: int, column: int) -> float:
    """Mean of the up to eight neighbours of a pixel."""
    window = plane[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].astype(np.float64)
    own = float(plane[row, column])
    return (float(window.sum()) - own) / (window.size - 1) if window.size > 1 else own


def role_of(path: Path) -> Role | None:
    """Return what an HDF5 file holds, by the name of its data set; None where the name does not say."""
    try:
        key = find_dataset(path)
    except (OSError, UserError):
        return None
    return next((role for role in ROLES if role == key), None)
