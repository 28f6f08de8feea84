"""A plan end to end: tables agree with stored predictions; runs go on, are shared out, and are never done twice."""

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from small_plans import RESTORE, make_data, write_plan

from napari_emssl.errors import UserError
from napari_emssl.evaluation.reproduction.estimate import Cost, PlanEstimate
from napari_emssl.evaluation.reproduction.outputs import Reproduction
from napari_emssl.evaluation.reproduction.plan import read_plan
from napari_emssl.evaluation.reproduction.reproduce import ReproduceRequest, estimate_plan, reproduce
from napari_emssl.evaluation.reproduction.runs_folder import RunsFolder
from napari_emssl.evaluation.reproduction.spread import devices_for, spread
from napari_emssl.jobs.cluster.parts import Part
from napari_emssl.jobs.events import Progress, Started
from napari_emssl.models.model_file import read_model, save_model


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def request(data: Path, folder: Path, plan: Path | None = None, **more: object) -> ReproduceRequest:
    chosen = plan or write_plan(folder.with_name("plan.toml"))
    return ReproduceRequest(chosen, folder, data, **{"device": "cpu", **more})


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    folder = tmp_path_factory.mktemp("whole")
    return reproduce(request(data, folder / "out")).result()


@pytest.fixture(scope="module")
def restored(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    """Of the plan ``plan.toml`` beside its folder."""
    folder = tmp_path_factory.mktemp("restored")
    return reproduce(request(data, folder / "out", write_plan(folder / "plan.toml", RESTORE))).result()


def rows(folder: Path, name: str = "small.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def scores(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Scores of each run, without what the clock said."""
    return {
        path.relative_to(folder).as_posix(): [row["scores"] for row in json.loads(path.read_text())["rows"]]
        for path in sorted((folder / "runs").rglob("*.json"))
    }


def test_everything_is_written_and_the_start_was_made(done: Reproduction) -> None:
    assert (done.complete, done.total, done.waiting) == (4, 4, ())
    names = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()}
    assert {
        "small.csv", "small.md", "small-wins.csv", "report.html", "plan.json", "figures/Au curves.png",
        "figures/Au U-Net_2_44.png", "figures/pretraining U-Net_2_44.png", "starts/unet-2-44.safetensors",
        "runs/Au/U-Net_2_44/P4/seed 1.json", "runs/Au/U-Net_2_44/P4/seed 1.npz",
    } <= names  # fmt: skip
    assert not [name for name in names if "autosave" in name]
    page = (done.folder / "report.html").read_text()
    assert page.count("data:image/png;base64") == 3
    assert "U-Net_2_44" in page


def test_the_table_is_the_dice_of_the_stored_predictions(done: Reproduction) -> None:
    """Dice as (2 sum pt + 1) / (sum p + sum t + 1), image by image, computed here alone."""
    found: dict[str, list[float]] = {}
    for path in (done.folder / "runs").rglob("*.npz"):
        with np.load(path) as arrays:
            pairs = [(arrays[f"prediction{n}"] > 0, arrays[f"target{n}"] == 2) for n in range(2)]
        each = [(2 * (p & t).sum() + 1) / (p.sum() + t.sum() + 1) for p, t in pairs]
        found.setdefault(path.parent.name, []).append(float(np.mean(each)))
    last = {line["init"]: float(line["dice"]) for line in rows(done.folder) if line["epoch"] == "2"}
    assert set(last) == {"R", "P4"}
    for init, values in found.items():
        assert len(values) == 2
        assert last[init] == pytest.approx(100 * np.mean(values), rel=1e-5)
    record = json.loads(next((done.folder / "runs").rglob("*.json")).read_text())
    assert record["planes"] == [6, 2, 2]
    assert record["settings"]["recipe"] == "paper"


def test_restorations_have_the_l1_of_their_stored_predictions(restored: Reproduction) -> None:
    lines = rows(restored.folder, "small7.csv")
    assert list(lines[0])[:7] == ["dataset", "task", "model", "init", "epoch", "l1", "flag"]
    assert [(line["task"], line["epoch"]) for line in lines] == [("DN", "1"), ("DN", "2"), ("SR", "1"), ("SR", "2")]
    results = RunsFolder(restored.folder, read_plan(restored.folder.with_name("plan.toml")).plan)
    for run in results.plan.runs():
        (panel,) = results.panels(run)
        assert panel.prediction.shape == panel.target.shape == (64, 64)
        record = results.records()[run.name]
        assert record.planes == (7, 2, 2) or sum(record.planes) == 10
        assert np.abs(panel.prediction - panel.target).mean() == pytest.approx(record.rows[-1].scores["l1"], rel=0.5)


def test_a_complete_plan_does_nothing_again_and_takes_more_seeds(
    done: Reproduction, data: Path, tmp_path: Path
) -> None:
    made = Path(shutil.copytree(done.folder, tmp_path / "out"))
    before = {path: path.read_bytes() for path in (made / "runs").rglob("*.json")}
    again = reproduce(request(data, made)).result()
    assert again.complete == 4
    more = reproduce(request(data, made, seeds=3)).result()
    assert (more.complete, more.total) == (6, 6)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert {line["seeds"] for line in rows(made)} == {"3"}


def test_a_stopped_run_goes_on_to_the_same_end(done: Reproduction, data: Path, tmp_path: Path) -> None:
    job = reproduce(request(data, tmp_path / "out"))
    seen = 0
    for event in job:
        seen += isinstance(event, Progress)
        if seen == 6:
            job.stop()
    assert scores(tmp_path / "out") != scores(done.folder)
    reproduce(request(data, tmp_path / "out")).result()
    assert scores(tmp_path / "out") == scores(done.folder)


def test_shards_do_what_one_machine_does(done: Reproduction, data: Path, tmp_path: Path) -> None:
    asked = [request(data, tmp_path / "out", part=Part(number, 2), draws=False) for number in (1, 2)]
    waits = reproduce(asked[1]).result()
    assert (waits.complete, waits.waiting[0][:15]) == (0, "2 runs left out")
    first = reproduce(asked[0]).result()
    assert (first.complete, first.total) == (2, 4)
    second = reproduce(asked[1]).result()
    assert (second.complete, second.waiting) == (4, ())
    assert scores(tmp_path / "out") == scores(done.folder)


def test_a_part_deletes_no_runs_of_the_others(done: Reproduction, data: Path, tmp_path: Path) -> None:
    made = Path(shutil.copytree(done.folder, tmp_path / "out"))
    with pytest.raises(UserError, match="runs of the other parts"):
        reproduce(request(data, made, part=Part(2, 2), overwrite=True)).result()
    assert scores(made) == scores(done.folder)


@pytest.mark.parametrize("what", ["Images.h5", "Labels.h5", "start"])
def test_runs_on_other_data_or_starts_are_not_put_into_one_table(done: Reproduction, tmp_path: Path, what: str) -> None:
    """The same names and sizes, other values."""
    made, changed = Path(shutil.copytree(done.folder, tmp_path / "out")), make_data(tmp_path / "data")
    starts = made / "starts"
    if what == "start":
        model = read_model(starts / "unet-2-44.safetensors")
        model.weights["head.bias"][...] += 1
        save_model(model, starts / "unet-2-44.safetensors")
    else:
        with h5py.File(changed / "au" / what, "r+") as file:
            for stack in file.values():
                stack[...] = stack[...][:, ::-1]
    with pytest.raises(UserError, match="with other weights" if what == "start" else "other images or targets of Au"):
        reproduce(request(changed, made, seeds=3)).result()


def test_several_share_out_the_starts_and_then_the_runs(
    done: Reproduction, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In threads, which start sooner than processes; they share one random generator, so scores are compared below."""
    monkeypatch.setattr(
        "napari_emssl.evaluation.reproduction.spread.client", SimpleNamespace(run=lambda job, part: job(part))
    )
    asked = request(data, tmp_path / "out", starts=tmp_path / "starts")
    events = list(spread(asked, ["cpu", "cpu"]))
    assert isinstance(events[0], Started)
    assert any(isinstance(event, Progress) for event in events)
    made = events[-1].result
    assert (made.complete, made.total, made.waiting) == (4, 4, ())
    assert scores(made.folder).keys() == scores(done.folder).keys()


def test_a_part_is_done_in_a_process_of_its_own(done: Reproduction, data: Path, tmp_path: Path) -> None:
    made = list(spread(request(data, tmp_path / "out", starts=done.folder / "starts"), ["cpu"]))[-1].result
    assert (made.complete, made.total, made.waiting) == (4, 4, ())
    assert scores(made.folder) == scores(done.folder)


def test_devices_are_shared_out() -> None:
    assert devices_for("cpu", 3) == ["cpu"] * 3
    with pytest.raises(UserError, match="at least 1"):
        devices_for("auto", 0)


def test_an_estimate_measures_and_does_nothing(data: Path, tmp_path: Path) -> None:
    found = estimate_plan(request(data, tmp_path / "out")).result()
    assert [(cost.name, cost.runs, cost.steps) for cost in found.costs] == [
        ("Au, U-Net_2_44", 4, 6), ("pretraining/U-Net_2_44/P4", 1, 2),
    ]  # fmt: skip
    assert found.hours > 0
    assert found.disk_bytes > 0
    assert " one after the other" in found.text()
    assert not (tmp_path / "out").exists()
    away = estimate_plan(request(tmp_path, tmp_path / "out")).result()
    assert [(cost.name, cost.steps) for cost in away.costs] == [
        ("Au, U-Net_2_44", 6), ("pretraining/U-Net_2_44/P4", 2),
    ], "the images need not be there either"  # fmt: skip


def test_columns_of_an_estimate_stay_apart() -> None:
    costs = (Cost("HRNet/P200K", 1, 93_750, 11_695.75 * 3600, 10**6, 0), Cost("U-Net", 1, 5, 60, 10**6, 0))
    head, first, _, total = PlanEstimate("CPU", costs).text().splitlines()
    assert first.split() == ["HRNet/P200K", "1", "93750", "11695", "h", "45", "min", "11695.75"]
    assert len(head) == len(first)
    assert total == "2 runs, 11695 h 46 min one after the other, 2 MB on disk. Measured on CPU."


def test_data_that_are_missing_and_other_plans_are_refused(restored: Reproduction, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--data, --starts"):
        reproduce(request(tmp_path / "nowhere", tmp_path / "out")).result()
    assert not (tmp_path / "out").exists()
    made = Path(shutil.copytree(restored.folder, tmp_path / "copy"))
    plan = write_plan(tmp_path / "plan.toml", RESTORE.replace("epochs = 2,", "epochs = 3,"))
    with pytest.raises(UserError, match="another plan, with other settings"):
        reproduce(request(data, made, plan)).result()
    (made / "plan.json").unlink()
    with pytest.raises(UserError, match="holds no reproduction"):
        reproduce(request(data, made, plan)).result()
