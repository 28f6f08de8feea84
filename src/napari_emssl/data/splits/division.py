"""How labelled planes are divided into training, validation and test: by a file, by their names, or by shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ...errors import UserError
from .copies import COPIES
from .held_out import Split, make_split, read_split, write_split
from .named_parts import PARTS, Part

ENOUGH_ORIGINS = 5
"""Origins of which some can be given away."""

SplitUnit = Literal["frame", "image", "copy"]
"""What is never divided: all that was cut from one frame, a single image, or not even that: one of its copies."""


class PlaneOrigin(NamedTuple):
    """Where a plane comes from."""

    name: str
    """What files of splits call it."""
    draw: str
    """By what it is drawn."""
    origin: str
    """What it was cut from, see `origins.origin_of`."""
    part: Part | None = None
    """The part that its file's name says it belongs to."""


class SplitRules(NamedTuple):
    """How planes are to be divided."""

    validation: float
    test: float
    """Shares, in [0, 1), rounded up; that of the validation is taken of what the test leaves."""
    unit: SplitUnit
    seed: int
    file: Path | None = None
    """A file of `held_out.write_split` that says it all."""

    def apply_to(self, planes: Sequence[PlaneOrigin]) -> bool:
        """Whether these rules say more than how much is held out for validation."""
        by_name = any(plane.part for plane in planes)
        return self.file is not None or self.test > 0 or self.unit != "frame" or by_name


@dataclass(frozen=True)
class Division:
    """Planes, or their copies, divided into parts."""

    names: Sequence[str]
    origins: Sequence[str]
    split: Split
    copies: int = 1
    """Copies of each plane: number k is copy ``k % copies`` of plane ``k // copies``."""

    def write(self, path: Path, facts: dict[str, object]) -> None:
        """Write the split, replacing what is there; see `held_out.write_split`."""
        write_split(path, self.split, self.names, self.origins, facts, overwrite=True)


def divide(planes: Sequence[PlaneOrigin], rules: SplitRules) -> Division:
    """Divide planes into training, validation and test.

    A file rules; else the parts that names tell, and what they leave open is drawn from those for training.

    Parameters
    ----------
    planes
        All there are.
    rules
        File, shares, what is kept together, and the seed that draws.

    Returns
    -------
    Division
        With at least one plane for training.

    Raises
    ------
    UserError
        When a file does not fit the planes, or nothing is left to learn from.

    """
    copies = COPIES if rules.unit == "copy" else 1
    items = [_copy(plane, number) for plane in planes for number in range(copies)] if copies > 1 else list(planes)
    names = [item.name for item in items]
    origins = [item.origin if rules.unit == "frame" else item.draw for item in items]
    if rules.file is not None:
        return Division(names, origins, read_split(rules.file, names), copies)
    named = {part: [n for n, item in enumerate(items) if item.part == part] for part in PARTS}
    free = [n for n, item in enumerate(items) if item.part in (None, "training")]
    test = 0.0 if named["test"] else rules.test
    validation = 0.0 if named["validation"] else rules.validation
    _require_enough({origins[n] for n in free}, test)
    drawn = split_by_shares(
        [items[n].draw for n in free], [origins[n] for n in free], validation, test, rules.seed
    )  # fmt: skip
    training, validated, tested = ([free[n] for n in part] for part in (drawn.training, drawn.validation, drawn.test))
    split = Split(training, sorted(validated + named["validation"]), sorted(tested + named["test"]))
    return Division(names, origins, split, copies)


def split_by_shares(names: Sequence[str], origins: Sequence[str], validation: float, test: float, seed: int) -> Split:
    """Hold out shares, rounded up, first for the test; 0.15 and 0.15 are the paper's 2155 and 1832 of 14 364.

    Parameters
    ----------
    names
        Of the planes.
    origins
        What each plane was cut from: planes of one origin stay together.
    validation, test
        Shares, in [0, 1); that of the validation is taken of what the test leaves.
    seed
        Draws the origins.

    """
    tested = math.ceil(round(test * len(names), 6))
    validated = math.ceil(round(validation * (len(names) - tested), 6))
    return make_split(names, origins, validated, tested, None, seed)


def _copy(plane: PlaneOrigin, number: int) -> PlaneOrigin:
    """Name a flipped or turned copy; in this division it is an origin of its own."""
    return plane._replace(name=f"{plane.name}@{number}", draw=f"{plane.draw}@{number}")


def _require_enough(origins: set[str], test: float) -> None:
    if test and len(origins) < ENOUGH_ORIGINS:
        raise UserError(
            f"A test needs images of at least {ENOUGH_ORIGINS} sources. Give more images, or no test (--test 0)."
        )
