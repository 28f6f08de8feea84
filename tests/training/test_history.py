"""Curves: a table that is whole at every moment and reads back as it was, and pictures of curves of any length."""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.images.opening import read_image
from napari_emssl.jobs.events import Progress
from napari_emssl.training.history import CurveTable, draw_curves, read_table, write_curves


def gan(step: int, epochs: bool = True) -> Progress:
    """A record as pretraining tells it: losses from the first step on, validation at every third."""
    losses = {"discriminator": 0.25, "adversarial": 0.9, "l1": 1 / (step + 1)} if step else {}
    metrics = {"l1": 2 / (step + 1)} if step % 3 == 0 else {}
    return Progress(step, 99, losses, metrics, seconds=step / 2, epoch=step / 10 if epochs else None)


@pytest.mark.parametrize("epochs", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 200])
def test_curves_of_any_length_become_a_picture_and_a_table(count: int, epochs: bool, tmp_path: Path) -> None:
    write_curves(tmp_path / "c.png", tmp_path / "c.csv", [gan(step, epochs) for step in range(count)])
    assert min(read_image(tmp_path / "c.png").plane_shape) > 100
    with (tmp_path / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count
    if count == 200:
        assert float(rows[3]["l1"]) == pytest.approx(0.25)
        assert float(rows[3]["validation l1"]) == pytest.approx(0.5)
        assert rows[4]["validation l1"] == ""
        assert rows[30].get("epoch") == ("3.0" if epochs else None)


def test_every_validation_result_has_a_panel_of_its_own(tmp_path: Path) -> None:
    widths = []
    for metrics in ({}, {"l1": 0.5}, {"loss": 0.5, "dice": 0.9}):
        draw_curves(tmp_path / "c.png", [Progress(1, 9, {"loss": 1.0}, metrics)])
        widths.append(read_image(tmp_path / "c.png").plane_shape[1])
    assert [width / widths[0] for width in widths] == pytest.approx([1, 2, 3], rel=0.01)


@pytest.mark.parametrize("values", [[math.nan] * 3, [math.inf, 1.0, 2.0], [0.0, 0.0], [-1.0, 1.0], [1e-12, 1e12]])
def test_values_that_no_axis_can_show_are_no_error(values: list[float], tmp_path: Path) -> None:
    records = [Progress(step, 9, {"loss": value}, {"loss": value}) for step, value in enumerate(values)]
    write_curves(tmp_path / "c.png", tmp_path / "c.csv", records)
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert [record.losses["loss"] for record in read_table(tmp_path / "c.csv")] == pytest.approx(values, nan_ok=True)


names = st.sampled_from(["loss", "l1", "discriminator", "dice"])
numbers = st.dictionaries(names, st.floats(allow_nan=False), max_size=3)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(numbers, numbers), max_size=8), epochs=st.booleans())
def test_what_was_added_is_read_back_at_every_moment(
    rows: list[tuple[dict[str, float], dict[str, float]]], epochs: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = CurveTable(tmp_path_factory.mktemp("t") / "c.csv")
    added = []
    for step, (losses, metrics) in enumerate(rows):
        record = Progress(step, None, losses, metrics, seconds=step + 0.5, epoch=step / 4 if epochs else None)
        table.add(record)
        added.append(record)
        assert read_table(table.path) == added == table.records


def test_one_step_has_one_row(tmp_path: Path) -> None:
    table = CurveTable(tmp_path / "c.csv", [gan(1), Progress(2, 9, {"loss": 1.0}), Progress(2, 9, {}, {"dice": 0.5})])
    table.add(Progress(2, None, {"loss": 3.0}, seconds=7.0))
    table.add(gan(3))
    first, second, third = read_table(table.path)
    assert (first.step, third.step) == (1, 3)
    assert (second.losses, second.metrics, second.seconds) == ({"loss": 3.0}, {"dice": 0.5}, 7.0)


def test_a_table_cut_short_is_read_to_its_last_whole_row(tmp_path: Path) -> None:
    path = CurveTable(tmp_path / "c.csv", [gan(step) for step in range(1, 5)]).path
    records, text = read_table(path), path.read_bytes().decode()
    for length in range(len(text)):
        path.write_bytes(text[:length].encode())
        assert read_table(path) == records[: max(0, text[:length].count("\n") - 1)]
    (tmp_path / "other.csv").write_text("name,size\na,1\n")
    assert read_table(tmp_path / "other.csv") == read_table(tmp_path / "none.csv") == []
