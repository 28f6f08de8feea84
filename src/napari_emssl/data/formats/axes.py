"""What the axes before height and width count: time, depth, channels, or mere numbers; with their spacing."""

from typing import Literal, NamedTuple

from .units import nm_per, seconds_per

Kind = Literal["t", "z", "c", "n"]
"""Time, depth, channel, or planes of which nothing is known but their order."""

_KIND_OF: dict[str, Kind] = {
    **dict.fromkeys(("t", "time", "frame", "frames"), "t"),
    **dict.fromkeys(("z", "depth", "slice", "slices"), "z"),
    **dict.fromkeys(("c", "channel", "channels"), "c"),
}  # fmt: skip


class PlaneAxis(NamedTuple):
    """One axis before height and width."""

    kind: Kind = "n"
    step: float | None = None
    """From one plane to the next: of depth in nm, of time in s; None where it is not known."""

    @property
    def unit(self) -> str | None:
        """Unit of the step; None where there is no step."""
        return None if self.step is None else {"z": "nm", "t": "s"}.get(self.kind)


def plane_axis(name: str | None, step: float | None = None, unit: str | None = None) -> PlaneAxis:
    """Return the axis that a file describes.

    Parameters
    ----------
    name
        As the file calls it: a letter (``T``, ``z``) or a word (``time``, ``Depth``, ``channel``); where it says
        nothing of the kind, the unit decides.
    step, unit
        From one plane to the next; a step that is 0, not finite or in a unit of another kind is left out.
    """
    length, time = nm_per(unit), seconds_per(unit)
    by_unit: Kind = "z" if length else "t" if time else "n"
    kind = _KIND_OF.get(str(name or "").strip().lower(), by_unit)
    factor = {"z": length, "t": time}.get(kind)
    if factor is None or step is None or not 0 < abs(step * factor) < float("inf"):
        return PlaneAxis(kind)
    return PlaneAxis(kind, abs(step * factor))
