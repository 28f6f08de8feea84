"""Environments are made once, with the torch of the constraints; the stand-in for torchvision is only imported."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from peers import environments
from peers.environments import CONSTRAINTS, Peer, environment, torch_pin

PEER = Peer("other", ("other==1.0",), ("numpy",))
USE = """
import torchvision.transforms.functional as functional
from torchvision.models import resnet50
from torchvision.utils import make_grid
resnet50()
"""


def pip_of(monkeypatch: pytest.MonkeyPatch, packages: Path) -> list[list[str]]:
    """Record commands in place of running them; the site-packages are said to be a folder."""
    commands: list[list[str]] = []

    def record(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(command, 0, stdout=f"{packages}\n")

    monkeypatch.setattr(environments.subprocess, "run", record)
    return commands


def test_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip_of(monkeypatch, tmp_path / "packages")
    python = environment(PEER, tmp_path)
    installed = [command for command in commands if "install" in command]
    assert {command[0] for command in installed} == {str(python)}
    assert installed[0][-2:] == ["--no-deps", "other==1.0"]
    assert installed[1][-2:] == ["torch==2.13.0", "numpy"]
    commands.clear()
    assert environment(PEER, tmp_path) == python
    assert commands == []
    environment(Peer("other", ("other==1.1",), ("numpy",)), tmp_path)
    assert "--clear" in commands[0]


def test_torch_is_pinned_as_for_development() -> None:
    assert torch_pin("numpy==2.0\ntorch==1.2.3\ntornado==6\n") == "torch==1.2.3"
    assert torch_pin(CONSTRAINTS.read_text(encoding="utf-8")).startswith("torch==")


def test_the_stand_in_is_imported_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as inside:
        pip_of(inside, tmp_path)
        environment(PEER, tmp_path / "folder")
    done = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "stand-in: it has no resnet50" in done.stderr.splitlines()[-1]
