"""A run over several processes is the run of one; one of them writes; a lost one costs nothing that was saved."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_emssl.data.images.writers import write_image
from napari_emssl.data.patches.corruption import corrupt
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Progress
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.models.model_file import read_model
from napari_emssl.training.pretraining.distributed import ProcessGroup
from napari_emssl.training.pretraining.pretrain import pretrain

FIELDS = {
    "generator": "unet-2-44", "batch_size": 4, "patch": 64, "discriminator_width": 8, "validation": 1,
    "device": "cpu", "precision": "fp32",
}  # fmt: skip
PLAN = "--steps", "8", "--validation-interval", "2"
PATIENCE_SECONDS = 280.0
"""A busy machine takes long to start three processes; only one that hangs takes longer."""
SMALL = [word for name, value in FIELDS.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Micrographs of four sources."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(4):
        rough = rng.random((12, 12)).astype(np.float32)
        write_image(folder / f"sample {'abcd'[number]}.tif", (255 * np.kron(rough, np.ones((12, 12)))).astype(np.uint8))
    return folder


def command(folder: Path, output: Path, *more: str) -> list[str]:
    return ["pretrain", str(folder), *SMALL, "-o", str(output), *more]


def environment(**more: object) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"} | {name: str(value) for name, value in more.items()}


def start(arguments: list[str], rank: int, size: int, port: int) -> subprocess.Popen[str]:
    """One process of a run, started as torchrun would."""
    variables = environment(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=size, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    line = [sys.executable, "-m", "napari_emssl", *arguments]
    return subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_two(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run with two processes; returns what the first one said."""
    port = free_port()
    pair = [start(arguments, rank, 2, port) for rank in (0, 1)]
    said = [process.communicate(timeout=PATIENCE_SECONDS) for process in pair]
    assert pair[1].returncode == pair[0].returncode == 0, said
    assert said[1][0] == "", "one process speaks"
    return subprocess.CompletedProcess(arguments, 0, *said[0])


