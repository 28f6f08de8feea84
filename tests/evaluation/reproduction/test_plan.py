"""Plans: those that ship are those of the paper's tables, and what is wrong with others is said."""

import csv
import io
from pathlib import Path

import pytest
from small_plans import SEGMENT, write_plan

from napari_emssl.errors import UserError
from napari_emssl.evaluation.reproduction.plan import read_plan, shipped_plans
from napari_emssl.evaluation.reproduction.sources import Sources, missing_starts
from napari_emssl.networks.generators import build_generator


def test_a_plan_ships_for_each_table() -> None:
    assert shipped_plans() == ["smoke", *(f"table{number}" for number in range(2, 8))]


@pytest.mark.parametrize("name", [f"table{number}" for number in range(2, 8)])
def test_every_cell_of_the_paper_has_its_run(name: str) -> None:
    file = read_plan(name)
    cells = list(csv.DictReader(io.StringIO(file.cells)))
    wanted = {(line["dataset"], line.get("task"), line["model"], line["init"]) for line in cells}
    there = {(run.data.dataset, run.data.label, run.network.model, run.start.init) for run in file.plan.runs()}
    assert wanted == there
    for network in file.plan.networks:
        build_generator(network.generator, network.width)
        own = {(line.get("blocks", ""), line.get("rf", "")) for line in cells if line["model"] == network.model}
        assert own == {tuple("" if value is None else str(value) for value in (network.blocks, network.rf))}
    settings = file.plan.settings_of(file.plan.data[0])
    epochs = range(settings.validation_epochs, settings.epochs + 1, settings.validation_epochs)
    assert {int(line["epoch"]) for line in cells} == set(epochs)
    assert file.plan.data[0].planes is not None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("title =", "title", "not TOML"),
        ("seeds = 2", "seeds = 0", "seeds: Input should be greater than or equal to 1"),
        ('init = "P4"', 'init = "R"', "two starts are called 'R'"),
        ("epochs = 2,", "epoch = 2,", "epoch"),
        ('dataset = "Au"', 'dataset = "../Au"', "data.0.dataset"),
        ('dataset = "Au"', 'dataset = ".."', "data.0.dataset"),
        ('table = "small"', f'table = "{"x" * 101}"', "table"),
        ('file = "{{generator}}', 'file = "/elsewhere/{{generator}}', "not in the folder of the starts"),
        ('file = "{{generator}}', 'file = "../{{generator}}', "not in the folder of the starts"),
        ('file = "{{generator}}', 'file = "C:{{generator}}', "not in the folder of the starts"),
        ("steps = 2,", "step = 2,", "step"),
        ("{paper}", 'paper = "nowhere.csv"', "nowhere.csv"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_in_a_sentence(old: str, new: str, complaint: str, tmp_path: Path) -> None:
    assert old in SEGMENT
    text = SEGMENT.replace(old, new).replace("{paper}", "").replace("{{", "{").replace("}}", "}")
    with pytest.raises(UserError) as refusal:
        read_plan(write_plan(tmp_path / "plan.toml", text))
    assert complaint in str(refusal.value)
    assert "plan.toml" in str(refusal.value)


@pytest.mark.parametrize(
    "cells", ["a,b\n1,2,3\n", "dataset,model,init,epoch\nAu,U,R,five\n", "dataset\nAu\n", "a\0b\n1"]
)
def test_cells_of_the_paper_are_read_before_the_runs(cells: str, tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text(cells, encoding="utf-8")
    with pytest.raises(UserError, match="with the columns dataset, model, init, epoch"):
        read_plan(write_plan(tmp_path / "plan.toml", SEGMENT.format(paper='paper = "cells.csv"')))


def test_an_unknown_plan_names_those_that_ship() -> None:
    with pytest.raises(UserError, match="smoke, table2"):
        read_plan("table9")


def test_starts_that_are_missing_are_made_where_the_plan_says_how(tmp_path: Path) -> None:
    plan = read_plan(write_plan(tmp_path / "plan.toml")).plan
    sources = Sources(tmp_path, tmp_path / "starts")
    assert missing_starts(plan, sources) == []
    (tmp_path / "tiles").mkdir()
    (making,) = missing_starts(plan, sources)
    assert making.output == tmp_path / "starts" / "unet-2-44.safetensors"
    settings = plan.pretrain_settings(making.network, making.start)
    assert (settings.images, settings.generator, settings.width, settings.steps) == (4, "unet-2-44", 2, 2)
    making.output.parent.mkdir()
    making.output.touch()
    assert missing_starts(plan, sources) == []
