"""Which images are learnt from, which choose the best weights, and which stay unseen until the end."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...atomic_files import replacing
from ...errors import UserError
from ...formatting import counted
from ...json_text import parse_json
from .origins import draw_subset, order_by_draw

FORMAT = 1
_PARTS = ("training", "validation", "test")
_TAKE_ANOTHER = "Use one that a run wrote beside its model."
_TEST_SALT = 7_919
"""Added to the seed of the test draw: otherwise the test set would be the validation set of a run without a test."""


@dataclass(frozen=True)
class Split:
    """Numbers of the images of each part, ascending."""

    training: list[int]
    validation: list[int] = field(default_factory=list)
    test: list[int] = field(default_factory=list)


def make_split(
    names: Sequence[str], origins: Sequence[str], validation: int, test: int, images: int | None, seed: int
) -> Split:
    """Hold whole origins out, first for the test, then for validation; draw training images from what is left.

    A part holds as many images as asked for, if its origins have them; the other images of these origins are in no
    part. Which images are drawn follows from their names, their origins and the seed alone, so that larger
    parts contain the smaller ones: test sets always, validation sets beside the same test set, and training sets beside
    the same two. Images of a single origin are cut into three runs instead: training, then validation, then test.

    Parameters
    ----------
    names, origins
        Of each image; see `pairing.origin_of`.
    validation, test
        Number of images held out.
    images
        Number of training images; None for all.
    seed
        Any integer.

    Raises
    ------
    UserError
        If nothing is left to learn from.
    """
    if validation + test >= len(names):
        flags = f"--validation {validation}" + (f" and --test {test}" if test else "")
        raise UserError(f"{flags} leaves none of {counted(len(names), 'image')} to learn from. Hold fewer out.")

    everything = list(range(len(names)))
    rest, tested = _hold_out(everything, test, seed + _TEST_SALT, names, origins)
    rest, validated = _hold_out(rest, validation, seed, names, origins)
    if images is not None:
        rest = draw_subset(rest, images, seed, names.__getitem__)
    return Split(rest, validated, tested)


def _hold_out(
    numbers: list[int], count: int, seed: int, names: Sequence[str], origins: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Take `count` images out, with all that share their origins; at least one origin is left."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        groups[origins[number]].append(number)
    if len(groups) < 2:
        cut = max(len(numbers) - count, 1)
        return numbers[:cut], numbers[cut:]
    held: list[int] = []
    taken: set[str] = set()
    for origin in order_by_draw(groups, seed)[:-1]:
        if len(held) >= count:
            break
        held += draw_subset(groups[origin], count - len(held), seed, names.__getitem__)
        taken.add(origin)
    return [number for number in numbers if origins[number] not in taken], sorted(held)


def write_split(
    path: Path, split: Split, names: Sequence[str], origins: Sequence[str], facts: Mapping[str, object],
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Write a split as JSON: for each part the names and the number of its images, and the origins held out.

    Parameters
    ----------
    path
        The file to write.
    split
        Which images are in which part.
    names, origins
        Of each image; the file calls origins ``sources``.
    facts
        What else to write: plain values by name.
    overwrite
        Whether a file that is there may be replaced.

    Raises
    ------
    UserError
        If the file exists and may not be replaced, or cannot be written.
    """
    parts = {part: getattr(split, part) for part in _PARTS}
    content = {
        "format": FORMAT,
        **facts,
        "counts": {part: len(numbers) for part, numbers in parts.items()},
        "sources": {part: sorted({origins[n] for n in parts[part]}) for part in ("validation", "test")},
        **{part: [names[n] for n in numbers] for part, numbers in parts.items()},
    }
    with replacing(path, overwrite) as temporary:
        temporary.write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")


def read_split(path: Path, names: Sequence[str]) -> Split:
    """Read a split and find its images again.

    Parameters
    ----------
    path
        A file of `write_split`.
    names
        Names of the images there are now.

    Raises
    ------
    UserError
        If it is no split, an image of it is missing or in two parts, or there is none to learn from.
    """
    parts = _read_parts(path)
    place = {name: number for number, name in enumerate(names)}
    wanted = [name for part in parts.values() for name in part]
    missing = [name for name in wanted if name not in place]
    if missing:
        raise UserError(
            f"Images of the split {path} are missing ({len(missing)} of {len(wanted)}), the first: '{missing[0]}'. "
            "Give the folders of the run that wrote it, in the same order and with the same --layout."
        )
    if len(set(wanted)) < len(wanted) or not parts["training"]:
        raise UserError(f"The split {path} names an image twice, or none to learn from. {_TAKE_ANOTHER}")
    return Split(**{part: sorted(place[name] for name in listed) for part, listed in parts.items()})


def _read_parts(path: Path) -> dict[str, list[str]]:
    """Names of the images of each part."""
    try:
        content = parse_json(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        version = content["format"]
        parts = {part: list(content.get(part, ())) for part in _PARTS}
    except OSError as error:
        raise UserError(f"The split {path} cannot be read ({error.strerror}). Check the name.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a split of napari-emssl, or is damaged. {_TAKE_ANOTHER}") from error
    if version != FORMAT:
        raise UserError(f"{path} is a split of format {version}; this program reads {FORMAT}. {_TAKE_ANOTHER}")
    if not all(isinstance(name, str) for part in parts.values() for name in part):
        raise UserError(f"{path} is damaged: its parts should be lists of names. {_TAKE_ANOTHER}")
    return parts
