"""Files of microscope makers, by rosettasciio where it is installed: images among what else they hold."""

import importlib
import importlib.util
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..arrays import DuckArray
from .axes import PlaneAxis, axis_order, is_spectral, plane_axis
from .claims import check_claim
from .contents import RawImage, Select, is_haadf, numbered
from .hdf5 import check_links
from .units import PixelNm, pixel_nm, seconds_per

_PLANE_AXIS = re.compile(r"(?:[qkr][_ ]?)?([yx])(?:[_ -](?:axis|dim|position))?")
_UNNAMED = "Unrecognized"


class SignalAxis(TypedDict, total=False):
    """One axis of a rosettasciio signal."""

    name: str | None
    navigate: bool
    scale: float
    units: str | None


class Signal(TypedDict):
    """What rosettasciio finds in a file, as far as it is looked at."""

    data: DuckArray
    axes: list[SignalAxis]
    metadata: Mapping[str, Mapping[str, object]]
    original_metadata: NotRequired[Mapping[str, object]]


def read_em(path: Path, select: Select) -> list[RawImage]:
    """Open the images of a file that are wanted; spectra, maps and transforms among them are passed over.

    Raises
    ------
    UserError
        Where the file holds no image.
    """
    signals, notes = _signals(path)
    images = [signal for signal in signals if is_image_stack(signal)]
    if not images:
        raise UserError(_nothing(path, signals))
    titles = [_title(signal) for signal in images]
    order = sorted(range(len(images)), key=lambda number: _by_name(titles[number]))
    names = numbered([titles[number] or "image" for number in order])
    chosen = select(names if len(names) > 1 else [titles[0]], 0)
    return [_raw(path, images[order[number]])._replace(name=names[number], notes=notes) for number in chosen]


def _signals(path: Path) -> tuple[list[Signal], tuple[str, ...]]:
    """Everything in the file but what is known to be spectra, and what was left out."""
    with _quiet():
        if path.suffix.lower() == ".emd":
            check_links(path)
            return _emd_signals(path)
        plugin = importlib.import_module("rsciio.digitalmicrograph")
        return _lazy_if_possible(lambda lazy: plugin.file_reader(str(path), lazy=lazy)), ()


def _lazy_if_possible(read: Callable[[bool], Iterable[Signal]]) -> list[Signal]:
    """Signals that are read when they are asked for; colours and some files rosettasciio can only read at once."""
    try:
        return list(read(True))
    except ValueError as error:
        if "RGB" not in str(error) and "chunks" not in str(error):
            raise
    return list(read(False))


def _emd_signals(path: Path) -> tuple[list[Signal], tuple[str, ...]]:
    """Images of an EMD file, without the spectra of Velox, for which rosettasciio needs a package of its own."""
    plugin = importlib.import_module("rsciio.emd")
    note = _note_on_spectra(path)
    try:
        found = _lazy_if_possible(lambda lazy: plugin.file_reader(str(path), lazy=lazy, select_type="images"))
        return [_by_names(signal) for signal in found], note
    except ModuleNotFoundError as error:
        if "sparse" not in str(error):
            raise
    return _lazy_if_possible(lambda lazy: _images_of_velox(path, lazy)), note


def _by_names(signal: Signal) -> Signal:
    """A signal whose axes y and x are the last two.

    rosettasciio takes the axes of the EMD of Berkeley for those of HyperSpy, x before y, whatever the file calls them.
    """
    axes, data = signal["axes"], signal["data"]
    names = [_of_plane(str(axis.get("name") or "")) for axis in axes]
    if not {"y", "x"} <= set(names) or len(axes) != len(data.shape):
        return signal
    kinds = [_plane_axis(axis).kind for axis in axes]
    order = axis_order(names, data.shape, [kind not in ("t", "c") for kind in kinds])
    plane = (order.height, order.width)
    before = [number for number in range(len(axes)) if number not in plane]
    moved = [SignalAxis(**{**axes[number], "navigate": number not in plane}) for number in (*before, *plane)]
    return Signal(**{**signal, "axes": moved, "data": np.transpose(cast(NDArray[np.generic], data), (*before, *plane))})


def _of_plane(name: str) -> str:
    """The letter of an axis of height or width, whether of space, of a scan or of diffraction; else the name."""
    word = name.strip().lower()
    found = _PLANE_AXIS.fullmatch(word)
    return found[1] if found else {"height": "y", "width": "x"}.get(word, word)


def _images_of_velox(path: Path, lazy: bool) -> list[Signal]:
    """Images alone: rosettasciio looks for the package all the same, but only after it has read them."""
    import h5py

    reader = importlib.import_module("rsciio.emd._emd_velox").FeiEMDReader(lazy=lazy, select_type="images")
    with suppress(ModuleNotFoundError):
        reader.read_file(h5py.File(path, "r"))
    return list(reader.dictionaries)


