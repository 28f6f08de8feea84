"""A plan on Dask workers, one of them killed: the runs are those of a single machine, and nothing is done twice."""

import json
from pathlib import Path

from dask_workers import mortal_workers
from small_plans import make_data, write_plan

from napari_emssl.evaluation.reproduction.cluster import reproduce_on_workers
from napari_emssl.evaluation.reproduction.reproduce import ReproduceRequest, reproduce
from napari_emssl.jobs.events import Finished, Progress


def scores(folder: Path) -> dict[str, list[dict[str, float]]]:
    return {
        path.relative_to(folder).as_posix(): [row["scores"] for row in json.loads(path.read_text())["rows"]]
        for path in sorted((folder / "runs").rglob("*.json"))
    }


def test_a_plan_on_workers_gives_what_one_machine_gives_though_a_worker_is_killed(tmp_path: Path) -> None:
    data, plan = make_data(tmp_path / "data"), write_plan(tmp_path / "plan.toml")
    alone = reproduce(ReproduceRequest(plan, tmp_path / "alone", data, device="cpu")).result()
    asked = ReproduceRequest(plan, tmp_path / "shared", data, device="cpu")
    with mortal_workers() as (address, kill):
        told = 0
        for event in reproduce_on_workers(asked, address):
            if isinstance(event, Progress):
                told += 1
                if told == 2:
                    kill()
            if isinstance(event, Finished):
                made = event.result
        assert (made.complete, made.total) == (4, 4)
        assert scores(tmp_path / "shared") == scores(alone.folder)
        assert (tmp_path / "shared" / "report.html").exists()
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "shared" / "runs").rglob("*.json")}
        (tmp_path / "shared" / "runs" / "Au" / "U-Net_2_44" / "R" / "seed 0.json").unlink()
        assert reproduce_on_workers(asked, address).result().complete == 4
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "shared" / "runs").rglob("*.json")}
    assert [path.parent.name for path in after if after[path] != before[path]] == ["R"]
    assert scores(tmp_path / "shared") == scores(alone.folder)
