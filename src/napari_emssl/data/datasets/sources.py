"""Images to learn from without labels: folders, files, packs and arrays become one catalog."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...formatting import counted
from ..formats.hdf5 import frames_of
from ..images.folder_rules import is_image_name
from ..images.image import Image, ImageIn, ImageSource
from ..images.opening import FORMATS, as_image, check_path
from .folder_index import FolderIndex, scan, scan_images
from .layouts import LayoutName, find_layout
from .pack_file import PackedPlanes, is_pack
from .plane_stores import FolderPlanes, ImagePlanes, JoinedPlanes, PlaneStore, RepairedPlanes


@dataclass(frozen=True)
class ImageCatalog:
    """Images by number, and their planes."""

    names: list[str]
    """Relative to the folder each was found in; that folder's own name comes first where there are several."""
    origins: list[str]
    """What each image was cut from, see `pairing.origin_of`."""
    counts: NDArray[np.int64]
    """Planes of each image."""
    store: PlaneStore
    """The planes, image after image."""
    layouts: list[str]
    """Layout of each folder, as asked for or found out."""
    skipped: list[str]
    """For each file that cannot be read a sentence that says why."""
    notes: list[str] = field(default_factory=list)
    """Further remarks on the files."""

    def __len__(self) -> int:
        return len(self.names)

    def planes_of(self, images: Sequence[int]) -> NDArray[np.int64]:
        """Return the numbers of the planes of some images, in their order."""
        chosen = np.asarray(images, np.int64)
        ends = np.cumsum(self.counts)
        starts, counts = (ends - self.counts)[chosen], self.counts[chosen]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        planes: NDArray[np.int64] = np.repeat(starts, counts) + within
        return planes


def open_sources(
    sources: Sequence[ImageSource], layout: LayoutName = "auto", hot_pixels: float | None = None
) -> ImageCatalog:
    """Catalog what folders, files, packs and arrays hold; no pixel is read yet.

    Parameters
    ----------
    sources
        Folders (searched through), image files, packs and arrays ``(h, w)`` or ``(n, h, w)``, in any mix.
    layout
        How the folders lie on disk; ``auto`` finds out for each.
    hot_pixels
        Where given, negative pixels become 0 and those above the median by more than this are replaced, see
        `hdf5.repair`.

    Raises
    ------
    UserError
        If a path does not exist, a pack is damaged, nothing is of the layout asked for, or no image can be read.
    """
    _check_paths(sources)
    prefixes = _prefixes(sources)
    parts = [_open(*each, layout, hot_pixels) for each in zip(sources, prefixes, strict=True)]
    found = parts[0] if len(parts) == 1 else _concatenated(parts)
    if not len(found):
        raise UserError(found.skipped[0] if found.skipped else "There is no image to learn from. Give a folder.")
    return found


def _prefixes(sources: Sequence[ImageSource]) -> list[str]:
    """What comes before the names of each source: nothing for one alone, else its own name, numbered if not unique."""
    if len(sources) < 2:
        return [""] * len(sources)
    labels = [_label(number, source) for number, source in enumerate(sources)]
    return [f"{n}-{label}/" if labels.count(label) > 1 else f"{label}/" for n, label in enumerate(labels)]


def _label(number: int, source: ImageSource) -> str:
    if isinstance(source, Image):
        return source.name
    path = _path_of(source)
    return str(number) if path is None else path.resolve().name


def _path_of(source: ImageSource) -> Path | None:
    """The folder or file that a source is; None for arrays."""
    if isinstance(source, ImageIn):
        return source.path
    return Path(source) if isinstance(source, Path | str) else None


def _check_paths(sources: Sequence[ImageSource]) -> None:
    """Raise `UserError` for what cannot be opened, and for what is given twice.

    Such an image could be learnt from and held out at once.
    """
    paths = [path for source in sources if (path := _path_of(source)) is not None]
    for path in paths:
        check_path(path)
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise UserError(f"{path} is given twice. Give it once.")
        seen.add(path.resolve())
    for path in paths:
        outer = next((parent for parent in path.resolve().parents if parent in seen), None)
        if outer is not None:
            raise UserError(f"{path} lies in {outer}, which is also given. Give only one of them.")


def _open(source: ImageSource, prefix: str, layout: LayoutName, hot_pixels: float | None) -> ImageCatalog:
    """List one source."""
    path = _path_of(source)
    if path is not None:
        wanted = source.image if isinstance(source, ImageIn) else None
        found = _open_pack(path, prefix) if is_pack(path) else _open_path(path, prefix, layout, wanted)
    else:
        image = as_image(source)
        name = prefix.removesuffix("/") or _label(0, source)
        found = ImageCatalog([name], [name], np.array([len(image)]), ImagePlanes([image]), ["array"], [])
    if hot_pixels is None:
        return found
    return ImageCatalog(**{**vars(found), "store": RepairedPlanes(found.store, hot_pixels)})


