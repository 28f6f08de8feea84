"""The table of particles: units, columns, CSV."""

import csv
import os

import numpy as np
import pytest
from particle_masks import EVERYTHING, image_of, table_of

import napari_emssl as em
from napari_emssl.errors import UserError
from napari_emssl.particles.histogram import write_histogram


def test_lengths_are_in_nm_when_the_pixel_size_is_known(three):
    bare, calibrated = table_of(three), table_of(three, pixel_size=0.5)
    assert (bare.units, calibrated.units) == (("px",), ("nm",))
    out, nm = bare.outside(), calibrated.outside()
    for name in ("equivalent_diameter", "feret_max", "feret_min", "perimeter", "major_axis", "minor_axis"):
        np.testing.assert_allclose(nm[f"{name}_nm"], 0.5 * out[f"{name}_px"])
    np.testing.assert_allclose(nm["area_nm2"], 0.25 * out["area_px2"])
    assert not [name for name in nm if name.endswith("_px") and name not in ("x_px", "y_px")]
    for name in ("circularity", "eccentricity", "x_px"):
        np.testing.assert_array_equal(nm[name], out[name])


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_holds_the_table(three, tmp_path):
    table = em.measure_particles(three, three * 3, em.MeasureSettings(pixel_size=0.5, **EVERYTHING))
    rows = read(table.write_csv(tmp_path / "a.csv"))
    assert list(rows[0]) == list(table.outside())
    for name, values in table.outside().items():
        if values.dtype.kind in "fi":
            np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-5)
    assert [row["touches_border"] for row in rows] == ["1", "0", "0"]
    with pytest.raises(UserError, match="exists"):
        table.write_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["=1+1", "-10V", "+5kV", "@SUM(A1)"])
def test_no_name_of_a_file_is_a_formula_in_a_spreadsheet(three, tmp_path, name):
    table = em.measure_particles(image_of(three, 1.0, name))
    rows = read(table.write_csv(tmp_path / "a.csv"))
    assert [row["file"] for row in rows] == [f"'{name}"] * len(rows)


def test_a_name_that_is_no_text_keeps_no_table_from_being_written(three, tmp_path):
    table = em.measure_particles(image_of(three, 1.0, os.fsdecode(b"micro\xe9")))
    assert read(table.write_csv(tmp_path / "a.csv"))[0]["file"] == r"micro\udce9"


def test_nothing_found_is_a_table_too(tmp_path):
    table = table_of(np.zeros((9, 9), np.uint8), pixel_size=0.5)
    assert len(table) == 0
    path = table.write_csv(tmp_path / "a.csv")
    assert read(path) == []
    assert "equivalent_diameter_nm" in path.read_text()
    write_histogram(tmp_path / "a.png", table)
