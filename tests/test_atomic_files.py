"""Renaming where Windows says no for a while: its errors are put in the place of those of this system."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_emssl import atomic_files
from napari_emssl.atomic_files import hidden_name, move, replacing, sweep
from napari_emssl.errors import UserError

Refuse = Callable[[int], list[Path]]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Let the next so many renames be refused as those of a file that is open; returns what was asked for."""
    monkeypatch.setattr(atomic_files, "_LOOK_SECONDS", 0.0)
    rename = Path.replace

    def begin(times: int) -> list[Path]:
        asked: list[Path] = []

        def replace(self: Path, target: Path) -> Path:
            asked.append(Path(target))
            if len(asked) <= times:
                raise PermissionError(13, "The process cannot access the file", str(self))
            return rename(self, target)

        monkeypatch.setattr(Path, "replace", replace)
        return asked

    return begin


def test_windows_is_asked_again(tmp_path: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    asked = refuse(3)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert len(asked) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("platform", ["win32", "linux"])
def test_what_stays_open_stays_as_it_was(
    tmp_path: Path, refuse: Refuse, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("before")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(atomic_files, "_BUSY_SECONDS", 0.0)
    refuse(10**6)
    with (
        pytest.raises(UserError, match=r"before is unchanged\. Close the programs that have it open"),
        replacing(tmp_path / "a.txt", overwrite=True) as temporary,
    ):
        temporary.write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "before"}


def test_elsewhere_a_refusal_is_final(tmp_path: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    asked = refuse(1)
    (tmp_path / "a").touch()
    with pytest.raises(PermissionError):
        move(tmp_path / "a", tmp_path / "b")
    assert len(asked) == 1


def test_a_folder_that_cannot_come_in_leaves_the_old_one(
    tmp_path: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    place = tmp_path / "a.zarr"
    place.mkdir()
    (place / "old").touch()
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.name.endswith("-new.a.zarr"):
            raise PermissionError(13, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(atomic_files, "_BUSY_SECONDS", 0.0)
    with pytest.raises(UserError, match="Close the programs"), replacing(place, overwrite=True) as temporary:
        temporary.mkdir()
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zarr", "old"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes, at most 255")
@pytest.mark.parametrize("name", ["日" * 80 + ".tif", "é" * 120 + ".tif", "x" * 255, os.fsdecode(b"\xff" * 250)])
def test_every_name_that_the_file_system_takes_can_be_written(tmp_path: Path, name: str) -> None:
    for text in ("one", "two"):
        with replacing(tmp_path / name, overwrite=True) as temporary:
            temporary.write_text(text)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "two"


@pytest.mark.skipif(sys.platform == "win32", reason="paths are shorter")
def test_what_stepped_aside_never_comes_back_under_a_shorter_name(tmp_path: Path) -> None:
    left = [str(hidden_name(tmp_path / name, "old")) for name in ("short", "x" * 255)]
    for path in left:
        Path(path.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-")).write_text("precious")  # no process has that number
    sweep(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[1] == "short"
    assert names[0].startswith(".emssl-")


def test_a_clock_that_is_put_forward_takes_no_file_from_a_program_that_writes_it(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as writer:
        begun = Path(str(hidden_name(tmp_path / "film.zarr")).replace(f"-{os.getpid()}-", f"-{writer.pid}-"))
        begun.write_text("half")
        os.utime(begun, (1e9, 1e9))
        sweep(tmp_path)
        assert begun.exists()
    sweep(tmp_path)
    assert not begun.exists()


def test_what_is_not_written_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), replacing(tmp_path / "a" / "b" / "c.txt"):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a" / "mine").mkdir(parents=True)
    with pytest.raises(ValueError, match="no"), replacing(tmp_path / "a" / "b" / "c.txt"):
        raise ValueError("no")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine"]