def _note_on_spectra(path: Path) -> tuple[str, ...]:
    """A sentence where a Velox file has spectra beside its images."""
    import h5py

    with h5py.File(path, "r") as file:
        spectral = [key for key in ("SpectrumStream", "SpectrumImage", "EelsSpectrumImage") if f"Data/{key}" in file]
    if not spectral:
        return ()
    if importlib.util.find_spec("sparse"):
        return (f"The spectrum image in {path} is left out.",)
    return (f"The spectrum image in {path} is left out; programs that show it need the package sparse.",)


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither warnings nor log entries of rosettasciio: what matters is said in sentences."""
    importlib.import_module("rsciio")  # which sets the level of its log
    logger = logging.getLogger("rsciio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _title(signal: Signal) -> str:
    """Name of an image; where the program that wrote it left none, the detector."""
    title = str(signal["metadata"].get("General", {}).get("title") or "").strip()
    if title and not title.startswith(_UNNAMED):
        return title
    result = signal.get("original_metadata", {}).get("BinaryResult")
    return str(result.get("Detector") or "").strip() if isinstance(result, Mapping) else ""


def _by_name(title: str) -> tuple[bool, list[tuple[int, int, str]]]:
    """Order of images: HAADF, then by name, numbers by their value."""
    parts = re.split(r"(\d+)", title.casefold())
    key = [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]
    return not is_haadf(title), key


def is_image_stack(signal: Signal) -> bool:
    """Whether a signal is an image or a series of images.

    Spectra are told by what they are called and by their axes, whatever unit these have: an axis of energies or wave
    lengths lies before height and width like that of a film.
    """
    axes, dtype = signal["axes"], np.dtype(signal["data"].dtype)
    inner = [axis for axis in axes if not axis.get("navigate")]
    if len(inner) != 2 or len(axes) > 4 or axes[-2:] != inner or dtype.kind == "c":
        return False
    if str(signal["metadata"].get("Signal", {}).get("signal_type") or ""):
        return False
    return not any(is_spectral(axis.get("name"), axis.get("units")) for axis in axes)


def _nothing(path: Path, signals: Sequence[Signal]) -> str:
    shapes = ", ".join(str(tuple(map(int, signal["data"].shape))) for signal in signals) or "nothing"
    if signals and all(np.dtype(signal["data"].dtype).kind == "c" for signal in signals):
        return f"{path} holds complex numbers. Save its modulus or phase as an image, then try again."
    return f"{path} holds no image but a spectrum or a data cube of shape {shapes}. Export the image you want from it."


def _raw(path: Path, signal: Signal) -> RawImage:
    data, axes = signal["data"], signal["axes"]
    dtype = np.dtype(data.dtype)
    check_claim(int(np.prod(data.shape, dtype=int)) * dtype.itemsize, path.stat().st_size)
    if dtype.names:
        return RawImage(_colours(np.asarray(data)), pixel_of_axes(axes), colour=True)
    return RawImage(data, pixel_of_axes(axes), axes=tuple(_plane_axis(axis) for axis in axes[:-2]))


def _colours(records: NDArray[np.void]) -> NDArray[np.generic]:
    """Records of red, green, blue and opacity as ``(..., 3)``."""
    return np.stack([records[name] for name in ("R", "G", "B")], axis=-1)


def _plane_axis(axis: SignalAxis) -> PlaneAxis:
    unit = axis.get("units")
    name = axis.get("name") or ("time" if seconds_per(unit) else None)
    return plane_axis(name, axis.get("scale"), unit)


def pixel_of_axes(axes: Sequence[SignalAxis]) -> PixelNm | None:
    """Return the pixel size of the last two axes of a signal."""
    y, x = axes[-2], axes[-1]
    return pixel_nm(y.get("scale"), x.get("scale"), str(y.get("units")), str(x.get("units")))


def pixel_of_tiff(path: Path, plane_shape: tuple[int, int]) -> PixelNm | None:
    """Return what rosettasciio finds of the pixel size of a TIFF; None where it is not installed or finds nothing.

    Parameters
    ----------
    path
        The file.
    plane_shape
        Height and width of the image that is meant, among several.
    """
    try:
        with _quiet():
            signals: list[Signal] = importlib.import_module("rsciio.tiff").file_reader(str(path), lazy=True)
    except Exception:  # asked as a last resort about a file that can be read: whatever goes wrong, there is no answer
        return None
    sizes = ((signal, tuple(map(int, signal["data"].shape[-2:]))) for signal in signals)
    return next((pixel_of_axes(signal["axes"]) for signal, size in sizes if size == plane_shape), None)
