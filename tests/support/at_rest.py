"""What a window shows once nothing changes it any more."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_CALM_MS = 300


def at_rest(qtbot, read: Callable[[], T]) -> T:
    """Wait until what is read stays the same for a while, however late the last change comes; returns it."""
    seen: list[T] = []

    def unchanged() -> bool:
        before = read()
        qtbot.wait(_CALM_MS)
        seen.append(read())
        return seen[-1] == before

    qtbot.waitUntil(unchanged)
    return seen[-1]
