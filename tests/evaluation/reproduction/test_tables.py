"""Cells, spreads and paired wins are computed again from the records, beside the paper's."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
from small_plans import write_plan

from napari_emssl.evaluation.reproduction.plan import Plan, read_plan
from napari_emssl.evaluation.reproduction.runs_folder import RunRecord, ScoredStep
from napari_emssl.evaluation.reproduction.tables import Place, ReproducedTable

PAPER = """dataset,model,blocks,rf,init,epoch,dice,flag
Au,U-Net_2_44,2,44,R,1,41.05,ok
Au,U-Net_2_44,2,44,R,2,,missing
Au,U-Net_2_44,2,44,P4,1,86.24,likely
Au,U-Net_2_44,2,44,P4,3,90.00,ok
"""
DICE = {("R", 0): (0.1, 0.5), ("R", 1): (0.3, 0.6), ("P4", 0): (0.4, 0.45), ("P4", 1): (0.5, 0.7)}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return read_plan(write_plan(tmp_path / "plan.toml", paper=PAPER)).plan


def record(name: str, values: tuple[float, ...]) -> RunRecord:
    rows = tuple(
        ScoredStep(step=3 * epoch, epoch=epoch, seconds=1.0, loss=None, scores={"dice": 0.9, "dice_per_image": value})
        for epoch, value in enumerate((0.0, *values))
    )
    return RunRecord(run=name, planes=(6, 2, 2), data_digest="d", start_digest="s", device="cpu", settings={},
                     versions={}, date="", rows=rows)  # fmt: skip


def records(plan: Plan) -> dict[str, RunRecord]:
    return {run.name: record(run.name, DICE[run.start.init, run.seed]) for run in plan.runs()}


def test_cells_are_means_over_seeds_in_points_beside_the_papers(plan: Plan) -> None:
    table = ReproducedTable(plan, records(plan), PAPER)
    lines = {(line["init"], line["epoch"]): line for line in csv.DictReader(io.StringIO(table.as_csv()))}
    assert list(lines) == [("R", "1"), ("R", "2"), ("R", "3"), ("P4", "1"), ("P4", "2"), ("P4", "3")]
    for init in ("R", "P4"):
        for epoch in (1, 2):
            values = [100 * DICE[init, seed][epoch - 1] for seed in (0, 1)]
            line = lines[init, str(epoch)]
            assert float(line["dice"]) == pytest.approx(np.mean(values), rel=1e-5)
            assert float(line["spread"]) == pytest.approx(np.std(values, ddof=1), rel=1e-5)
            assert (line["dataset"], line["model"], line["blocks"], line["rf"], line["seeds"]) == (
                "Au", "U-Net_2_44", "2", "44", "2",
            )  # fmt: skip
    assert (lines["R", "1"]["paper"], lines["R", "1"]["flag"]) == ("41.05", "ok")
    assert float(lines["R", "1"]["difference"]) == pytest.approx(20 - 41.05)
    assert (lines["R", "2"]["paper"], lines["R", "2"]["difference"]) == ("", "")
    assert (lines["P4", "3"]["dice"], lines["P4", "3"]["paper"], lines["P4", "3"]["seeds"]) == ("", "90", "0")


def test_the_layout_is_that_of_the_papers_table(plan: Plan) -> None:
    columns = next(csv.reader(io.StringIO(ReproducedTable(plan, records(plan), PAPER).as_csv())))
    assert columns[:8] == PAPER.partition("\n")[0].split(",")


def test_wins_are_paired_by_network_seed_and_epoch(plan: Plan) -> None:
    wins = ReproducedTable(plan, records(plan), PAPER).wins()
    assert [(one.init, one.epoch, one.wins, one.pairs) for one in wins] == [("P4", 1, 2, 2), ("P4", 2, 1, 2)]
    assert [one.gain for one in wins] == pytest.approx([25.0, 2.5])


def test_without_runs_there_are_the_papers_cells_alone(plan: Plan) -> None:
    table = ReproducedTable(plan, {}, PAPER)
    cell = table.cell(Place("Au", "U-Net_2_44", "R", 1))
    assert (cell.paper, cell.difference, cell.value.count) == (41.05, None, 0)
    assert math.isnan(cell.value.mean)
    assert table.wins() == []
    assert "- (41.05)" in table.as_markdown()
