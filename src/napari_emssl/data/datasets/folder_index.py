"""Folders of very many images: what each file holds is read once and kept in an index in the user's folder.

The second scan only lists the folders and compares size and time of change; new and changed files are read again. An
index that is damaged or of another version is ignored and made again.
"""

import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic_files import replacing
from ...errors import UserError
from ..formats.contents import ImageHeader
from ..images.choice import ALL
from ..images.folder_rules import is_image_name, is_junk, refuse_closed
from ..images.headers import read_header
from ..images.opening import natural_key, read_images
from ..images.own_results import made_by
from ..images.user_folder import home

VERSION = 3
WORTH_AN_INDEX = 500
"""Folders of fewer files are read again each time: that is fast, and leaves no file behind."""

_THREADS, _CHUNK, _HEAD_BYTES = 16, 32, 4096
"""Threads that fetch heads of files, how many files each takes at a time, and how much of them."""

ROW = np.dtype(
    [
        ("size", "<i8"),
        ("changed", "<i8"),
        ("planes", "<i4"),
        ("height", "<i4"),
        ("width", "<i4"),
        ("dtype", "S4"),
        ("offset", "<i8"),
        ("pixel_size_nm", "<f4"),
        ("images", "<u2"),
        ("result", "?"),
    ]
)
"""What is known of a file, see `ImageHeader`; `changed` in ns; `result`: of this program. One that cannot be read has 0
planes.
"""


@dataclass(frozen=True)
class FolderIndex:
    """The image files of a folder in natural order, and what each holds."""

    root: Path
    names: NDArray[np.bytes_]
    """Paths relative to the root, with forward slashes, as the file system spells them."""
    rows: NDArray[np.void]
    """One `ROW` a file."""
    problems: dict[bytes, str]
    """By name, a sentence that says why a file cannot be read."""
    wanted: NDArray[np.str_] | None = None
    """Which image of each file, where somebody said so; a file may then have several rows."""

    def __len__(self) -> int:
        return len(self.names)

    def texts(self) -> list[str]:
        """Return the names as text, with that of the image behind where a file may have several rows."""
        names = [os.fsdecode(name) for name in self.names.tolist()]
        if self.wanted is None:
            return names
        return [f"{name}#{image}" for name, image in zip(names, self.wanted.tolist(), strict=True)]

    def chosen(self, which: NDArray[np.bool_ | np.integer]) -> "FolderIndex":
        """Return some of the files: `which` holds their numbers, or True for each of them."""
        wanted = None if self.wanted is None else self.wanted[which]
        return FolderIndex(self.root, self.names[which], self.rows[which], self.problems, wanted)


def scan(root: Path) -> FolderIndex:
    """Return the image files of a folder, or the one file `root`, and what each holds.

    Folders are searched as by `opening.find_images`. Files are opened only where the index does not know them. What was
    read is kept even when the scan is interrupted.
    """
    if not root.is_dir() or is_image_name(root.name):
        return _merged(root.parent, _one_file(root), None)
    found = dict(_walk(root))
    return _merged(root, found, _load(root) if len(found) >= WORTH_AN_INDEX else None)


def scan_images(root: Path, image: str) -> FolderIndex:
    """Return certain images of the files of a folder, or of one file; nothing of it is kept in an index.

    Parameters
    ----------
    root
        The folder, or the file.
    image
        A name, a number from 1 on, or ``all``.
    """
    single = not root.is_dir() or is_image_name(root.name)
    folder, found = (root.parent, _one_file(root)) if single else (root, dict(_walk(root)))
    problems: dict[bytes, str] = {}
    names = [(name, each) for name in _in_order(found, None) for each in _each(folder, name, image)]
    rows = np.zeros(len(names), ROW)
    for number, (name, each) in enumerate(names):
        rows["size"][number], rows["changed"][number] = found[name]
        _read_one(folder, name, rows, number, problems, each)
    wanted = np.array([each for _, each in names], np.str_)
    return FolderIndex(folder, np.array([name for name, _ in names], np.bytes_), rows, problems, wanted)


def _each(folder: Path, name: bytes, image: str) -> list[str]:
    """The images that are meant of a file; one that cannot be read counts as one, and its header says why."""
    if image != ALL:
        return [image]
    try:
        return [each.label or "1" for each in read_images(folder / os.fsdecode(name))]
    except UserError:
        return ["1"]


def _one_file(path: Path) -> dict[bytes, tuple[int, int]]:
    status = path.stat()
    return {os.fsencode(path.name): (status.st_size, status.st_mtime_ns)}


