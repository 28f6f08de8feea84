"""What a job tells on stderr while it runs."""

import os

import pytest
from rich.console import Console
from terminal import EVENTS, job_of

from napari_emssl.cli import progress
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Event, Finished, Progress


def test_follow_tells_and_returns(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Event] = []
    ending = progress.run_with_progress(job_of(*EVENTS), "Job", listeners=[heard.append])
    assert (ending.result, ending.stopped, ending.status) == ("result", False, 0)
    assert tuple(heard) == EVENTS
    err = capsys.readouterr().err
    for part in (
        "4 images.",
        "cpu. No GPU.",
        "Mind the gap.",
        "1/10",
        "loss 0.5",
        "validation l1 0.25",
        "1 min 30 s left",
    ):
        assert part in err
    assert "100%" in err.splitlines()[-1]


def test_the_line_of_a_training_tells_where_it_is() -> None:
    begun = Progress(20, 100, seconds_left=61.0, epoch=2.5)
    assert progress.pace_of(begun) == "step 20/100  epoch 2.5  1 min 1 s left"
    assert progress.pace_of(Progress(3, 9, seconds_left=5.0)) == "5 s left", "parts of other jobs are no steps"


def test_follow_quietly_warns_only(capsys: pytest.CaptureFixture[str]) -> None:
    progress.run_with_progress(job_of(*EVENTS), "Job", quiet=True)
    assert capsys.readouterr().err == "Warning: Mind the gap.\n"


def test_bar_ends_full_after_an_early_stop() -> None:
    console = Console(force_terminal=True, width=120, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with progress.ProgressBar("Job", console) as bar:
        bar.show(EVENTS[1])
        assert bar.bars.tasks[0].percentage == pytest.approx(10)
        bar.show(Finished(None, stopped=True))
        assert bar.bars.tasks[0].percentage == 100
    shown = console.export_text()
    assert "validation l1 0.25" in shown
    assert "left" not in shown.splitlines()[-2], "no time is left at the end"


def test_the_last_line_names_no_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.ProgressLines("Job", every=1e9) as lines:
        lines.printed_at = float("inf")
        lines.show(Progress(61, None, {"loss": 0.5}, seconds_left=7.0))
        lines.show(Finished(None))
    assert capsys.readouterr().err == "Job 100%  step 61  loss 0.5\n"


def test_job_without_an_end_is_an_error() -> None:
    with pytest.raises(UserError, match="without a result"):
        progress.run_with_progress(job_of(EVENTS[1]), "Job", quiet=True)
