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
from patience import PATIENCE_SECONDS

from napari_emssl.cli import main
from napari_emssl.data.images.writers import write_image
from napari_emssl.data.patches.corruption import corrupt
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Progress
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.models.model_file import read_model
from napari_emssl.training.pretraining.distributed import ProcessGroup
from napari_emssl.training.pretraining.pretrain import pretrain

FIELDS = {
    "generator": "unet-2-44", "width": 8, "batch_size": 4, "patch": 64, "discriminator_width": 8, "validation": 1,
    "device": "cpu", "precision": "fp32",
}  # fmt: skip
PLAN = "--steps", "8", "--validation-interval", "2"
PRETEXTS = (
    "--steps", "3", "--validation-interval", "1", "--pretext", "restore+collage+episodes",
    "--mask-decoder", "unet-2-44",
)  # fmt: skip
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
ONE_AFTER_THE_OTHER = """
import json, os, sys
from napari_emssl.cli import main
for port, line in json.loads(sys.argv[1]):
    os.environ["MASTER_PORT"] = port
    if status := main(line):
        sys.exit(status)
"""
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


def command(folder: Path, output: Path, *more: object) -> list[str]:
    log = ["--log", str(output.with_suffix(".jsonl"))]
    return ["pretrain", str(folder), *SMALL, "-o", str(output), *log, *map(str, more)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_pair(*lines: list[str]) -> list[subprocess.Popen[str]]:
    """Start the two processes of runs, one run after the other, as torchrun would start each."""
    runs = json.dumps([(str(free_port()), line) for line in lines])
    pair = []
    for rank in "01":
        variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        line = [sys.executable, "-c", ONE_AFTER_THE_OTHER, runs]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        pair.append(subprocess.Popen(line, env=ENVIRONMENT | variables, **pipes))
    return pair


def run_one(line: list[str]) -> None:
    assert main(line) == 0


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one process has run both plans, each to a model and a log, and stopped once in the first of them."""
    place = tmp_path_factory.mktemp("alone")
    run_one(command(folder, place / "plan.safetensors", *PLAN))
    run_one(command(folder, place / "pretexts.safetensors", *PRETEXTS))
    job = pretrain([folder], PretrainSettings.model_validate(FIELDS | {"steps": 8}), autosave=place / "autosave")
    for event in job:
        if isinstance(event, Progress) and event.step >= 3:
            job.stop()
    assert torch.load(place / "autosave", weights_only=True)["step"] < 8
    return place


@pytest.fixture(scope="module")
def together(folder: Path, alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have run the pretext tasks, gone on with what one began, and lost the second in a third run.

    That one was killed after an autosave; what the first said is in ``said``.
    """
    place = tmp_path_factory.mktemp("together")
    lost, autosave = place / "lost.safetensors", place / "lost.safetensors.autosave"
    pair = start_pair(
        command(folder, place / "pretexts.safetensors", *PRETEXTS),
        command(folder, place / "resumed.safetensors", *PLAN, "--resume", alone / "autosave"),
        command(folder, lost, "--steps", 100000, "--autosave-seconds", 0.5),
    )
    while not autosave.exists() and pair[0].poll() is None:
        time.sleep(0.1)
    pair[1].send_signal(signal.SIGKILL)
    _, said = pair[0].communicate(timeout=PATIENCE_SECONDS)
    silent, _ = pair[1].communicate(timeout=PATIENCE_SECONDS)
    assert pair[0].returncode == 2, said
    assert silent == "", "one process speaks"
    (place / "said").write_text(said)
    return place


def records(log: Path) -> dict[int, dict[str, dict[str, float]]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    validated = [line for line in lines if "validation" in line]
    return {line["step"]: {kind: line[kind] for kind in ("losses", "validation")} for line in validated}


def assert_same_run(ours: Path, wanted: Path) -> None:
    """Losses, validations and weights of two processes and of one agree within rounding."""
    mine, theirs = (records(model.with_suffix(".jsonl")) for model in (ours, wanted))
    assert mine.keys() == theirs.keys()
    assert len(mine) > 2
    for step, parts in theirs.items():
        for kind, values in parts.items():
            assert mine[step][kind] == pytest.approx(values, rel=2e-3), (step, kind)
    two, one = read_model(ours), read_model(wanted)
    for name, weights in one.weights.items():
        np.testing.assert_allclose(two.weights[name], weights, rtol=0.02, atol=3e-3, err_msg=name)
    assert two.card.history[0].data["processes"] == 2


def test_torchrun_starts_two_processes_which_follow_one_with_the_whole_batch(
    folder: Path, alone: Path, tmp_path: Path
) -> None:
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
    line += ["-m", "--", "napari_emssl", *command(folder, tmp_path / "two.safetensors", *PLAN)]  # or it takes --log
    done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Wrote ") == 1
    assert "2 processes" in done.stderr
    assert_same_run(tmp_path / "two.safetensors", alone / "plan.safetensors")


def test_two_processes_follow_one_through_all_pretext_tasks(alone: Path, together: Path) -> None:
    assert_same_run(together / "pretexts.safetensors", alone / "pretexts.safetensors")


def test_a_run_of_one_process_goes_on_with_two(alone: Path, together: Path) -> None:
    ended, wanted = (records(place)[8] for place in (together / "resumed.jsonl", alone / "plan.jsonl"))
    assert ended["validation"] == pytest.approx(wanted["validation"], rel=1e-2)


def test_a_killed_process_ends_the_run_and_one_process_goes_on(folder: Path, together: Path) -> None:
    said, autosave, output = (together / name for name in ("said", "lost.safetensors.autosave", "lost.safetensors"))
    assert "Another process of the run has ended" in said.read_text()
    assert f"--resume '{autosave}'" in said.read_text()
    assert "Traceback" not in said.read_text()
    assert not output.exists()
    step = torch.load(autosave, weights_only=True)["step"]
    run_one(command(folder, output, "--steps", step + 3, "--resume", autosave, "--overwrite"))
    assert max(records(output.with_suffix(".jsonl"))) == step + 3
    assert output.exists()


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
