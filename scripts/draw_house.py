"""Draw the rooms of the package on their floors: ``python scripts/draw_house.py docs/images/house.png``.

Each box is a folder (or a file directly in the package) with its number of files; its width follows its lines. A room
imports only from floors below its own. Boxes of one colour belong to one part of the package.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from house_tree import DOORSTEP, House, read_house
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

_WIDTH, _HEIGHT, _GAP = 15.0, 0.78, 0.1
_LEAST = 1.25
"""Width of the narrowest box: its name has to be readable."""


def rows(house: House) -> list[list[str]]:
    """Return the rooms of every floor, from the ground, in the order of their names."""
    floors, filled = house.floors, set(house.filling())
    rooms = [room for room in floors if room.endswith(".py") or room in filled]
    return [sorted(room for room in rooms if floors[room] == floor) for floor in range(max(floors.values()) + 1)]


def widths(house: House, rooms: Sequence[str]) -> list[float]:
    """Share out the width of the house: every room its least width, the rest by lines of code."""
    lines = [sum(len(file.text.splitlines()) for file in house.files if file.room == room) for room in rooms]
    free = _WIDTH - _LEAST * len(rooms) - _GAP * (len(rooms) - 1)
    widest = 3.2
    return [min(widest, _LEAST + max(free, 0) * count / sum(lines)) for count in lines]


def draw_row(axes: Axes, house: House, floor: int, rooms: Sequence[str], colours: dict[str, object]) -> None:
    """Draw one floor, its rooms in the middle."""
    shares = widths(house, rooms)
    left = (_WIDTH - sum(shares) - _GAP * (len(rooms) - 1)) / 2
    for room, width in zip(rooms, shares, strict=True):
        box = FancyBboxPatch((left, floor), width, _HEIGHT, "round,pad=0,rounding_size=0.08", lw=0.6, ec="0.35")
        box.set_facecolor(colours[part_of(room)])  # type: ignore[arg-type]
        axes.add_patch(box)
        name = room.replace("/", "/\n", 1) if len(room) > 11 else room
        axes.text(left + width / 2, floor + _HEIGHT * 0.6, name, ha="center", va="center", fontsize=6.6)
        count = house.filling().get(room)
        if count:
            files = f"{count} files" if count > 1 else "1 file"
            axes.text(left + width / 2, floor + 0.1, files, ha="center", fontsize=5, color="0.3")
        left += width + _GAP


def part_of(room: str) -> str:
    """Return the part of the package that a room belongs to."""
    return "" if room.endswith(".py") else room.partition("/")[0]


def main(target: Path) -> None:
    """Draw the house of this checkout."""
    house = read_house(Path(__file__).parents[1])
    floors = rows(house)
    parts = sorted({part_of(room) for room in house.floors} - set(DOORSTEP))
    colours = {part: pyplot.colormaps["Set3"](number % 12) for number, part in enumerate(parts)} | {"": "0.93"}
    figure, axes = pyplot.subplots(figsize=(11, 0.72 * len(floors) + 0.2))
    for floor, rooms in enumerate(floors):
        draw_row(axes, house, floor, rooms, colours)
    axes.set(xlim=(-0.1, _WIDTH + 0.1), ylim=(-0.1, len(floors)))
    axes.axis("off")
    figure.savefig(target, dpi=170, bbox_inches="tight", pad_inches=0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/house.png"))
