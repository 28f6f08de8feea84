"""The table of particles: lengths in pixels within, with their unit in the column's name where they are written."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..atomic_files import replacing
from ..formatting import counted
from .properties import POWERS, Columns
from .statistics import Summary, summary_of

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FIRST = ("file", "plane", "label", "class", "x", "y")
_LAST = ("circularity", "eccentricity", "touches_border", "mean_intensity", "pixel_size_nm")


class LeftOut(NamedTuple):
    """How many particles are not in a table, each counted once."""

    border: int = 0
    """Cut by the edge of the image."""
    specks: int = 0
    """Of too few pixels."""
    limits: int = 0
    """Smaller or larger than was asked for."""

    def describe(self) -> str:
        """Return a sentence; empty where nothing is left out."""
        parts = [f"{counted(self.border, 'particle')} cut by the border"] * (self.border > 0)
        parts += [counted(self.specks, "speck")] * (self.specks > 0)
        parts += [f"{self.limits} outside of the limits"] * (self.limits > 0)
        return f"Left out: {', '.join(parts)}." if parts else ""


_NOTHING = LeftOut()


@dataclass(frozen=True)
class ParticleTable:
    """Particles of one or several images, one row each.

    `columns` are those of `properties_of` (lengths in pixels), with ``file``, ``plane``, ``class`` and
    ``pixel_size_nm`` (NaN where it is unknown); all have the same length.
    """

    columns: Columns = field(repr=False)
    calibrated: bool = False
    """Whether the pixel size of an image is known."""
    uncalibrated: bool = True
    """Whether that of an image is not."""
    left_out: LeftOut = _NOTHING

    def __len__(self) -> int:
        return len(self.columns["label"])

    @property
    def units(self) -> tuple[str, ...]:
        """``("nm",)``, ``("px",)``, or both where some images are calibrated and some are not."""
        return ("nm",) * self.calibrated + ("px",) * (self.uncalibrated or not self.calibrated)

    def outside(self) -> Columns:
        """Return the columns as they are written: units in the names, lengths in nm, in pixels, or in both."""
        columns = {_name(name): self.columns[name] for name in _FIRST if name in self.columns}
        for unit in self.units:
            for name, power in POWERS.items():
                columns[f"{name}_{unit}{'2' if power == 2 else ''}"] = self._lengths(name, power, unit)
        return columns | {name: self.columns[name] for name in _LAST if name in self.columns}

    def diameters(self, unit: str) -> NDArray[np.float64]:
        """Return the equivalent diameters in `unit`; where both units occur, ``px`` are those of images without nm."""
        known = np.isfinite(self.columns["pixel_size_nm"])
        return self._lengths("equivalent_diameter", 1, unit)[known if unit == "nm" else ~known]

    def describe(self) -> str:
        """Return the statistics in a line for each unit, and what was left out."""
        lines = [summary.describe() for summary in self.summaries()] if len(self) else ["No particles."]
        return "\n".join(filter(None, [*lines, self.left_out.describe()]))

    def summaries(self) -> tuple[Summary, ...]:
        """Return the statistics of the diameters, one for each unit."""
        return tuple(summary_of(self.diameters(unit), unit) for unit in self.units)

    def write_csv(self, path: Path | str, overwrite: bool = False) -> Path:
        """Write the table as CSV (UTF-8, comma, point); what is unknown is left empty.

        Names that a spreadsheet would take for formulas (``=1+1``, ``-10V``) get an apostrophe in front; bytes in names
        that are no letters are written as escapes.

        Raises
        ------
        UserError
            If the file exists and `overwrite` is false, or it cannot be written.

        """
        columns = self.outside()
        with (
            replacing(path, overwrite) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*(_texts(values) for values in columns.values()), strict=True))
        return Path(path)

    def _lengths(self, name: str, power: int, unit: str) -> NDArray[np.float64]:
        factor = self.columns["pixel_size_nm"] ** power if unit == "nm" else 1.0
        return np.asarray(self.columns[name] * factor, np.float64)


def concatenate(tables: Sequence[ParticleTable]) -> ParticleTable:
    """Return one table with the rows of all; a column that one of them lacks is NaN there."""
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    columns = {
        name: np.concatenate([table.columns.get(name, np.full(len(table), np.nan)) for table in tables])
        for name in names
    }
    left_out = LeftOut(*(sum(numbers) for numbers in zip(*(table.left_out for table in tables), strict=True)))
    return ParticleTable(columns, any(t.calibrated for t in tables), any(t.uncalibrated for t in tables), left_out)


def _name(name: str) -> str:
    return f"{name}_px" if name in ("x", "y") else name


def _texts(values: NDArray[np.generic]) -> list[str]:
    """Format a column: whole numbers whole, others with six digits, NaN as nothing."""
    if values.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:.6g}" for value in values.tolist()]
    if values.dtype.kind in "biu":
        return [str(int(value)) for value in values.tolist()]
    # a spreadsheet would take such a name for a formula and run it, or show "#NAME?" instead
    return [f"'{text}" if text.startswith(_FORMULA) else text for text in map(str, values.tolist())]
