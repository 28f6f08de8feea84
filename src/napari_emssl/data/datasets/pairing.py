"""Folders as data sets: which image belongs to which target."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from ...errors import UserError
from ..formats.hdf5 import role_of
from ..images.opening import find_images, natural_key
from ..images.own_results import results_among
from ..images.readers import HDF5_SUFFIXES
from .layouts import TEM_IMAGENET_TARGETS

T = TypeVar("T")

_ROLES = frozenset(
    re.findall(
        r"\w+",
        "im img image images imgs raw em input noisy mask masks label labels lbl lbls seg segs segmentation gt "
        "groundtruth truth target targets annotation annotations ann instance instances clean output",
    )
)
"""Words that say what a file is for, not which one it is."""


class Pairing(NamedTuple):
    """Which image goes with which target, and what has no partner."""

    pairs: tuple[tuple[Path, Path], ...]
    unpaired_images: tuple[Path, ...]
    unpaired_targets: tuple[Path, ...]

    @property
    def summary(self) -> str:
        """A sentence that shows what was paired and what was not."""
        image, target = self.pairs[0]
        count = len(self.pairs)
        parts = [f"{count} pair{'s' * (count > 1)}, {'the first' if count > 1 else 'namely'} "
                 f"{image.name} with {target.name}"]  # fmt: skip
        for alone, what, lacking in (
            (self.unpaired_images, "image", "target"),
            (self.unpaired_targets, "target", "image"),
        ):
            if alone:
                names = ", ".join(path.name for path in alone[:3]) + (", ..." if len(alone) > 3 else "")
                parts.append(f"{len(alone)} {what}{'s' * (len(alone) > 1)} without {lacking} ({names})")
        return "; ".join(parts) + "."

    @property
    def remark(self) -> str:
        """The summary where something was left out, else nothing."""
        return self.summary if self.unpaired_images or self.unpaired_targets else ""


def find_pairs(images: Path | str, targets: Path | str) -> Pairing:
    """Pair images with targets by name.

    One file and one file are a pair whatever their names. In folders, files are paired that have the same name,
    sub-folder included, up to the extension. Where more pairs are found that way, upper and lower case, sub-folders,
    words that all names of one side share (``img_001`` with ``mask_001`` or ``001_label``), or zeros before numbers are
    ignored; a name that then stands for several files is not paired. Unpaired files are reported. Where one folder lies
    in the other, its files are of its side alone. Results of this program beside images are no images. One folder may
    be both sides when it holds HDF5 files of images and of labels or maps, see `hdf5_pairs`.

    Parameters
    ----------
    images, targets
        Files or folders.

    Returns
    -------
    Pairing
        At least one pair.

    Raises
    ------
    UserError
        If a path holds no image, both are the same, two files have the same name, or no pair is found.
    """
    roots = Path(images), Path(targets)
    if roots[0].resolve() == roots[1].resolve():
        if roots[0].is_dir() and (found := hdf5_pairs(find_images(roots[0]))).pairs:
            return found
        raise UserError(f"Images and targets are both {images}. Put the targets into a folder of their own.")
    files = [find_images([root]) for root in roots]
    results = set(results_among(files[0], roots[0]))
    shown, targeted = _each_on_one_side(files)
    found = pair_files([[path for path in shown if path not in results], targeted], roots)
    left_out = [path for path in shown if path in results]
    return found._replace(unpaired_images=(*found.unpaired_images, *left_out))


def _each_on_one_side(files: list[list[Path]]) -> list[list[Path]]:
    """Leave files that both sides have to the smaller one, whose folder lies in the other's."""
    real = [{path: path.resolve() for path in side} for side in files]
    shared = set(real[0].values()) & set(real[1].values())
    larger = max(real, key=len)
    sides = [[path for path, file in side.items() if side is not larger or file not in shared] for side in real]
    if not all(sides):
        raise UserError(
            f"{files[0][0]} is an image and a target at the same time. Put the targets into a folder of their own."
        )
    return sides


def hdf5_pairs(files: Iterable[Path]) -> Pairing:
    """Pair HDF5 files of images with those of labels or maps: same name but for the word that names the role.

    A single file of images and a single one of labels or maps are a pair whatever their names.
    """
    sides: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    for file in files:
        role = role_of(file) if file.suffix.lower() in HDF5_SUFFIXES else None
        if role is not None:
            stem = re.sub(r"[ _-]*(images?|labels?|maps?|masks?)[ _-]*", "", file.stem.casefold())
            sides[role != "images"][f"{file.parent.as_posix()}/{stem}"] = file
    if len(sides[0]) == len(sides[1]) == 1:
        return Pairing(((next(iter(sides[0].values())), next(iter(sides[1].values()))),), (), ())
    alone = (tuple(side[key] for key in side if key not in other) for side, other in (sides, sides[::-1]))
    return Pairing(tuple((sides[0][key], sides[1][key]) for key in sides[0] if key in sides[1]), *alone)


