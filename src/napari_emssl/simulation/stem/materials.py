"""Crystals by name, by lattice parameters, or from a CIF file.

Lattice parameters in nm, at room temperature: R. W. G. Wyckoff, *Crystal Structures* (2nd ed., Wiley 1963-1971);
W. M. Haynes (ed.), *CRC Handbook of Chemistry and Physics*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import UserError
from .lattice import Cell, ZoneAxis, atomic_number, cell_vectors

_CUBIC: tuple[ZoneAxis, ...] = ((1, 1, 0), (1, 0, 0), (1, 1, 1))
_HEXAGONAL: tuple[ZoneAxis, ...] = ((0, 0, 1), (1, 0, 0), (2, 1, 0))
_FCC = ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))

Place = tuple[float, float, float]


@dataclass(frozen=True)
class Prototype:
    """A kind of structure: which sites each element has."""

    sites: tuple[tuple[Place, ...], ...]
    """For each element its places, in fractions of the cell's edges."""
    zone_axes: tuple[ZoneAxis, ...] = _CUBIC
    gamma: float = 90
    """Angle of a and b in degrees."""
    c_over_a: float = 1.0
    """Where c is not given."""
    layered: bool = False
    """Two sheets to the cell, the first at height 0."""


def _shifted(places: Sequence[Place], by: Place) -> tuple[Place, ...]:
    return tuple((x + by[0], y + by[1], z + by[2]) for x, y, z in places)


def _sheets(height: float) -> tuple[tuple[Place, ...], ...]:
    """2H stacking of MX2: metal, then chalcogen `height` (in c) above and below it."""
    metal = ((1 / 3, 2 / 3, 0.0), (2 / 3, 1 / 3, 0.5))
    other = ((2 / 3, 1 / 3, 0.0), (1 / 3, 2 / 3, 0.5))
    return metal, _shifted(other, (0, 0, height)) + _shifted(other, (0, 0, -height))


_U = 0.305
_RUTILE = ((_U, _U, 0.0), (-_U, -_U, 0.0), (0.5 + _U, 0.5 - _U, 0.5), (0.5 - _U, 0.5 + _U, 0.5))
_WURTZITE = ((1 / 3, 2 / 3, 0.0), (2 / 3, 1 / 3, 0.5))

PROTOTYPES = {
    "fcc": Prototype((_FCC,)),
    "bcc": Prototype((((0, 0, 0), (0.5, 0.5, 0.5)),), ((1, 0, 0), (1, 1, 1), (1, 1, 0))),
    "hcp": Prototype((((1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75)),), _HEXAGONAL, 120, 1.633),
    "rock-salt": Prototype((_FCC, _shifted(_FCC, (0.5, 0.5, 0.5)))),
    "diamond": Prototype((_FCC + _shifted(_FCC, (0.25, 0.25, 0.25)),), ((1, 1, 0), (1, 1, 0), (1, 0, 0), (1, 1, 2))),
    "zinc-blende": Prototype((_FCC, _shifted(_FCC, (0.25, 0.25, 0.25))), ((1, 1, 0), (1, 1, 0), (1, 0, 0))),
    "wurtzite": Prototype((_WURTZITE, _shifted(_WURTZITE, (0, 0, 0.377))), _HEXAGONAL, 120, 1.626),
    "perovskite": Prototype(
        (((0, 0, 0),), ((0.5, 0.5, 0.5),), ((0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))), ((1, 0, 0), (1, 1, 0))
    ),
    "fluorite": Prototype((_FCC, _shifted(_FCC, (0.25, 0.25, 0.25)) + _shifted(_FCC, (0.75, 0.75, 0.75)))),
    "rutile": Prototype((((0, 0, 0), (0.5, 0.5, 0.5)), _RUTILE), ((0, 0, 1), (1, 0, 0), (1, 1, 0)), 90, 0.644),
    "cu3au": Prototype((((0, 0, 0),), ((0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)))),
    "graphite": Prototype(
        (((0, 0, 0), (1 / 3, 2 / 3, 0), (0, 0, 0.5), (2 / 3, 1 / 3, 0.5)),), ((0, 0, 1),), 120, 2.726, layered=True
    ),
    "boron-nitride": Prototype(
        (((1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0.5)), ((2 / 3, 1 / 3, 0), (1 / 3, 2 / 3, 0.5))),
        ((0, 0, 1),),
        120,
        2.66,
        layered=True,
    ),
    "mos2": Prototype(_sheets(0.129), ((0, 0, 1),), 120, 3.89, layered=True),
}
"""Kinds of structure by name."""

