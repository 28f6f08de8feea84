"""HDF5 data sets of nanoparticles (Sytwu et al., Groschner et al.): images, labels and maps as grey planes."""

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...json_text import parse_json
from .claims import check_claim, check_memory
from .contents import RawImage, Select
from .units import PixelNm, pixel_nm

if TYPE_CHECKING:
    import h5py

Role = Literal["images", "labels", "maps"]
ROLES: tuple[Role, ...] = ("images", "labels", "maps")
FRAMES = "frames"
"""Data set ``(n,)`` of prepared sets: the frame that each plane was cut from."""

_MOST_NODES = 100_000
"""Of a file with more groups and data sets than this the rest is not searched."""
_PARTICLE = 1
"""Channel of ``maps (n, h, w, 2)`` that is 1 on particles; the other is its complement."""


class H5Planes:
    """A data set of an HDF5 file as planes ``(n, h, w)``, each read when it is asked for.

    The file is opened with the first plane and stays open. It can be pickled: the copy opens the file for itself.
    Labels and maps come as whole numbers: labels rounded, as int32; of maps the channel of particles, 1 above 0.5.

    Parameters
    ----------
    path
        The HDF5 file.
    key
        Name of a data set ``(h, w)``, ``(n, h, w)`` or ``(n, h, w, 2)``, or in uint8 of one of colours,
        ``(h, w, 3 | 4)`` or ``(n, h, w, 3 | 4)``, which come as they are; axes of length one do not count.

    Raises
    ------
    UserError
        If the data set has another shape, or says that height and width are not its last axes.
    """

    def __init__(self, path: Path, key: str) -> None:
        import h5py

        self._path, self._key = path, key
        with h5py.File(path, "r") as file:
            data = file[key]
            stored, dtype = tuple(int(n) for n in data.shape), np.dtype(data.dtype)
            _check_order(data, path)
            if not (data.is_virtual or data.external):
                check_claim(int(np.prod(stored, dtype=object)) * dtype.itemsize, int(data.id.get_storage_size()))
            self.shape = _planes_shape(stored, dtype, path)
            check_memory(path, int(np.prod(self.shape[1:], dtype=object)) * dtype.itemsize)
            maps = len(stored) == 4 and stored[-1] == 2
            if maps and key not in ("labels", "maps") and not _is_map(data[0]):
                raise UserError(
                    f"'{key}' in {path} holds two values per pixel that are not the maps of particles and ground. "
                    "Save the one you want as planes (n, h, w)."
                )
            self.pixel = _pixel(data)
        self.ndim, self.colour = len(self.shape), len(self.shape) == 4
        self._channel = _PARTICLE if maps else None
        self._labels = key in ("labels", "maps") and dtype.kind == "f" and self._channel is None
        self.dtype = np.dtype(np.uint8) if self._channel is not None else np.dtype(np.int32) if self._labels else dtype
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
            counting = next(axis for axis, n in enumerate(data.shape) if n > 1) if len(self) > 1 else None
            plane = np.asarray(data[()] if counting is None else data[(*(0,) * counting, i)])
        if self._channel is not None:
            return (plane[..., self._channel] > 0.5).astype(np.uint8).reshape(self.shape[1:])
        plane = plane.reshape(self.shape[1:])
        return _whole_numbers(plane) if self._labels else plane

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_file", "_lock")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _file=None, _lock=threading.Lock())


def _whole_numbers(plane: NDArray[np.generic]) -> NDArray[np.int32]:
    """Labels that are stored as floats; raises `UserError` for those that no whole number stands for."""
    rounded = np.rint(plane)
    limits = np.iinfo(np.int32)
    if not (np.isfinite(rounded) & (rounded >= limits.min) & (rounded <= limits.max)).all():
        raise UserError("Its labels are not all whole numbers that can be told apart. Save them as integers.")
    return np.asarray(rounded, np.int32)


def _is_map(plane: NDArray[np.generic]) -> bool:
    """Whether two values per pixel are a map of particles and its complement."""
    return bool(np.allclose(np.asarray(plane, np.float64).sum(-1), 1, atol=1e-3))


def _planes_shape(stored: tuple[int, ...], dtype: np.dtype[np.generic], path: Path) -> tuple[int, ...]:
    """``(n, h, w)`` of a data set, or ``(n, h, w, 3 | 4)`` where it holds colours."""
    shape = stored[:-1] if len(stored) == 4 and stored[-1] == 2 else stored
    whole = tuple(n for n in shape if n != 1)
    shape = whole if len(whole) > 1 else shape
    colour = shape[-1:] if dtype == np.uint8 and len(shape) > 2 and shape[-1] in (3, 4) else ()
    shape = shape[:-1] if colour else shape
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or 0 in shape:
        raise UserError(
            f"{path} holds an array of shape {stored}. Planes (h, w) or (n, h, w) and maps (n, h, w, 2) can be read: "
            "save it as one of them, or as TIFF."
        )
    return (*shape, *colour)


def _pixel(data: "h5py.Dataset") -> PixelNm | None:
    """The pixel size of a data set, where it or the group around it says one in a way that several programs share."""
    try:
        if "element_size_um" in data.attrs:  # ImageJ's plugin for HDF5, ilastik: depth, height, width
            height, width = (float(size) for size in data.attrs["element_size_um"][-2:])
            return pixel_nm(height, width, "um")
        names = data.parent.attrs.get("axes")  # NeXus: coordinates of each axis
        if names is None or len(names) != len(data.shape):
            return None
        down, across = (data.parent[text if isinstance(text, str) else text.decode()] for text in names[-2:])
        height, width = (float(values[1]) - float(values[0]) for values in (down, across))
        return pixel_nm(height, width, str(down.attrs.get("units")), str(across.attrs.get("units")))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, OSError):
        return None  # what is damaged says nothing, and is no reason to refuse the image


