"""The program as a whole: help, version, statuses, and errors that are no command's."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terminal import Tell

from napari_emssl import __version__
from napari_emssl.cli.app import guarded
from napari_emssl.errors import UserError


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


def test_closed_pipe_is_no_error(tiny: Path) -> None:
    command = f"{sys.executable} -m napari_emssl models info {tiny} | head -n 0"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