def run_one(arguments: list[str]) -> None:
    line = [sys.executable, "-m", "napari_emssl", *arguments]
    done = subprocess.run(
        line, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one process has run the plan: a model and the log of the run."""
    place = tmp_path_factory.mktemp("alone")
    run_one(command(folder, place / "one.safetensors", *PLAN, "--log", str(place / "one.jsonl")))
    return place


def records(log: Path) -> dict[int, dict[str, dict[str, float]]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    validated = [line for line in lines if "validation" in line]
    return {line["step"]: {kind: line[kind] for kind in ("losses", "validation")} for line in validated}


def assert_same_run(ours: Path, wanted: Path) -> None:
    """Losses and validations of two logs agree within rounding."""
    mine, theirs = records(ours), records(wanted)
    assert mine.keys() == theirs.keys()
    assert len(mine) > 2
    for step, parts in theirs.items():
        for kind, values in parts.items():
            assert mine[step][kind] == pytest.approx(values, rel=2e-3), (step, kind)


def test_two_processes_follow_one_with_the_whole_batch(folder: Path, alone: Path, tmp_path: Path) -> None:
    said = run_two(command(folder, tmp_path / "two.safetensors", *PLAN, "--log", str(tmp_path / "two.jsonl")))
    assert_same_run(tmp_path / "two.jsonl", alone / "one.jsonl")
    assert_same_model(tmp_path / "two.safetensors", alone / "one.safetensors")
    assert "2 processes" in said.stderr


def test_two_processes_follow_one_through_all_pretext_tasks(folder: Path, tmp_path: Path) -> None:
    plan = "--steps", "3", "--validation-interval", "1", "--pretext", "restore+collage+episodes"
    plan += "--mask-decoder", "unet-2-44"
    for run, name in ((run_one, "one"), (run_two, "two")):
        run(command(folder, tmp_path / f"{name}.safetensors", *plan, "--log", str(tmp_path / f"{name}.jsonl")))
    assert_same_run(tmp_path / "two.jsonl", tmp_path / "one.jsonl")
    assert_same_model(tmp_path / "two.safetensors", tmp_path / "one.safetensors")


def assert_same_model(ours: Path, wanted: Path) -> None:
    """Weights of a run of two processes agree with those of one within rounding."""
    two, one = read_model(ours), read_model(wanted)
    for name, weights in one.weights.items():
        np.testing.assert_allclose(two.weights[name], weights, rtol=0.02, atol=3e-3, err_msg=name)
    assert two.card.history[0].data["processes"] == 2


@pytest.fixture
def interrupted(folder: Path, tmp_path: Path) -> Path:
    """A run of two processes whose second was killed after an autosave."""
    output, port = tmp_path / "lost.safetensors", free_port()
    arguments = command(folder, output, "--steps", "100000", "--autosave-seconds", "0.5")
    pair = [start(arguments, rank, 2, port) for rank in (0, 1)]
    autosave = tmp_path / "lost.safetensors.autosave"
    while not autosave.exists() and pair[0].poll() is None:
        time.sleep(0.1)
    pair[1].send_signal(signal.SIGKILL)
    _, said = pair[0].communicate(timeout=PATIENCE_SECONDS)
    pair[1].communicate(timeout=PATIENCE_SECONDS)
    assert pair[0].returncode == 2, said
    assert "Another process of the run has ended" in said
    assert f"--resume '{autosave}'" in said
    assert "Traceback" not in said
    assert not output.exists()
    return autosave


def test_a_killed_process_ends_the_run_and_one_process_goes_on(folder: Path, interrupted: Path) -> None:
    saved = torch.load(interrupted, weights_only=True)
    output = interrupted.with_suffix("")
    run_one(command(folder, output, "--steps", str(saved["step"] + 3), "--resume", str(interrupted), "--overwrite"))
    assert read_model(output).card.history[0].steps > 0


def test_a_run_of_one_process_goes_on_with_two(folder: Path, alone: Path, tmp_path: Path) -> None:
    log, autosave = tmp_path / "log.jsonl", tmp_path / "kept.autosave"
    job = pretrain([folder], PretrainSettings.model_validate(FIELDS | {"steps": 8}), autosave=autosave)
    for event in job:
        if isinstance(event, Progress) and event.step >= 3:
            job.stop()
    step = torch.load(autosave, weights_only=True)["step"]
    assert step < 8
    run_two(command(folder, tmp_path / "two.safetensors", *PLAN, "--resume", str(autosave), "--log", str(log)))
    assert records(log)[8]["validation"] == pytest.approx(records(alone / "one.jsonl")[8]["validation"], rel=1e-2)


def test_torchrun_starts_it(folder: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
    line += ["-m", "napari_emssl", *command(folder, tmp_path / "g.safetensors", "--steps", "2")]
    done = subprocess.run(
        line, env=environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Wrote ") == 1
    assert (tmp_path / "g.safetensors").exists()


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of 3"):
        ProcessGroup(rank=1, size=3).share_of(8)


@pytest.mark.parametrize(
    ("environment", "batch", "said"),
    [
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1"}, 3, "multiple of 2"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, 4, "2 processes .* torchrun"),
        ({"WORLD_SIZE": "2", "RANK": "first"}, 4, "RANK=first"),
        ({"WORLD_SIZE": "many"}, 4, "WORLD_SIZE=many"),
    ],
)
def test_an_environment_that_cannot_work_is_refused_without_waiting_for_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], batch: int, said: str
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=said):
        list(pretrain([folder], PretrainSettings.model_validate(FIELDS | {"batch_size": batch})))


def test_shares_make_up_the_batch() -> None:
    shares = [ProcessGroup(rank=rank, size=4).share_of(12) for rank in range(4)]
    assert [number for share in shares for number in range(12)[share]] == list(range(12))


def test_a_share_is_corrupted_as_within_the_whole() -> None:
    clean = torch.rand(6, 1, 40, 32, generator=torch.Generator().manual_seed(1))
    whole = corrupt(clean, (0.1, 0.3), (0.0, 2.0), torch.Generator().manual_seed(2))
    part = corrupt(clean[2:4], (0.1, 0.3), (0.0, 2.0), torch.Generator().manual_seed(2), batch=(2, 6))
    torch.testing.assert_close(part, whole[2:4])
