"""Times, counts and sizes as people write them: one wording for the terminal, the viewer and the messages of jobs."""

import re
from math import floor, isfinite, log10

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SMALLEST = 1e-4
"""What is smaller is written as a power of ten."""


def duration(seconds: float) -> str:
    """Return a time as a person would say it: ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 plane`` or ``3 planes``.

    Parameters
    ----------
    number
        How many.
    noun
        In the singular.
    plural
        Where it is not the noun with an s.

    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def bytes_in_words(count: float) -> str:
    """Return a size as a person would say it: ``12 MB``, ``3.4 GB``."""
    for unit, size in (("EB", 1e18), ("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{max(round(count / 1e6), 1)} MB"


def significant(value: float, digits: int = 4) -> str:
    """Return a number to so many significant digits, as people write it: ``0.9755``, ``14.00``, ``12346``.

    Numbers are aligned by their digits, not shortened, and what is large is not written as a power of ten.

    Parameters
    ----------
    value
        Any number.
    digits
        How many digits count; whole digits are never dropped.

    """
    size = abs(value)
    if not isfinite(value) or 0 < size < _SMALLEST:
        return f"{value:.{digits}g}"
    before = floor(log10(size)) + 1 if size else 1
    return f"{value:.{max(digits - before, 0)}f}"


def plain(text: str) -> str:
    """Return text of others (file names, cards, registries) without what would steer a terminal.

    Control characters, among them the beginnings of escape sequences, and characters that turn the direction of writing
    become U+FFFD; line ends and tabs stay.
    """
    return _STEERING.sub("\ufffd", text)
