"""The part of all work that one machine does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ...errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """The part of all work that one machine does: number `number` of `count`, counted from 1."""

    number: int = 1
    count: int = 1

    def of(self, items: Sequence[T]) -> list[T]:
        """Return every `count`-th of the items."""
        return list(items[self.number - 1 :: self.count])


def in_groups(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return the items in groups of `size`, the last one perhaps smaller."""
    return [items[first : first + size] for first in range(0, len(items), size)]


def read_part(text: str) -> Part:
    """Read ``2/8``; raises `UserError` where it is none."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"--shard takes a part and their number, such as 2/8 (got {text}).")
    return Part(int(found[1]), int(found[2]))
