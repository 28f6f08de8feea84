"""The log, the curves and the pictures of a run, also when it dies and is resumed."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from terminal import EVENTS

from napari_emssl.cli import run_log
from napari_emssl.jobs.events import Finished, Preview, Progress
from napari_emssl.training.history import read_table


def test_log_has_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log"
    log = run_log.RunLog(path)
    for event in EVENTS:
        log(event)
    lines = [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0]["validation"] == {"l1": 0.25}
    assert lines[1]["losses"] == {"loss": None}
    assert "validation" not in lines[1]


def test_log_grows_slower_after_a_minute() -> None:
    due = run_log.Due()
    told = [due(Progress(step, None, {"loss": 1.0}, seconds=step * 0.1)) for step in range(1000)]
    assert all(told[:600])
    assert sum(told[600:]) == pytest.approx(40, abs=2)
    assert due(Progress(1000, None, metrics={"l1": 1.0}, seconds=100.0))


def crashed_run(tmp_path: Path) -> tuple[run_log.RunLog, run_log.Pictures]:
    """Records of a run that died after step 7, in the middle of a line."""
    log, pictures = run_log.RunLog(tmp_path / "log"), run_log.Pictures(tmp_path / "p")
    for step in range(8):
        metrics = {"l1": 1.0 / (step + 1)} if step % 2 == 0 else {}
        for listener in (log, pictures):
            listener(Progress(step, 99, {"loss": float(step)} if step else {}, metrics, seconds=float(step)))
            listener(Preview({"image": np.zeros((8, 8), np.float32)}, step))
    assert log.file
    log.file.close()
    for path in (tmp_path / "log", tmp_path / "p" / "curves.csv"):
        path.write_text(path.read_text() + '{"step": 8'[: 10 if path.name == "log" else 1])
    return log, pictures


def table_of(folder: Path) -> list[tuple[int, float | None]]:
    return [(record.step, record.losses.get("loss")) for record in read_table(folder / "curves.csv")]


@pytest.mark.parametrize("saved", [0, 4, 7])
def test_a_resumed_run_takes_back_lost_work_and_is_recorded_wholly(saved: int, tmp_path: Path) -> None:
    crashed_run(tmp_path)
    assert [step for step, _ in table_of(tmp_path / "p")] == list(range(8)), "nothing waits for the end"
    log, pictures = run_log.RunLog(tmp_path / "log", True), run_log.Pictures(tmp_path / "p", True)
    again = [Progress(step, 99, {"loss": 100.0 + step}, {}, seconds=float(step)) for step in range(saved + 1, 10)]
    for event in (Progress(saved, 99), Preview({"image": np.zeros((8, 8))}, saved), *again, Finished(None)):
        log(event)
        pictures(event)
    expected = [(step, (100.0 if step > saved else 0.0) + step if step else None) for step in range(10)]
    assert table_of(tmp_path / "p") == expected
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["step"], line["losses"].get("loss")) for line in lines] == expected
    assert [line["step"] for line in lines if "validation" in line] == [s for s in range(0, 8, 2) if s <= saved]
    panels = [int(path.stem.removeprefix("step-")) for path in (tmp_path / "p").glob("step-*.png")]
    assert max(panels) <= saved


def test_a_run_that_starts_anew_takes_away_what_an_earlier_one_left(tmp_path: Path) -> None:
    crashed_run(tmp_path)
    (tmp_path / "p" / "step-by-step.png").write_text("not ours")
    log, pictures = run_log.RunLog(tmp_path / "log"), run_log.Pictures(tmp_path / "p")
    for event in (Progress(0, 9, {}, {"l1": 1.0}), Progress(1, 9, {"loss": 1.0}), Finished(None)):
        log(event)
        pictures(event)
    assert [json.loads(line)["step"] for line in (tmp_path / "log").read_text().splitlines()] == [0, 1]
    assert {path.name for path in (tmp_path / "p").iterdir()} == {"curves.csv", "curves.png", "step-by-step.png"}
    assert [step for step, _ in table_of(tmp_path / "p")] == [0, 1]


def test_what_is_no_log_is_kept_when_a_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a diary\n")
    log = run_log.RunLog(tmp_path / "log", resumed=True)
    log(Progress(5, 9))
    log(Progress(6, 9, {"loss": 1.0}))
    log(Finished(None))
    first, second = (tmp_path / "log").read_text().splitlines()
    assert (first, json.loads(second)["step"]) == ("a diary", 6)


def test_curves_are_drawn_while_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "_FIRST_DRAWING_SECONDS", 0.0)
    pictures = run_log.Pictures(tmp_path / "p")
    pictures(Progress(0, 9, {}, {"l1": 1.0}))
    drawn = (tmp_path / "p" / "curves.png").stat().st_mtime_ns
    pictures(Progress(1, 9, {"loss": 1.0}))
    assert (tmp_path / "p" / "curves.png").stat().st_mtime_ns == drawn, "not at every event: drawing takes time"
    assert pictures.next_drawing > time.monotonic() + 20


def test_full_disk_in_the_log_is_a_warning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    log = run_log.RunLog(blocker / "log")
    for event in EVENTS:
        log(event)
    err = capsys.readouterr().err
    assert err.count("Warning") == 1
    assert "Training continues" in err


def test_pictures_are_spaced_and_the_last_is_drawn(tmp_path: Path) -> None:
    pictures = run_log.Pictures(tmp_path / "p")
    for step in range(8):
        pictures(Progress(step, 8, {"loss": 1.0 / (step + 1)}))
        pictures(Preview({"image": np.zeros((8, 8), np.float32)}, step))
    pictures(Finished(None))
    names = sorted(path.name for path in (tmp_path / "p").iterdir())
    assert {"curves.csv", "curves.png", "step-0000000.png", "step-0000007.png"} <= set(names)
    assert len(names) < 10