def pair_files(files: list[list[Path]], roots: tuple[Path, Path]) -> Pairing:
    """Pair the files of two sides, each below its root, as `find_pairs` does; raises `UserError` as it does."""
    if len(files[0]) == len(files[1]) == 1:
        return Pairing(((files[0][0], files[1][0]),), (), ())
    attempts = [_match(*keys) for keys in _keys(files, roots)]
    # of as many pairs the strictest attempt wins: it comes first
    best = max(attempts, key=lambda pairing: len(pairing.pairs))
    if not best.pairs:
        shown = (" and ".join(path.name for path in side[:2]) for side in files)
        raise UserError(
            "No image has a target of the same name: images are named like {}, targets like {}. "
            "Give each target the name of its image.".format(*shown)
        )
    return best


def find_task_pairs(root: Path, task: str) -> Pairing:
    """Pair the images of a published data set with their targets.

    Parameters
    ----------
    root
        The folder of TEM-ImageNet (the one that holds ``image``), or one with HDF5 files of images and labels or maps.
    task
        ``segment``, or for TEM-ImageNet also ``denoise``, ``remove-background``, ``super-resolve``.

    Raises
    ------
    UserError
        If the folder is neither, or has no targets for the task.
    """
    if not (root / "image").is_dir():
        return find_pairs(root, root)
    folder = TEM_IMAGENET_TARGETS.get(task)
    if folder is None or not (root / folder).is_dir():
        there = [name for name, target in TEM_IMAGENET_TARGETS.items() if (root / target).is_dir()]
        raise UserError(f"{root} has no targets for '{task}'. It has those for: {', '.join(there) or 'nothing'}.")
    return find_pairs(root / "image", root / folder)


def _keys(files: list[list[Path]], roots: tuple[Path, Path]) -> Iterable[list[dict[str, list[Path]]]]:
    """Ways to name the files of both sides, the strictest first: key -> files."""
    names = [{path: _relative_stem(path, root) for path in side} for side, root in zip(files, roots, strict=True)]
    _check_twins(names)
    yield [_grouped(side, str) for side in names]
    yield [_grouped(side, str.casefold) for side in names]
    yield [_grouped(side, lambda name: name.casefold().rpartition("/")[2]) for side in names]
    tokens = [{path: _tokens(name) for path, name in side.items()} for side in names]
    common = [_words(set.intersection(*map(set, side.values()))) for side in tokens]
    anywhere = [set.union(*map(set, side.values())) for side in tokens]
    for roles, form in ((frozenset(), str), (_ROLES, str), (_ROLES, _without_zeros)):
        dropped = [roles | (common[0] - anywhere[1]), roles | (common[1] - anywhere[0])]
        yield [
            _grouped({path: "|".join(form(t) for t in names if t not in drop) for path, names in side.items()}, str)
            for side, drop in zip(tokens, dropped, strict=True)
        ]


def _relative_stem(path: Path, root: Path) -> str:
    """Name below the root without extension, with forward slashes; macOS may split letters and accents: joined."""
    relative = path.relative_to(root) if path != root else Path(path.name)
    name = unicodedata.normalize("NFC", relative.as_posix())
    return re.sub(r"(\.ome)?\.[^./]+$", "", name, flags=re.IGNORECASE)


def _check_twins(names: list[dict[Path, str]]) -> None:
    """Raise `UserError` where two files of one side have one name, so that it is unclear which is meant."""
    wanted = set(names[0].values()) & set(names[1].values())
    for side in names:
        for name, twins in _grouped(side, str).items():
            if len(twins) > 1 and name in wanted:
                raise UserError(
                    f"{twins[0].name} and {twins[1].name} in {twins[0].parent} have the same name. "
                    "Keep one of them, then try again."
                )


def _grouped(names: dict[Path, str], key: Callable[[str], str]) -> dict[str, list[Path]]:
    """Files by key."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path, name in names.items():
        groups[key(name)].append(path)
    return groups


def _tokens(name: str) -> list[str]:
    """Words and numbers of a name; a hyphen that does not follow a letter or digit is the sign of a number."""
    return re.findall(r"[^\W\d_]+|(?:(?<![^\W_])-)?\d+", name.casefold())


def _words(tokens: set[str]) -> set[str]:
    """Tokens that are no numbers: a number that all names share may still distinguish two series."""
    return {token for token in tokens if not _is_number(token)}


def _is_number(token: str) -> bool:
    return token.removeprefix("-").isdecimal()


def _without_zeros(token: str) -> str:
    """A number without the zeros before it; words as they are."""
    digits = token.removeprefix("-")
    return token[: len(token) - len(digits)] + (digits.lstrip("0") or "0") if _is_number(token) else token


def _match(images: dict[str, list[Path]], targets: dict[str, list[Path]]) -> Pairing:
    """Pair the keys that stand for exactly one file on both sides."""
    shared = [key for key in images if key and len(images[key]) == len(targets.get(key, ())) == 1]
    pairs = sorted(((images[key][0], targets[key][0]) for key in shared), key=lambda pair: natural_key(pair[0]))
    alone = (
        tuple(sorted((path for group in side.values() for path in group if path not in used), key=natural_key))
        for side, used in ((images, {pair[0] for pair in pairs}), (targets, {pair[1] for pair in pairs}))
    )
    return Pairing(tuple(pairs), *alone)
