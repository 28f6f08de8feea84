"""Crystals from CIF files, read by gemmi, which the extra ``cif`` installs."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UserError
from .lattice import Cell, cell_vectors

if TYPE_CHECKING:
    import gemmi

_MOST_SITES = 400
_NM_PER_ANGSTROM = 0.1


@lru_cache(maxsize=8)
def read_cif(path: Path, changed: int = 0) -> Cell:
    """Read the first crystal of a CIF file; its symmetry is applied.

    Parameters
    ----------
    path
        The file.
    changed
        When the file was last changed, any number: one that has been edited since is read again.

    Raises
    ------
    UserError
        If gemmi is not installed, or the file holds no crystal, or one of more than 400 atoms to the cell.

    """
    structure = _open(path)
    sites = [site for site in structure.get_all_unit_cell_sites() if site.element.atomic_number > 0]
    lengths = (structure.cell.a, structure.cell.b, structure.cell.c, structure.cell.volume)
    there = bool(sites) and all(1e-3 <= length < 1e9 for length in lengths)  # false for what is not a number, too
    if not there or not structure.cell.is_crystal():
        raise UserError(
            f"{path} holds no crystal: a cell and atoms with fractional coordinates are needed. Export it again, or "
            "give another file."
        )
    if len(sites) > _MOST_SITES:
        raise UserError(
            f"{path} has {len(sites)} atoms to the cell; at most {_MOST_SITES} can be simulated. Give a smaller cell."
        )
    box = structure.cell
    edges = [edge * _NM_PER_ANGSTROM for edge in (box.a, box.b, box.c)]
    return Cell(
        structure.name or path.stem,
        cell_vectors(edges, (box.alpha, box.beta, box.gamma)),
        np.array([site.fract.tolist() for site in sites]),
        np.array([site.element.atomic_number for site in sites]),
        ((0, 0, 1), (1, 0, 0), (1, 1, 0)),
        np.clip([site.occ for site in sites], 0.0, 1.0),
    )


def _open(path: Path) -> "gemmi.SmallStructure":
    """Parse the file; a `UserError` says why it cannot be."""
    try:
        import gemmi
    except ImportError as error:
        raise UserError(
            "Reading CIF files needs the package gemmi. Install it (pip install 'napari-emssl[cif]'), or give the "
            "crystal by its structure, elements and lattice parameters."
        ) from error
    if not path.is_file():
        raise UserError(f"There is no file '{path}'. Check the name.")
    try:
        return gemmi.read_small_structure(str(path))
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{path} cannot be read as CIF: {error}. Check the file.") from error