def _check_order(data: "h5py.Dataset", path: Path) -> None:
    """Raise `UserError` where a data set names its axes, and rows and columns are not the last ones."""
    names = [name for name, length in zip(_axis_names(data), data.shape, strict=False) if length != 1]
    if {"y", "x"} <= set(names) and names[-2:] != ["y", "x"]:
        raise UserError(
            f"The axes of '{data.name}' in {path} are in the order {', '.join(names)}, so its rows and columns are not "
            "the last ones. Export it again with y and x as the last axes, or as TIFF."
        )


def _axis_names(data: "h5py.Dataset") -> list[str]:
    """Lower-case names of the axes, as ilastik writes them and as HDF5 labels them; none where there are none."""
    try:
        tags = cast("dict[str, list[dict[str, object]]]", parse_json(data.attrs.get("axistags", "null")))
        named = [axis["key"] for axis in tags["axes"]] if tags else [dim.label for dim in data.dims]
    except (ValueError, TypeError, KeyError, RuntimeError, OSError):  # a label that is damaged says nothing
        return []
    return [str(name).lower() for name in named]


def read_hdf5(path: Path, select: Select) -> list[RawImage]:
    """Open images, labels or maps of an HDF5 file; raises `UserError` where several could be meant."""
    check_links(path)
    names, default = _datasets(path)
    if not names:
        raise UserError(f"{path} holds no data set with two axes or more, so there is no image in it.")
    chosen = select(names, default)
    return [_raw(H5Planes(path, names[number]), names[number]) for number in chosen]


def _raw(planes: H5Planes, name: str) -> RawImage:
    leading = planes.shape[:1] if planes.colour else None
    return RawImage(planes, planes.pixel, planes.colour, leading, name=name)


def find_dataset(path: Path) -> str | None:
    """Return the name of the data set that is meant when nobody says: ``images``, ``labels``, ``maps``, the only one.

    Raises
    ------
    UserError
        If the file links to others outside of its folder.
    OSError
        If it is no HDF5 file or is damaged.
    """
    check_links(path)
    names, default = _datasets(path)
    return None if default is None else names[default]


def _datasets(path: Path) -> tuple[list[str], int | None]:
    """Names of the data sets with two axes or more, and the number of the one that is meant when nobody says."""
    import h5py

    found: list[str] = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, node: found.append(name) if _is_grid(node) else None)
        linked = [role for role in ROLES if role not in found and _is_grid(file.get(role))]
    names = [*linked, *found]
    known = next((names.index(role) for role in ROLES if role in names), None)
    return names, 0 if known is None and len(names) == 1 else known


def check_links(path: Path) -> None:
    """Raise `UserError` where a file leads to others that are not in its own folder."""
    import h5py

    with h5py.File(path, "r") as file:
        waiting: list[h5py.Group] = [file]
        seen = {h5py.h5o.get_info(file.id).addr}
        while waiting:
            group = waiting.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    _check_inside(path, link.filename)
                    continue
                node = group.get(name) if isinstance(link, h5py.HardLink) else None
                if isinstance(node, h5py.Dataset):
                    for other in _other_files(node):
                        _check_inside(path, other)
                elif isinstance(node, h5py.Group) and len(seen) < _MOST_NODES:
                    address = h5py.h5o.get_info(node.id).addr
                    waiting += [node] * (address not in seen)
                    seen.add(address)


def _other_files(data: "h5py.Dataset") -> list[str]:
    """Files in which values of a data set lie, as it names them."""
    virtual = [source.file_name for source in data.virtual_sources()] if data.is_virtual else []
    return [*(name for name in virtual if name != "."), *(os.fsdecode(name) for name, *_ in data.external or ())]


def _check_inside(path: Path, name: str) -> None:
    target = (path.parent / name).resolve()
    if target.parent != path.parent.resolve() or (target.exists() and not target.is_file()):
        raise UserError(f"{path} leads to {name}, which is not a file in its folder, and links are not followed there.")


def _is_grid(node: "h5py.Group | h5py.Dataset | None") -> bool:
    """Whether an HDF5 node is a data set with at least two axes."""
    return len(getattr(node, "shape", None) or ()) >= 2


def frames_of(path: Path) -> NDArray[np.int64] | None:
    """Return the number of the frame that each plane of a set was cut from; None where the file does not know.

    Raises
    ------
    UserError
        If there is not one number for each plane.
    """
    import h5py

    with h5py.File(path, "r") as file:
        if not isinstance(file.get(FRAMES), h5py.Dataset):
            return None
        frames = np.asarray(file[FRAMES], np.int64)
        planes = len(file[find_dataset(path)])
    if frames.shape != (planes,):
        raise UserError(f"'{path}' has {planes} planes, but {frames.size} numbers of frames. Prepare the set again.")
    return frames


def role_of(path: Path) -> Role | None:
    """Return what an HDF5 file holds, by the name of its data set; None where the name does not say."""
    try:
        key = find_dataset(path)
    except (OSError, UserError, RuntimeError):
        return None
    return next((role for role in ROLES if role == key), None)
