"""What a report says of this computer, and what it keeps to itself."""

import os
import platform
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_emssl import __version__, diagnostics
from napari_emssl.diagnostics import describe_system, without_names


@pytest.fixture
def anna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics.getpass, "getuser", lambda: "anna")
    monkeypatch.setattr(diagnostics.Path, "home", lambda: Path("/home/anna-m"))
    monkeypatch.setattr(platform, "node", lambda: "tem-lab-3")


def test_the_system_is_told_in_lines_that_can_be_compared() -> None:
    lines = dict(line.partition(" ")[::2] for line in describe_system("Qt: 6.9").splitlines())
    assert lines["napari-emssl"] == __version__
    assert lines["Python"].startswith(platform.python_version())
    assert "torch 2." in lines["Packages:"]
    assert "numpy " in lines["Packages:"]
    assert str(os.cpu_count()) in lines["CPU:"]
    assert {"System:", "Memory:", "Disk:", "GPU:", "Environment:", "Encodings:"} <= set(lines)
    assert lines["Qt:"] == "6.9"


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise diagnostics.PackageNotFoundError(name)

    monkeypatch.setattr(diagnostics, "version", missing)
    assert "Packages: napari is missing, numpy is missing, torch is missing\n" in describe_system()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Cannot read '/home/anna/My Data/film 3.tif'. Check it.", "Cannot read 'film 3.tif'. Check it."),
        ("Cannot read 'C:\\Users\\Anna\\My Data\\film.tif'.", "Cannot read 'film.tif'."),
        ("'\\\\server\\share\\secret\\a.tif'", "'a.tif'"),
        ('  File "/home/anna/x/try_it.py", line 3', '  File "try_it.py", line 3'),
        ('  File "/home/anna/x/napari_emssl/cli/app.py", line 3', '  File "napari_emssl/cli/app.py", line 3'),
        (r'  File "C:\anna\site-packages\torch\nn\a.py", line 3', '  File "torch/nn/a.py", line 3'),
        ("'/home/anna/napari_emssl/secret/film.tif'", "'film.tif'"),
        ("resume=PosixPath('/data/anna/auto.pt'), steps=3", "resume=PosixPath('auto.pt'), steps=3"),
        ("Wrote ~/secret project/a b.tif: 3 MB", "Wrote a b.tif: 3 MB"),
        ("Wrote D:/secret project/a.tif", "Wrote a.tif"),
        ("opened file:///home/anna/a.tif", "opened a.tif"),
        ("12 images/s and 3/4 of 3 / 4, see https://pytorch.org/get", None),
        ("Ask Anna, ANNA or anna_m; annas and banana stay", "Ask USER, USER or USER_m; annas and banana stay"),
        ("napari-emssl-job-tem-lab-3-4711 of anna-m", "napari-emssl-job-COMPUTER-4711 of USER"),
        ("red \x1b[31m", "red \ufffd[31m"),
    ],
)
def test_paths_and_names_are_taken_out(anna: None, text: str, told: str | None) -> None:
    assert without_names(text) == (text if told is None else told)


@given(
    folders=st.lists(st.text("abcXYZ 01._-äß", min_size=1), min_size=1, max_size=4),
    quoted=st.booleans(),
    posix=st.booleans(),
)
def test_no_folder_of_a_path_is_left(folders: list[str], quoted: bool, posix: bool) -> None:
    secret = [f"q{number}{name.strip() or 'x'}" for number, name in enumerate(folders)]
    path = "/" + "/".join([*secret, "film.tif"]) if posix else "C:\\" + "\\".join([*secret, "film.tif"])
    told = without_names(f"Cannot read {repr(path)[1:-1] if not quoted else repr(path)}.")
    assert told == f"Cannot read {chr(39) * quoted}film.tif{chr(39) * quoted}."


def test_the_driver_is_asked_for_the_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "GPU: no driver of NVIDIA answers\n" in describe_system()
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    assert "GPU: no driver of NVIDIA answers\n" in describe_system()
    program.write_text("#!/bin/sh\necho NVIDIA H100, 81559 MiB, 550.1\necho NVIDIA T4, 15360 MiB, 550.1\n")
    assert "GPU: NVIDIA H100, 81559 MiB, 550.1; NVIDIA T4, 15360 MiB, 550.1\n" in describe_system()


def test_a_mac_names_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert "GPU: Apple GPU\n" in describe_system()
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert "GPU: none that torch can use\n" in describe_system()


def test_a_user_without_a_name_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (KeyError("uid"), OSError("no user"), ImportError("pwd")):
        monkeypatch.setattr(diagnostics.getpass, "getuser", lambda error=error: (_ for _ in ()).throw(error))
        assert without_names("'/a/b'") == "'b'"
