"""The job that cuts frames of gold nanoparticles into patches, as the published Au sets were prepared.

After Sytwu, Groschner and Scott 2022 (arXiv 2204.04250). Frames are read one by one and patches are written as they
are cut, so that sets larger than memory can be prepared.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...atomic_files import replacing
from ...errors import UserError
from ...formatting import counted
from ...jobs.events import Control, Finished, Job, Notice, Update
from ...jobs.meter import Meter
from ...jobs.prepare_settings import PrepareAuSettings
from ..formats.hdf5 import FRAMES
from ..images.hot_pixels import repair
from ..images.image import Image
from .image_pairs import ImageSources, open_pairs, pair_notes

if TYPE_CHECKING:
    import h5py
    from _typeshed import ReadableBuffer

IMAGES, LABELS = "Images.h5", "Labels.h5"
FRAME_NAMES = "frame_names"
"""Data set with the name of each frame."""


@dataclass(frozen=True)
class PreparedSet:
    """What was prepared."""

    images: Path
    labels: Path
    frames: int
    patches: int
    left_out: int
    """Patches that show too few particles."""


def prepare_au(
    images: ImageSources,
    targets: ImageSources,
    folder: Path | str,
    settings: PrepareAuSettings | None = None,
    *,
    overwrite: bool = False,
) -> Job[PreparedSet | None]:
    """Cut frames with masks into patches, and write them as ``Images.h5`` and ``Labels.h5``.

    In each frame negative pixels become 0 and hot ones the mean of their neighbours; it is standardised and cut into
    squares that do not overlap, from the upper left corner. Both files hold the patches ``(n, h, w)``, the number of
    the frame of each in ``frames`` ``(n,)``, and the names of all frames.

    Parameters
    ----------
    images, targets
        Frames and their masks, as for `finetune`: in masks every value but 0 is a particle.
    folder
        Gets the two files.
    settings
        Edge of a patch, what counts as hot, and how many particle pixels a patch must show.
    overwrite
        Whether files that are there may be replaced.

    Returns
    -------
    Job
        Its `Progress` counts frames; its result is a `PreparedSet`, or None when it was stopped: then nothing is
        written.

    Raises
    ------
    UserError
        From the iteration: frames and masks that do not pair up, frames smaller than a patch, no patch that shows
        enough particles, a file that exists.

    """
    chosen = settings or PrepareAuSettings()

    def events(control: Control) -> Iterator[Update | Finished[PreparedSet | None]]:
        pairs = open_pairs(images, targets)
        yield from map(Notice, pair_notes(pairs))
        frames = [(*pair, index) for pair in pairs for index in range(len(pair[0]))]
        _check_sizes(frames, chosen.patch)
        paths = [Path(folder) / name for name in (IMAGES, LABELS)]
        writer = _Writer(chosen)
        try:
            yield from _write(frames, paths, writer, overwrite, control)
        except _StoppedError:
            yield Finished(None, stopped=True)
            return
        if writer.left_out:
            yield Notice(f"{counted(writer.left_out, 'patch', 'patches')} with too few particle pixels left out.")
        yield Finished(PreparedSet(paths[0], paths[1], len(frames), writer.patches, writer.left_out))

    return Job(events)


class _StoppedError(Exception):
    """Leaves the writing, so that nothing is kept."""


_Frame = tuple[Image, Image, int]
"""An image, its mask, and the index of the plane in both."""


class _Writer:
    """Cuts frames and appends their patches to two open files."""

    def __init__(self, settings: PrepareAuSettings) -> None:
        self.settings = settings
        self.patches = self.left_out = 0

    def open(self, images: "h5py.File", labels: "h5py.File") -> None:
        """Make the data sets."""
        edge = self.settings.patch
        shape = {"shape": (0, edge, edge), "maxshape": (None, edge, edge), "chunks": (1, edge, edge)}
        # bytes of particles are nearly all the same: packed they take a hundredth
        self._pixels = images.create_dataset("images", dtype=np.float32, **shape)
        self._masks = labels.create_dataset("labels", dtype=np.uint8, compression="gzip", **shape)
        self._frames = [
            file.create_dataset(FRAMES, (0,), np.int64, maxshape=(None,), chunks=(1024,)) for file in (images, labels)
        ]

    def add(self, number: int, frame: NDArray[np.generic], mask: NDArray[np.generic]) -> None:
        """Append the patches of a frame that show enough particles.

        Parameters
        ----------
        number
            Index of the frame, written beside each of its patches.
        frame
            ``(h, w)``, in the units of its file.
        mask
            ``(h, w)``, 0 where there is no particle.

        """
        pixels = prepared_frame(frame, self.settings)
        particles = (np.asarray(mask) != 0).astype(np.uint8)
        edge = self.settings.patch
        for top in range(0, pixels.shape[0] - edge + 1, edge):
            for left in range(0, pixels.shape[1] - edge + 1, edge):
                window = slice(top, top + edge), slice(left, left + edge)
                if int(particles[window].sum()) <= self.settings.least_particle_px:
                    self.left_out += 1
                else:
                    self._append(number, pixels[window], particles[window])

    def _append(self, number: int, pixels: NDArray[np.float32], particles: NDArray[np.uint8]) -> None:
        for data, value in (
            (self._pixels, pixels),
            (self._masks, particles),
            *((data, number) for data in self._frames),
        ):
            data.resize(self.patches + 1, axis=0)
            data[self.patches] = value
        self.patches += 1


def prepared_frame(frame: NDArray[np.generic], settings: PrepareAuSettings) -> NDArray[np.float32]:
    """Return a frame ``(h, w)`` without negative and hot pixels, standardised where that is asked for."""
    clean = repair(np.asarray(frame, np.float32), settings.hot_pixels).astype(np.float64)
    if settings.standardise:
        spread = float(clean.std())
        clean = (clean - clean.mean()) / (spread if spread > 0 else 1.0)
    return clean.astype(np.float32)


def _write(
    frames: Sequence[_Frame], paths: Sequence[Path], writer: _Writer, overwrite: bool, control: Control
) -> Iterator[Update]:
    """Write both files, frame by frame."""
    import h5py

    meter, settings = Meter(), writer.settings
    with ExitStack() as stack:
        names = [stack.enter_context(replacing(path, overwrite)) for path in paths]
        disks = [stack.enter_context(_Disk(name, "w+b")) for name in names]
        with h5py.File(disks[0], "w") as images, h5py.File(disks[1], "w") as labels:
            writer.open(images, labels)
            for number, (image, mask, index) in enumerate(frames):
                writer.add(number, image.plane(index), mask.label_plane(index))
                _check_written(disks)
                yield from meter.tick(number + 1, len(frames), images_per_step=1)
                if control.stopped and number + 1 < len(frames):
                    raise _StoppedError
            for file in (images, labels):
                file[FRAME_NAMES] = [_name(image, index) for image, _, index in frames]
                file.attrs["preparation"] = settings.model_dump_json()
        _check_written(disks)
        if not writer.patches:
            raise UserError(
                f"No patch shows more than {settings.least_particle_px} pixels of particles. Lower "
                "--least-particle-px, or check the masks."
            )


class _Disk(FileIO):
    """A file that keeps what goes wrong when it is written to: HDF5 would crash the program at its end."""

    trouble: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all of it, and say so even where there is no room."""
        rest = memoryview(data).cast("B")
        length = len(rest)
        try:
            while rest and self.trouble is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.trouble = error
        return length

    def truncate(self, size: int | None = None, /) -> int:
        """Make it as long as HDF5 asks for, if there is room."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.trouble = self.trouble or error
            return size or 0


def _check_written(disks: Sequence[_Disk]) -> None:
    """Raise what went wrong when files were written to."""
    for disk in disks:
        if disk.trouble is not None:
            raise disk.trouble


def _name(image: Image, index: int) -> str:
    name = image.path.name if image.path else image.name
    return f"{name}#{index}" if len(image) > 1 else name


def _check_sizes(frames: Sequence[_Frame], edge: int) -> None:
    """Raise `UserError` when a frame is smaller than a patch."""
    for image, _, _ in frames:
        if min(image.plane_shape) < edge:
            height, width = image.plane_shape
            raise UserError(
                f"Frames of '{image.name}' are {height} x {width} pixels, smaller than a patch of {edge}. Choose a "
                "smaller --patch."
            )
