"""``napari-emssl demo``, with a viewer and without."""

import subprocess
import sys
from pathlib import Path

import pytest
from terminal import EVENTS, Tell, job_of, refused

from napari_emssl.cli import demo as demo_module
from napari_emssl.jobs.events import Finished, Job


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
    assert called == [[sys.executable, "-P", "-m", "napari_emssl.gui.plugin.demo"]]


def test_demo_without_a_window(tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def run_demo(folder: Path) -> Job:
        folders.append(folder)
        return job_of(*EVENTS[:-1], Finished("Dice 0.9."))

    monkeypatch.setattr("napari_emssl.demo.run_demo", run_demo)
    told = tell("demo", "--headless", tmp_path / "demo")
    assert (told.status, told.out, folders) == (0, "Dice 0.9.\n", [tmp_path / "demo"])