_MATERIALS: dict[str, tuple[str, str, float, float | None]] = {
    "Au": ("fcc", "Au", 0.40782, None),
    "Pt": ("fcc", "Pt", 0.39236, None),
    "Pd": ("fcc", "Pd", 0.38902, None),
    "Ag": ("fcc", "Ag", 0.40857, None),
    "Cu": ("fcc", "Cu", 0.36146, None),
    "Al": ("fcc", "Al", 0.40496, None),
    "Fe": ("bcc", "Fe", 0.28665, None),
    "W": ("bcc", "W", 0.31652, None),
    "Mo": ("bcc", "Mo", 0.31470, None),
    "Ti": ("hcp", "Ti", 0.29508, 0.46855),
    "Co": ("hcp", "Co", 0.25071, 0.40694),
    "MgO": ("rock-salt", "Mg,O", 0.42112, None),
    "NaCl": ("rock-salt", "Na,Cl", 0.56402, None),
    "PbTe": ("rock-salt", "Pb,Te", 0.6462, None),
    "Si": ("diamond", "Si", 0.54310, None),
    "Ge": ("diamond", "Ge", 0.56579, None),
    "GaAs": ("zinc-blende", "Ga,As", 0.56533, None),
    "CdTe": ("zinc-blende", "Cd,Te", 0.6482, None),
    "GaN": ("wurtzite", "Ga,N", 0.3189, 0.5186),
    "ZnO": ("wurtzite", "Zn,O", 0.32495, 0.52069),
    "SrTiO3": ("perovskite", "Sr,Ti,O", 0.3905, None),
    "BaTiO3": ("perovskite", "Ba,Ti,O", 0.4006, None),
    "CeO2": ("fluorite", "Ce,O", 0.5411, None),
    "TiO2": ("rutile", "Ti,O", 0.45937, 0.29587),
    "Cu3Au": ("cu3au", "Au,Cu", 0.3748, None),
    "graphene": ("graphite", "C", 0.2461, 0.6708),
    "BN": ("boron-nitride", "B,N", 0.2504, 0.6661),
    "MoS2": ("mos2", "Mo,S", 0.3160, 1.2294),
    "WS2": ("mos2", "W,S", 0.3154, 1.2362),
    "WSe2": ("mos2", "W,Se", 0.3286, 1.2976),
}
MATERIALS = tuple(_MATERIALS)
"""Names of the built-in crystals."""


def find_cell(name: str, elements: str = "", a_nm: float | None = None, c_nm: float | None = None) -> Cell:
    """Return a crystal.

    Parameters
    ----------
    name
        A built-in crystal (`MATERIALS`), a kind of structure (`PROTOTYPES`), or a file that ends in ``.cif``.
    elements
        Symbols in the order of the kind's sites, separated by commas; only with a kind of structure.
    a_nm, c_nm
        Edges of the cell; with a kind of structure, or in place of those of a built-in crystal.

    Raises
    ------
    UserError
        If there is no such crystal, its elements or edges are missing, or the file cannot be read.

    """
    if name.lower().endswith(".cif"):
        from .cif import read_cif

        path = Path(name)
        return read_cif(path, path.stat().st_mtime_ns if path.is_file() else 0)
    if name in _MATERIALS:
        kind, symbols, a, c = _MATERIALS[name]
        if elements:
            raise UserError(f"'{name}' has its elements already. Name a kind of structure, {kind}, to choose others.")
        return _built(name, kind, symbols, a_nm or a, c_nm or (c if a_nm is None else None))
    if name not in PROTOTYPES:
        raise UserError(
            f"There is no crystal '{name}'. Name a built-in one ({', '.join(MATERIALS)}), a CIF file, or a kind of "
            f"structure ({', '.join(PROTOTYPES)}) with its elements and a_nm."
        )
    if not elements or a_nm is None:
        raise UserError(f"The structure '{name}' needs elements and a_nm, for example Au and 0.408.")
    return _built(f"{elements} ({name})", name, elements, a_nm, c_nm)


@lru_cache(maxsize=64)
def _built(name: str, kind: str, elements: str, a_nm: float, c_nm: float | None) -> Cell:
    """Put elements on the sites of a kind of structure; the same arguments give the same object."""
    prototype, symbols = PROTOTYPES[kind], [symbol.strip() for symbol in elements.split(",")]
    if len(symbols) != len(prototype.sites):
        raise UserError(
            f"The structure '{kind}' has {len(prototype.sites)} kinds of sites, but {len(symbols)} elements are given "
            f"({elements}). Separate them by commas."
        )
    c = c_nm or a_nm * prototype.c_over_a
    numbers = [atomic_number(symbol) for symbol, of in zip(symbols, prototype.sites, strict=True) for _ in of]
    return Cell(
        name,
        cell_vectors((a_nm, a_nm, c), (90, 90, prototype.gamma)),
        np.array([place for of in prototype.sites for place in of], float),
        np.array(numbers),
        prototype.zone_axes,
        layer_nm=c / 2 if prototype.layered else None,
    )