def _walk(root: Path) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Name, size and time of change of the images below a folder; links to folders are followed once."""
    seen: set[str] = set()
    waiting = [(os.fspath(root), "")]
    while waiting:
        folder, below = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = os.scandir(folder)
        except PermissionError as error:
            refuse_closed(error)
            continue
        with entries:
            for entry in entries:
                if is_image_name(entry.name):
                    with suppress(OSError):  # a link to nothing, or a file deleted meanwhile
                        if not (entry.is_file() or entry.is_dir()):
                            continue  # a pipe or a device, which may never come to an end
                        status = entry.stat()
                        yield os.fsencode(below + entry.name), (status.st_size, status.st_mtime_ns)
                elif entry.is_dir() and not is_junk(entry.name):
                    waiting.append((entry.path, f"{below}{entry.name}/"))


def _merged(root: Path, found: dict[bytes, tuple[int, int]], known: FolderIndex | None) -> FolderIndex:
    """Take over what is known of unchanged files, read the headers of the others, keep the index."""
    names = _in_order(found, known)
    rows = np.zeros(len(names), ROW)
    problems: dict[bytes, str] = {}
    new = _take_over(names, rows, found, problems, known)
    index = FolderIndex(root, np.array(names, np.bytes_), rows, problems)
    done = 0
    try:
        with closing(_prefetched(root, names, new)) as ready:
            for number in ready:
                _read_one(root, names[number], rows, number, problems)
                done += 1
    finally:
        gone = known is not None and len(known) != len(names)
        if len(names) >= WORTH_AN_INDEX and (new or gone):
            rows["changed"][new[done:]] = -1  # an interrupted scan: these match no file, so they are read next time
            _save(index)
    return index


def _prefetched(root: Path, names: list[bytes], numbers: list[int]) -> Generator[int, None, None]:
    """Yield numbers once the heads of their files are in the system's cache.

    Reading headers costs little but for the wait for a disk or a network, so threads wait for many files at once, a few
    chunks ahead, while this thread parses what has come.
    """
    chunks = [numbers[at : at + _CHUNK] for at in range(0, len(numbers), _CHUNK)]
    ahead: deque[Future[None]] = deque()
    folder = os.fsencode(root) + b"/"
    with ThreadPoolExecutor(_THREADS) as pool:
        for place, chunk in enumerate(chunks):
            while len(ahead) < _THREADS and place + len(ahead) < len(chunks):
                files = [folder + names[number] for number in chunks[place + len(ahead)]]
                ahead.append(pool.submit(_touch, files))
            ahead.popleft().result()
            yield from chunk


def _touch(files: list[bytes]) -> None:
    """Read the heads of files; what is wrong with a file is found out when its header is parsed."""
    for file in files:
        with suppress(OSError):
            opened = os.open(file, os.O_RDONLY)
            try:
                os.read(opened, _HEAD_BYTES)
            finally:
                os.close(opened)


def _in_order(found: dict[bytes, tuple[int, int]], known: FolderIndex | None) -> list[bytes]:
    """Names in natural order; sorting half a million takes seconds, so the order of the index is kept if it can be."""
    if known is not None:
        kept = [name for name in known.names.tolist() if name in found]
        if len(kept) == len(found):
            return kept
    return sorted(found, key=lambda name: natural_key(os.fsdecode(name)))


def _take_over(
    names: list[bytes],
    rows: NDArray[np.void],
    found: dict[bytes, tuple[int, int]],
    problems: dict[bytes, str],
    known: FolderIndex | None,
) -> list[int]:
    """Fill in what is known of unchanged files; return the numbers of the others."""
    rows["size"], rows["changed"] = np.array([found[name] for name in names], np.int64).reshape(-1, 2).T
    if known is None:
        return list(range(len(names)))
    place = {name: number for number, name in enumerate(known.names.tolist())}
    old = np.array([place.get(name, -1) for name in names], np.int64)
    there = np.flatnonzero(old >= 0)
    before = known.rows[old[there]]
    same = (before["size"] == rows["size"][there]) & (before["changed"] == rows["changed"][there])
    rows[there[same]] = before[same]
    fresh = np.ones(len(names), bool)
    fresh[there[same]] = False
    for name, problem in known.problems.items():
        if name in found:
            problems[name] = problem
    return [int(number) for number in np.flatnonzero(fresh)]


def _read_one(
    root: Path,
    name: bytes,
    rows: NDArray[np.void],
    number: int,
    problems: dict[bytes, str],
    image: str | None = None,
) -> None:
    """Read the header of one file into its row, or note why that is not possible."""
    problems.pop(name, None)
    try:
        held = read_header(root / os.fsdecode(name), int(rows["size"][number]), image)
    except UserError as error:
        held = ImageHeader(0, 0, 0, "", -1, None)
        problems[name] = str(error)
    size = held.pixel_size_nm if held.pixel_size_nm is not None else np.nan
    count = min(held.images, int(np.iinfo(np.uint16).max))
    result = made_by(root / os.fsdecode(name)) is not None
    rows[number] = (*rows[number].tolist()[:2], *held[:3], held.dtype.encode(), held.offset, size, count, result)


def index_file(root: Path) -> Path:
    """Return the file that keeps the index of a folder."""
    key = blake2b(os.fsencode(root.resolve()), digest_size=16).hexdigest()
    return home() / "indices" / f"{key}.npz"


def _load(root: Path) -> FolderIndex | None:
    """Read the index of a folder; None when there is none that can be used."""
    try:
        with index_file(root).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            version, where = int(stored["version"]), bytes(stored["root"])
            names, rows = stored["names"], stored["rows"]
            problems = dict(zip(stored["unreadable"].tolist(), stored["reasons"].tolist(), strict=True))
    except Exception:  # a damaged archive raises errors of many kinds; whatever it is, the index is made again
        return None
    fits = version == VERSION and where == os.fsencode(root.resolve()) and rows.dtype == ROW
    return FolderIndex(root, names, rows, problems) if fits and len(names) == len(rows) else None


def _save(index: FolderIndex) -> None:
    """Write an index; where the user's folder cannot be written to, the next scan takes as long as this one."""
    path = index_file(index.root)
    with suppress(UserError), replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            version=np.int64(VERSION),
            root=np.void(os.fsencode(index.root.resolve())),
            names=index.names,
            rows=index.rows,
            unreadable=np.array(list(index.problems), np.bytes_),
            reasons=np.array(list(index.problems.values()), np.str_),
        )
