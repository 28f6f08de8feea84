"""Trainings in the terminal: signals, second runs, failures, and how they can be resumed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terminal import EVENTS, PRETRAIN, Tell, job_of, refused

from napari_emssl.cli import train
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Control, Event, Finished, Job, Notice
from napari_emssl.models.model_file import Card, Model, NetworkSpec, Stage, read_card


def test_a_run_that_fails_names_its_autosave(tell: Tell, images: Path, tmp_path: Path, monkeypatch: Any) -> None:
    autosave = tmp_path / "gen.safetensors.autosave"

    def dying(_control: Control) -> Iterator[Event]:
        yield EVENTS[0]
        autosave.write_bytes(b"half way")
        raise UserError("The GPU fell off. Push it back in.")

    monkeypatch.setattr("napari_emssl.training.pretraining.pretrain.pretrain", lambda *_args, **_words: Job(dying))
    refused(
        tell("pretrain", images, "-o", tmp_path / "gen.safetensors", "--quiet"), "fell off", f"--resume '{autosave}'"
    )
    assert autosave.exists()


def test_a_run_that_diverged_has_a_status_of_its_own(
    tell: Tell, tmp_path: Path, images: Path, monkeypatch: Any
) -> None:
    card = Card(
        name="m",
        task="reconstruct",
        network=NetworkSpec(name="unet-2-44"),
        history=(Stage(job="pretrain", settings={}),),
    )
    model, sentence = Model(card, {"w": np.zeros(1, np.float32)}), "Training has diverged."
    job = job_of(EVENTS[0], Notice(sentence), Finished(model, True, sentence))
    monkeypatch.setattr("napari_emssl.training.finetuning.finetune.finetune", lambda *_args, **_words: job)
    output = tmp_path / "m.safetensors"
    told = tell("finetune", "--images", images, "--targets", images, "-o", output, "--quiet")
    assert told.status == 3
    assert sentence in told.err
    assert "--resume" not in told.out
    assert read_card(output).name == "m"


@pytest.mark.parametrize("room", [True, False])
def test_a_model_that_cannot_be_saved_is_saved_elsewhere_or_its_autosave_is_named(
    room: bool, tell: Tell, tmp_path: Path, images: Path, monkeypatch: Any
) -> None:
    card = Card(name="m", task="reconstruct", network=NetworkSpec(name="unet-2-44"))
    job = job_of(EVENTS[0], Finished(Model(card, {"w": np.zeros(1, np.float32)}), False))
    monkeypatch.setattr("napari_emssl.training.finetuning.finetune.finetune", lambda *_args, **_words: job)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    output, real = tmp_path / "m.safetensors", train.save_model

    def full(model: Model, path: Path) -> None:
        if path == output or not room:
            raise UserError(f"{path} cannot be written.")
        real(model, path)

    monkeypatch.setattr(train, "save_model", full)
    output.with_name("m.safetensors.autosave").write_bytes(b"half way")
    words = "finetune", "--images", images, "--targets", images, "-o", output, "--quiet", "--overwrite"
    saved = "was saved to" if room else "Continue from the autosave with --resume"
    refused(tell(*words), f"{output} cannot be written", saved)
    assert len(list((tmp_path / "temporary").rglob("m.safetensors"))) == room
    assert room or not list((tmp_path / "temporary").iterdir())


def start(*words: object) -> "subprocess.Popen[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "napari_emssl", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def wait_for(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 0)])
def test_a_second_run_is_refused_a_signal_saves_and_resume_goes_on(
    images: Path, tmp_path: Path, tell: Tell, number: signal.Signals, workers: int
) -> None:
    """Ctrl-C of a terminal reaches processes that read, too."""
    output, log = tmp_path / "gen.safetensors", tmp_path / "log"
    words = ["pretrain", images, "-o", output, "--log", log, *PRETRAIN]
    reading = [*words, "--steps", 100000]
    reading[words.index("--workers") + 1] = workers
    with start(*reading) as process:
        wait_for(lambda: log.exists() and log.read_text().count("\n") > 3)
        written = log.stat().st_size
        second = tell(*words, "--steps", "100000", "--overwrite")
        assert log.stat().st_size >= written
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=300)
    refused(second, "Another run is writing", f"process {process.pid}", "gen.safetensors")
    assert process.returncode == 128 + number, err
    assert "Stopping" in err
    assert "Traceback" not in err
    assert "terminate called" not in err
    assert "--resume" in out
    assert read_card(output).task == "reconstruct"
    autosave = Path(f"{output}.autosave")
    reached = json.loads(log.read_text().splitlines()[-1])["step"]
    told = tell(*words, "--steps", reached + 2, "--resume", autosave, "--overwrite")
    assert told.status == 0, told.err
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps[0] == 0
    assert steps[-1] == reached + 2
    with (tmp_path / "gen-pictures" / "curves.csv").open() as file:
        drawn = [int(line.split(",")[0]) for line in file.readlines()[1:]]
    assert drawn == sorted(set(steps)), "curves are whole after a resume"
    assert not autosave.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_kill_leaves_an_autosave_and_no_model(images: Path, tmp_path: Path, tell: Tell) -> None:
    output = tmp_path / "gen.safetensors"
    words = ["pretrain", images, "-o", output, *PRETRAIN]
    autosave = Path(f"{output}.autosave")
    with start(*words, "--steps", "100000", "--autosave-seconds", "0.2") as process:
        wait_for(autosave.exists)
        process.kill()
    assert not output.exists()
    told = tell(*words, "--max-seconds", "0.1", "--resume", autosave)
    assert told.status == 0, told.err
    assert output.exists()
