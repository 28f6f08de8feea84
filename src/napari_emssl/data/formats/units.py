"""Units of length and time as files spell them, and the size of a pixel in nm."""

import re
from functools import lru_cache
from typing import NamedTuple, SupportsFloat

_METRES = {
    **{"": 1e9, "f": 1e-6, "p": 1e-3, "n": 1.0, "u": 1e3, "m": 1e6},
    **{"femto": 1e-6, "pico": 1e-3, "nano": 1.0, "micro": 1e3, "mikro": 1e3, "milli": 1e6},
}
_NM = {
    **{f"{prefix}{word}": nm for prefix, nm in _METRES.items() for word in ("m", "meter", "metre")},
    **dict.fromkeys(("a", "å", "ang", "angstrom", "ångström", "angström", "ångstrom", "angstroem"), 0.1),
    "micron": 1e3,
}
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisec", "millisecond"), 1e-3),
    **dict.fromkeys(("us", "usec", "microsec", "microsecond"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanosec", "nanosecond"), 1e-9),
    **dict.fromkeys(("min", "minute"), 60.0),
    **dict.fromkeys(("h", "hr", "hour"), 3600.0),
}
_MICRO = ("\\u00b5", "\\u03bc", "\u00c2\u00b5", "\u00ce\u00bc", "\u03bc", "\u00b5", "&micro;", "mu")
"""The micro sign, Greek mu, ImageJ's escapes of them, and their UTF-8 read as Latin-1."""
_ANGSTROM = ("\\u00c5", "\\u00e5", "\u212b")
_PLAUSIBLE_NM = (1e-4, 1e5)
"""Outside of 0.1 pm to 0.1 mm a value is no pixel size of an electron microscope but a default or an error."""


class PixelNm(NamedTuple):
    """A pixel's height and width in nm."""

    height: float
    width: float

    @property
    def edge(self) -> float | None:
        """Edge of a square pixel; None where height and width differ by more than 1 %.

        A stretched pixel has no single size, and a wrong one would be worse than none.
        """
        if abs(self.height - self.width) > 0.01 * max(self.height, self.width):
            return None
        return (self.height + self.width) / 2


PixelSize = float | PixelNm | None
"""The edge of a square pixel in nm, or height and width; None where it is not known."""


def edges_of(pixel: PixelSize) -> PixelNm | None:
    """Return height and width of a pixel; None where they are not known."""
    if isinstance(pixel, PixelNm):
        return pixel
    return PixelNm(pixel, pixel) if pixel else None


@lru_cache(256)
def _word(unit: str | None) -> str:
    """Bare lower-case word for a unit: without brackets, "/pixel" and plural, "u" for micro."""
    text = str(unit or "").strip().strip("\x00").strip().lower()
    for sign in _ANGSTROM:
        text = text.replace(sign, "å")
    for sign in _MICRO:
        text = text.replace(sign.lower(), "u")
    text = re.sub(r"\s*(/|per)\s*(px|pixels?)$", "", text.strip("[](){}\"' ."))
    return text[:-1] if len(text) > 3 and text.endswith("s") else text


def nm_per(unit: str | None) -> float | None:
    """Return how many nanometres one `unit` is; None for inch, cm, 1/nm, pixel and whatever is unknown.

    Inch and cm are left out on purpose: image programs write the printing resolution in them.
    """
    return _NM.get(_word(unit))


def seconds_per(unit: str | None) -> float | None:
    """Return how many seconds one `unit` is; None for what is no unit of time."""
    return _SECONDS.get(_word(unit))


def number_in(text: object) -> float | None:
    """Return the number that a text begins with, whose decimal sign may be a comma; None where there is none."""
    found = re.match(r"\s*([-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?)(?![\d.,])", str(text))
    return float(found[1].replace(",", ".")) if found else None


Size = SupportsFloat | str | None
"""A number, or a text that is one."""


def pixel_nm(y: Size, x: Size, unit: str | None, x_unit: str | None = None) -> PixelNm | None:
    """Return height and width of a pixel in nm.

    Parameters
    ----------
    y, x
        Its height and width; the sign, by which some programs say which way an axis runs, does not count.
    unit
        Of both, see `nm_per`.
    x_unit
        Of the width, where it has a unit of its own.

    Returns
    -------
    PixelNm or None
        None where a unit is unknown, a value is missing or no plausible size (0.1 pm to 0.1 mm).
    """
    factors = nm_per(unit), nm_per(unit if x_unit is None else x_unit)
    sizes = []
    for value, factor in zip((y, x), factors, strict=True):
        try:
            # XML wants a point, but some programs write the decimal sign of their country
            number = float(value.replace(",", ".") if isinstance(value, str) else value or 0.0)
            size = abs(number) * factor if factor is not None else 0.0
        except (TypeError, ValueError, OverflowError):
            return None
        if not _PLAUSIBLE_NM[0] <= size <= _PLAUSIBLE_NM[1]:
            return None
        sizes.append(size)
    return PixelNm(*sizes)


def square_pixel_nm(y: Size, x: Size, unit: str | None) -> float | None:
    """Return the edge of a square pixel in nm; None where `pixel_nm` knows none, or it is stretched.

    Parameters
    ----------
    y, x
        Its height and width.
    unit
        Their unit.
    """
    pixel = pixel_nm(y, x, unit)
    return None if pixel is None else pixel.edge
