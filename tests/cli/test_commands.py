"""The terminal: sentences, statuses, files, progress, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cyclopts")

from rich.console import Console
from terminal import Tell, Told, teller

from napari_emssl import __version__
from napari_emssl.cli import demo as demo_module
from napari_emssl.cli import path_checks, progress, run_log
from napari_emssl.cli.app import guarded
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Control, Event, Finished, Job, Notice, Preview, Progress, Started
from napari_emssl.models.model_file import Card, Model, NetworkSpec, Stage, read_card, save_model
from napari_emssl.training.history import read_table

SMALL = ["--device", "cpu", "--precision", "fp32", "--workers", "0"]
PRETRAIN = [*SMALL, "--patch", "64", "--batch-size", "2", "--discriminator-width", "4", "--validation", "1", "--quiet"]
FINETUNE = [*SMALL, "--patch", "32", "--batch-size", "1", "--start", "scratch", "--generator", "unet-2-44", "--quiet"]


@pytest.fixture(autouse=True)
def _own_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_EMSSL_HOME", str(tmp_path / "home"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        np.save(folder / f"{number}.npy", rng.integers(0, 255, (72, 80), np.uint8))
    return folder


@pytest.fixture
def masks(images: Path) -> Path:
    folder = images.with_name("masks")
    folder.mkdir()
    for path in images.iterdir():
        mask = np.zeros((72, 80), np.uint8)
        mask[20:40, 20:50] = 1
        np.save(folder / path.name, mask)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    card = Card(name="tiny", task="reconstruct", network=NetworkSpec(name="unet-2-44"), licence="CC0")
    weights = {"a.weight": np.zeros((2, 3), np.float32), "a.running_mean": np.zeros(2, np.float32)}
    return save_model(Model(card, weights), tmp_path / "tiny.safetensors")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    return teller(capsys)


def refused(told: Told, *parts: str) -> None:
    """Status 2, a line or two on stderr that hold `parts`, nothing on stdout, no traceback, no boxes."""
    assert told.status == 2
    assert told.out == ""
    assert 1 <= len(told.err.splitlines()) <= 2
    assert not set("╭│─╰") & set(told.err)
    assert "Traceback" not in told.err
    for part in parts:
        assert part in told.err


def test_version_and_help(tell: Tell) -> None:
    assert tell("--version").out.strip() == __version__
    told = tell("--help")
    assert told.status == 0
    for command in ("pretrain", "finetune", "apply", "evaluate", "simulate", "models", "demo"):
        assert command in told.out
    assert tell().out == told.out


@pytest.mark.parametrize(
    "words",
    [
        "pretrain",
        "finetune",
        "apply",
        "evaluate",
        "simulate hrtem",
        "models list",
        "models info",
        "models import",
        "demo",
    ],
)
def test_every_command_has_help(tell: Tell, words: str) -> None:
    told = tell(*words.split(), "--help")
    assert told.status == 0
    assert f"napari-emssl {words}" in told.out


def test_flags_of_the_design_are_there(tell: Tell) -> None:
    text = tell("pretrain", "--help").out
    flags = (
        "generator images validation epochs steps max-seconds batch-size patch seed device precision workers resume log"
    )
    for flag in ["-o", *(f"--{name}" for name in flags.split())]:
        assert f"{flag} " in text
    text = tell("finetune", "--help").out
    for flag in ("--task", "--images", "--targets", "--start", "--generator", "--zero", "--merge-classes", "--output"):
        assert flag in text


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("pretrian", ["Unknown command 'pretrian'", "Did you mean 'pretrain'?"]),
        ("models lst", ["'lst'", "'list'"]),
        ("pretrain a -o x --devise cpu", ["--devise", "Did you mean --device?"]),
        ("pretrain a -o x --qqq", ["--qqq", "napari-emssl pretrain --help"]),
        ("pretrain a", ["--output is missing", "napari-emssl pretrain --help"]),
        ("pretrain -o x", ["PATHS is missing"]),
        ("pretrain a -o", ["-o needs a value"]),
        ("finetune -o x", ["--images is missing"]),
        ("models list extra", ["'extra' is not understood"]),
        ("pretrain a -o x -o y", ["-o specified multiple times"]),
        ("pretrain a -o x --batch-size 0", ["--batch-size must be at least 1 (got 0)."]),
        ("pretrain a -o x --batch-size 9999", ["--batch-size must be at most 4096 (got 9999)."]),
        ("pretrain a -o x --patch 100", ["--patch must be a multiple of 32 (got 100)."]),
        ("pretrain a -o x --steps 1.5", ["--steps must be a whole number (got 1.5)."]),
        ("pretrain a -o x --seed -1", ["--seed must be at least 0 (got -1)."]),
        ("pretrain a -o x --learning-rate x", ["--learning-rate must be a number (got x)."]),
        ("pretrain a -o x --learning-rate 0", ["--learning-rate must be greater than 0 (got 0)."]),
        ("pretrain a -o x --learning-rate nan", ["--learning-rate must be"]),
        ("pretrain a -o x --precision bf61", ["--precision must be 'auto', 'fp32' or 'bf16'", "Did you mean bf16?"]),
        ("pretrain a -o x --device gpu", ["--device does not take 'gpu'", "cuda:1"]),
        ("finetune --images a --targets b -o x --task segmant", ["--task must be", "Did you mean segment?"]),
        ("apply m", ["PATHS is missing"]),
        ("apply m a -o x --format png", ["--format", "tiff"]),
        ("apply m a -o x --tile 33", ["--tile must be a multiple of 32"]),
        ("simulate hrtem -o x --count 0", ["--count must be at least 1"]),
        ("simulate hrtem -o x --size 3", ["--size", "at least 64"]),
        (
            "simulate hrtem -o x --particles-min 9 --particles-max 3",
            ["--particles-min is greater than"],
        ),
    ],
)
def test_words_that_are_wrong(tell: Tell, words: str, parts: list[str]) -> None:
    refused(tell(*words.split()), *parts)


def test_two_wrong_settings_are_two_lines(tell: Tell) -> None:
    told = tell("pretrain", "a", "-o", "x", "--batch-size", "0", "--patch", "33", "--epochs", "x")
    refused(told)
    assert len(told.err.splitlines()) == 2


def test_missing_files_are_named_before_any_work(tell: Tell, tmp_path: Path, images: Path) -> None:
    output = tmp_path / "out" / "m.safetensors"
    refused(tell("pretrain", images, tmp_path / "nope", "-o", output), "nope")
    refused(tell("finetune", "--images", images, "--targets", tmp_path / "nope", "-o", output), "nope")
    refused(tell("finetune", "--images", images, "--targets", images, "-o", output, "--resume", "gone"), "gone")
    assert not output.parent.exists()


def test_output_that_is_there_stays(tell: Tell, tmp_path: Path, images: Path, masks: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    refused(tell("pretrain", images, "-o", taken), "taken", "--overwrite")
    refused(tell("finetune", "--images", images, "--targets", masks, "-o", taken), "taken", "--overwrite")
    refused(tell("pretrain", images, "-o", tmp_path / "x", "--log", taken), "taken", "--overwrite")
    refused(tell("pretrain", images, "-o", tmp_path / "x", "--pictures", masks), "not empty", "--overwrite")
    refused(tell("pretrain", images, "-o", tmp_path), "is a folder")
    refused(tell("pretrain", images, "-o", taken / "x"), "is a file")
    refused(tell("demo", "--headless", images), "not empty")
    refused(tell("simulate", "hrtem", "-o", images), "not empty")
    assert taken.read_text() == "mine"
    assert not list(tmp_path.glob("x*"))


def test_a_folder_is_no_output_file(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    for output in ("", ".", tmp_path.anchor, images):
        refused(tell("pretrain", images, "-o", output), "is a folder")
        refused(tell("pack", images, "-o", output), "is a folder")
        refused(tell("measure", masks, "-o", output), "is a folder")
        what = "would replace" if output is images else "Name a file"
        refused(tell("finetune", "--images", images, "--targets", masks, "-o", output), what)


def test_overwrite_never_replaces_what_is_read(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    image, model = images / "0.npy", tmp_path / "m.safetensors"
    before = image.read_bytes()
    pretrain, finetune = ["pretrain", images], ["finetune", "--images", images, "--targets", masks]
    for words in (
        [*pretrain, "-o", image],
        ["pretrain", image, "-o", image],
        [*pretrain, "-o", model, "--log", image],
        [*pretrain, "-o", model, "--pictures", images],
        [*pretrain, "-o", model, "--log", model],
        [*pretrain, "-o", model, "--log", tmp_path / "m-split.json"],
        [*finetune, "-o", masks / "0.npy"],
        ["pack", images, "-o", image],
        ["compare", "--starts", "scratch:unet-2-44", "--images", images, "--targets", masks, "-o", masks],
    ):
        refused(tell(*words, "--overwrite"), str(words[-1]), "would replace", "another name")
    assert image.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "masks"]


def test_folder_that_cannot_be_written(tell: Tell, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_words: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    refused(tell("pretrain", images, "-o", images / "new" / "x"), "Permission denied", "another folder")


def test_left_autosave_is_not_lost(tell: Tell, tmp_path: Path, images: Path) -> None:
    left = tmp_path / "m.safetensors.autosave"
    left.write_bytes(b"precious")
    refused(tell("pretrain", images, "-o", tmp_path / "m.safetensors"), "--resume", "--overwrite")
    assert left.read_bytes() == b"precious"


def test_folder_without_images_writes_nothing(tell: Tell, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "Thumbs.db").write_bytes(b"junk")
    refused(tell("pretrain", empty, "-o", tmp_path / "new" / "m.safetensors", "--log", tmp_path / "log"))
    assert {path.name for path in tmp_path.iterdir()} == {"empty"}


# --- models


def test_models_list_is_json(tell: Tell, model: Path) -> None:
    assert tell("models", "import", model).status == 0
    rows = json.loads(tell("models", "list", "--json").out)
    own = next(row for row in rows if row["name"] == "tiny")
    assert {"name", "network", "task", "parameters", "bytes", "licence", "origin"} <= own.keys()
    assert (own["network"], own["task"], own["licence"], own["origin"]) == ("unet-2-44", "reconstruct", "CC0", "own")
    assert own["parameters"] == 6, "norm statistics are not parameters"
    assert own["bytes"] == model.stat().st_size
    assert "tiny" in tell("models", "list").out
    assert tell("models").out == tell("models", "list").out


def test_models_info(tell: Tell, model: Path) -> None:
    text = tell("models", "info", model).out
    for part in ("tiny", "reconstruct", "unet-2-44", "CC0", "6 parameters"):
        assert part in text
    assert json.loads(tell("models", "info", model, "--json").out)["name"] == "tiny"
    refused(tell("models", "info", "nope"), "nope")


def test_models_import_refuses(tell: Tell, model: Path, tmp_path: Path) -> None:
    refused(tell("models", "import", tmp_path / "nope.safetensors"), "nope")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model.read_bytes()[:-7])
    refused(tell("models", "import", cut), "cut")
    cut.write_bytes(b"\x80\x04cposix\nsystem\n.")
    refused(tell("models", "import", cut), "cut")
    tell("models", "import", model)
    refused(tell("models", "import", model), "tiny")
    assert tell("models", "import", model, "--overwrite").status == 0
    assert tell("models", "import", model, "--name", "other").status == 0
    assert "other" in tell("models", "list").out


# --- training


def test_pretrain_end_to_end(tell: Tell, images: Path, tmp_path: Path) -> None:
    output, log = tmp_path / "deep" / "gen.safetensors", tmp_path / "gen.jsonl"
    told = tell("pretrain", images, "-o", output, "--steps", "3", "--log", log, "--licence", "CC0", *PRETRAIN)
    assert told.status == 0, told.err
    assert str(output) in told.out
    card = read_card(output)
    assert (card.name, card.task, card.licence) == ("gen", "reconstruct", "CC0")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert lines[-1]["step"] == 3
    assert {"step", "seconds", "images_per_second", "losses"} <= lines[-1].keys()
    assert set(next(line for line in lines if "validation" in line)["validation"]) == {"l1"}
    pictures = output.with_name("gen-pictures")
    assert {"curves.png", "curves.csv"} <= {path.name for path in pictures.iterdir()}
    assert list(pictures.glob("step-*.png"))
    assert not output.with_name(output.name + ".autosave").exists()
    refused(tell("pretrain", images, "-o", output, "--steps", "3", *PRETRAIN), "--overwrite")
    assert tell("pretrain", images, "-o", output, "--steps", "1", "--overwrite", *PRETRAIN).status == 0


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


def test_finetune_apply_evaluate(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    output, results, scores = tmp_path / "m.safetensors", tmp_path / "results", tmp_path / "scores.json"
    pairs = ["--images", images, "--targets", masks]
    assert tell("finetune", *pairs, "-o", output, "--steps", "2", *FINETUNE).status == 0
    assert read_card(output).task == "segment"
    told = tell("apply", output, images, "-o", results, "--device", "cpu")
    assert told.status == 0, told.err
    written = [Path(line) for line in told.out.splitlines()]
    assert len(written) == 4
    assert all(path.is_file() for path in written)
    refused(tell("apply", output, images, "-o", results, "--device", "cpu", "--quiet"), "exist")
    assert tell("apply", output, images, "-o", results, "--device", "cpu", "--overwrite").status == 0
    told = tell("evaluate", output, *pairs, "--json", scores, "--device", "cpu")
    assert told.status == 0, told.err
    content = json.loads(scores.read_text())
    assert {"mean", "images"} <= content.keys()
    assert len(content["images"]) == 4
    assert "mean" in told.out
    refused(tell("evaluate", output, *pairs, "--json", scores, "--device", "cpu"), "--overwrite")
    assert json.loads(tell("evaluate", output, *pairs, "--json", "-", "--device", "cpu", "--quiet").out) == content


def test_apply_goes_on_after_a_damaged_image(tell: Tell, images: Path, masks: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.safetensors"
    tell("finetune", "--images", images, "--targets", masks, "-o", output, "--steps", "1", *FINETUNE)
    (images / "broken.png").write_bytes(b"\x89PNG no more")
    told = tell("apply", output, images, "-o", tmp_path / "results", "--device", "cpu", "--quiet")
    assert told.status == 2
    assert "broken.png" in told.err
    assert len(told.out.splitlines()) == 4


def test_simulate_hrtem(tell: Tell, tmp_path: Path) -> None:
    told = tell("simulate", "hrtem", "-o", tmp_path / "s", "--count", "2", "--size", "64", "--seed", "3", "--quiet")
    assert told.status == 0, told.err
    assert len(list((tmp_path / "s" / "images").iterdir())) == 2


def test_full_disk_at_the_end_keeps_both(tell: Tell, images: Path, tmp_path: Path, monkeypatch: Any) -> None:
    output = tmp_path / "gen.safetensors"
    output.write_bytes(b"previous")
    replace, rescue = os.replace, tmp_path / "rescue"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_words: str(rescue))

    def full(source: Any, target: Any) -> None:
        if Path(target) == output:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    told = tell("pretrain", images, "-o", output, "--steps", "1", "--overwrite", *PRETRAIN)
    refused(told, "No space left", str(rescue))
    assert output.read_bytes() == b"previous"
    assert read_card(rescue / output.name).task == "reconstruct"


# --- signals


def start(*words: object) -> "subprocess.Popen[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "napari_emssl", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_resume_goes_on(images: Path, tmp_path: Path, tell: Tell, number: signal.Signals) -> None:
    output, log = tmp_path / "gen.safetensors", tmp_path / "log"
    words = ["pretrain", images, "-o", output, "--log", log, *PRETRAIN]
    with start(*words, "--steps", "100000") as process:
        wait_for(lambda: log.exists() and log.read_text().count("\n") > 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "Stopping" in err
    assert "Traceback" not in err
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
def test_a_second_run_of_the_same_output_is_refused(images: Path, tmp_path: Path, tell: Tell) -> None:
    output, log = tmp_path / "gen.safetensors", tmp_path / "log"
    words = ["pretrain", images, "-o", output, "--log", log, "--steps", "100000", *PRETRAIN]
    with start(*words) as process:
        wait_for(log.exists)
        written = log.stat().st_size
        told = tell(*words, "--overwrite")
        assert log.stat().st_size >= written
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    refused(told, "Another run is writing", f"process {process.pid}", "gen.safetensors")
    other = tell(*words[:3], tmp_path / "other.safetensors", *words[4:6], "--steps", "1", *PRETRAIN, "--overwrite")
    assert other.status == 0, other.err


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


# --- following a job


def job_of(*events: Event) -> Job:
    def run(_control: Control) -> Iterator[Event]:
        yield from events

    return Job(run)


EVENTS = (
    Started("cpu", "No GPU.", "4 images."),
    Progress(1, 10, {"loss": 0.5}, {"l1": 0.25}, 90.0, 10.0, 3.0),
    Notice("Mind the gap."),
    Progress(2, 10, {"loss": float("nan")}, {}, 80.0, 20.0, 3.0),
    Finished("result"),
)


def test_follow_tells_and_returns(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Event] = []
    ending = progress.follow(job_of(*EVENTS), "Job", listeners=[heard.append])
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
    progress.follow(job_of(*EVENTS), "Job", quiet=True)
    assert capsys.readouterr().err == "Warning: Mind the gap.\n"


def test_bar_ends_full_after_an_early_stop() -> None:
    console = Console(force_terminal=True, width=120, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with progress.Bar("Job", console) as bar:
        bar.show(EVENTS[1])
        assert bar.bars.tasks[0].percentage == pytest.approx(10)
        bar.show(Finished(None, stopped=True))
        assert bar.bars.tasks[0].percentage == 100
    assert "validation l1 0.25" in console.export_text()


def test_job_without_an_end_is_an_error() -> None:
    with pytest.raises(UserError, match="without a result"):
        progress.follow(job_of(EVENTS[1]), "Job", quiet=True)


# --- records


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


def test_full_disk_in_the_log_is_a_warning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    log = run_log.RunLog(blocker / "log")
    for event in EVENTS:
        log(event)
    err = capsys.readouterr().err
    assert err.count("Warning") == 1
    assert "Training goes on" in err


def test_pictures_are_spaced_and_the_last_is_drawn(tmp_path: Path) -> None:
    pictures = run_log.Pictures(tmp_path / "p")
    for step in range(8):
        pictures(Progress(step, 8, {"loss": 1.0 / (step + 1)}))
        pictures(Preview({"image": np.zeros((8, 8), np.float32)}, step))
    pictures(Finished(None))
    names = sorted(path.name for path in (tmp_path / "p").iterdir())
    assert {"curves.csv", "curves.png", "step-0000000.png", "step-0000007.png"} <= set(names)
    assert len(names) < 10


def test_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    path_checks.write_json(Path("-"), {"a": [1.0, float("inf")], 3: "é"})
    assert json.loads(capsys.readouterr().out) == {"a": [1.0, None], "3": "é"}


# --- errors that are nobody's sentence


def fails(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "part"),
    [
        (UserError("No image. Give one."), 2, "No image. Give one."),
        (OSError(28, "No space left on device", "/x/y"), 2, "'/x/y': No space left on device."),
        (MemoryError(), 2, "--batch-size"),
        (ZeroDivisionError("oops"), 1, "bug"),
    ],
)
def test_errors_become_sentences(capsys: Any, error: BaseException, status: int, part: str) -> None:
    assert guarded(fails(error)) == status  # type: ignore[arg-type]
    err = capsys.readouterr().err
    assert part in err
    assert ("Traceback" in err) == (status == 1)


def test_ctrl_c_outside_a_job_is_a_sentence(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_emssl.cli.models.list_models", fails(KeyboardInterrupt()))
    told = tell("models", "list")
    assert (told.status, told.out, told.err) == (130, "", "napari-emssl: Aborted.\n")


def test_closed_pipe_is_no_error(model: Path) -> None:
    command = f"{sys.executable} -m napari_emssl models info {model} | head -n 0"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


# --- demo


def test_demo_needs_a_display(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    refused(tell("demo"), "demo --headless DIR")
    monkeypatch.setattr(demo_module, "find_spec", lambda _name: None)
    refused(tell("demo"), "napari is not installed", "demo --headless DIR")


def test_demo_opens_the_viewer(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(demo_module, "find_spec", lambda _name: object())
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr(subprocess, "call", lambda words: called.append(words) or 3)
    assert tell("demo").status == 3
    assert called == [[sys.executable, "-m", "napari_emssl.gui.plugin.demo"]]


def test_demo_without_a_window(tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def run_demo(folder: Path) -> Job:
        folders.append(folder)
        return job_of(*EVENTS[:-1], Finished("Dice 0.9."))

    monkeypatch.setattr("napari_emssl.demo.run_demo", run_demo)
    told = tell("demo", "--headless", tmp_path / "demo")
    assert (told.status, told.out, folders) == (0, "Dice 0.9.\n", [tmp_path / "demo"])