def _open_pack(path: Path, prefix: str) -> ImageCatalog:
    pack = PackedPlanes(path)
    names, origins = ([prefix + name for name in each] for each in (pack.names, pack.origins))
    return ImageCatalog(names, origins, pack.counts, pack, list(pack.header.layouts), [])


def _open_path(path: Path, prefix: str, wanted: LayoutName, image: str | None = None) -> ImageCatalog:
    """List a folder or an image file."""
    if not path.is_dir() and not is_image_name(path.name):
        raise UserError(f"{path} is not in a known image format. Formats that can be read: {FORMATS}.")
    index = scan(path) if image is None else scan_images(path, image)
    if not len(index):
        raise UserError(f"There is no image in the folder {path}. Formats that can be read: {FORMATS}.")
    index, left_out = _without_results(index)
    names = index.texts()
    layout = find_layout(index.root, names, wanted)
    chosen = np.array([layout.chooses(index.root, name) for name in names], bool)
    skipped = [problem for name, problem in _problems(index.chosen(chosen))]
    readable = chosen & (index.rows["planes"] > 0)
    index = index.chosen(readable)
    names = [prefix + name for name, good in zip(names, readable.tolist(), strict=True) if good]
    counts = index.rows["planes"].astype(np.int64)
    notes = [*left_out, *([] if image else _note_on_others(index))]
    if not layout.planes_are_images:
        origins = list(map(layout.origin, names))
        return ImageCatalog(names, origins, counts, FolderPlanes(index), [layout.name], skipped, notes)
    files = list(zip(names, (index.root / own for own in index.texts()), counts.tolist(), strict=True))
    names = [f"{name}#{plane}" for name, _, count in files for plane in range(count)]
    origins = [origin for name, file, count in files for origin in _frame_origins(name, file, count)]
    planes = np.ones(len(names), np.int64)
    return ImageCatalog(names, origins, planes, FolderPlanes(index), [layout.name], skipped, notes)


def _without_results(index: FolderIndex) -> tuple[FolderIndex, list[str]]:
    """Leave out results of this program that lie among other images, and say so."""
    results = index.rows["result"].astype(bool)
    if not results.any() or results.all():
        return index, []
    first = index.chosen(results).texts()[0]
    said = f"{counted(int(results.sum()), 'result')} of this program will be left out, the first: {first}."
    return index.chosen(~results), [f"{said} To learn from them, give a folder that holds nothing else."]


def _note_on_others(index: FolderIndex) -> Iterator[str]:
    """A sentence where files hold several images, of which one is used."""
    several = np.flatnonzero(index.rows["images"] > 1)
    if len(several):
        name, count = index.texts()[several[0]], int(index.rows["images"][several[0]])
        more = f" The same holds for {len(several) - 1} more." if len(several) > 1 else ""
        yield f"{name} holds {count} images, of which one is used.{more} Choose with --image NAME, NUMBER or all."


def _frame_origins(name: str, file: Path, count: int) -> list[str]:
    """What the planes of an HDF5 set were cut from: frames, where the file knows them, else nothing but themselves."""
    frames = frames_of(file)
    return [f"{name}#{plane}" for plane in range(count)] if frames is None else [f"{name}#frame {n}" for n in frames]


def _problems(index: FolderIndex) -> Iterator[tuple[bytes, str]]:
    """Names of the files that cannot be read, and why."""
    unreadable = index.names[index.rows["planes"] == 0].tolist()
    return ((name, index.problems[name]) for name in unreadable)


def _concatenated(parts: Sequence[ImageCatalog]) -> ImageCatalog:
    """One catalog of several."""
    return ImageCatalog(
        names=[name for part in parts for name in part.names],
        origins=[origin for part in parts for origin in part.origins],
        counts=np.concatenate([part.counts for part in parts]) if parts else np.zeros(0, np.int64),
        store=JoinedPlanes([part.store for part in parts]),
        layouts=[layout for part in parts for layout in part.layouts],
        skipped=[reason for part in parts for reason in part.skipped],
        notes=[note for part in parts for note in part.notes],
    )


def describe_skipped(skipped: Sequence[str]) -> str:
    """Return one sentence about files that cannot be read, from at least one about each."""
    return f"{counted(len(skipped), 'file')} could not be read and will be left out, the first: {skipped[0]}"
