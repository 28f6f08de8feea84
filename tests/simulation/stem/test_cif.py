"""Crystals from CIF files."""

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_emssl.errors import UserError
from napari_emssl.simulation.stem.lattice import project
from napari_emssl.simulation.stem.materials import find_cell

SRTIO3 = """data_SrTiO3
_cell_length_a 3.905
_cell_length_b 3.905
_cell_length_c 3.905
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Sr1 Sr2+ 0 0 0 1
Ti1 Ti4+ .5 .5 .5 1
O1 O2- .5 .5 0 0.75
"""


def test_a_cif_file_is_the_crystal_that_it_describes(tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    path = tmp_path / "own.cif"
    path.write_text(SRTIO3)
    cell = find_cell(str(path))
    np.testing.assert_allclose(cell.vectors, find_cell("SrTiO3").vectors, atol=1e-12)
    assert sorted(cell.numbers) == [8, 8, 8, 22, 38]
    assert cell.occupancies is not None
    assert set(zip(cell.numbers.tolist(), cell.occupancies.tolist(), strict=True)) == {(8, 0.75), (22, 1), (38, 1)}
    assert project(cell, (1, 0, 0)).spacing_nm == pytest.approx(0.3905 / 2)


def test_cif_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    nonsense, empty = tmp_path / "nonsense.cif", tmp_path / "empty.cif"
    nonsense.write_text("this is no CIF")
    empty.write_text("data_nothing\n")
    with pytest.raises(UserError, match=r"nonsense\.cif cannot be read as CIF"):
        find_cell(str(nonsense))
    with pytest.raises(UserError, match="holds no crystal"):
        find_cell(str(empty))
    with pytest.raises(UserError, match="There is no file"):
        find_cell(str(tmp_path / "missing.cif"))


def test_a_missing_reader_of_cif_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.cif"
    path.write_text(SRTIO3)
    monkeypatch.setitem(sys.modules, "gemmi", None)
    with pytest.raises(UserError, match=r"gemmi.*napari-emssl\[cif\]"):
        find_cell(str(path))
