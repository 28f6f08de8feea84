"""Two runs never write one file."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from napari_emssl.errors import UserError
from napari_emssl.training.file_lock import claimed

HOLD = """
import sys, time
from pathlib import Path
from napari_emssl.training.file_lock import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_claim_is_refused_while_another_holds_it_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "m.safetensors"
    with claimed(path), pytest.raises(UserError, match=r"Another run is writing .*choose another name"), claimed(path):
        pytest.fail("two runs hold one file")
    with claimed(path, path.with_name("other")):
        assert path.parent.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_the_current_folder_can_be_held_and_the_root_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with claimed(Path()), pytest.raises(UserError, match="Another run"), claimed(tmp_path):
        pytest.fail("two runs hold one folder")
    with pytest.raises(UserError, match="Name a file"), claimed(Path(tmp_path.anchor)):
        pytest.fail("nobody holds the root")


def test_folders_that_were_written_to_stay(tmp_path: Path) -> None:
    with claimed(tmp_path / "new" / "m"):
        (tmp_path / "new" / "m").write_text("a model")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m"]


def test_nothing_is_held_when_one_of_many_is_taken(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    with claimed(second), pytest.raises(UserError, match=r"'.*b'"), claimed(first, second):
        pytest.fail("two runs hold one file")
    with claimed(first, second):
        assert {path.name for path in tmp_path.iterdir()} == {".a.lock", ".b.lock"}


def test_another_process_is_named_and_its_death_frees_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        named = f"process {other.pid} on" if os.name != "nt" else "Another run"
        for _ in range(2):  # the name of the holder outlives a refusal
            with pytest.raises(UserError, match=named), claimed(path):
                pytest.fail("two processes hold one file")
        other.kill()
    assert path.with_name(".m.safetensors.lock").exists() == (os.name != "nt")
    with claimed(path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows removes the lock with its process")
def test_locks_of_killed_runs_are_removed_by_the_next_run_and_others_stay(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "a")], stdout=subprocess.PIPE) as killed:
        assert killed.stdout
        assert killed.stdout.readline() == b"held\n"
        killed.kill()
    host = socket.gethostname()
    kept = {".b.lock": f"process {os.getpid()} on {host}", ".c.lock": "process 999999999 on elsewhere", ".d.lock": "{}"}
    for name, text in kept.items():
        (tmp_path / name).write_text(text)
    with claimed(tmp_path / "m"):
        assert {path.name for path in tmp_path.iterdir()} == {*kept, ".m.lock"}


def test_a_claim_may_end_in_another_thread(tmp_path: Path) -> None:
    claim = claimed(tmp_path / "m")
    claim.__enter__()
    thread = threading.Thread(target=claim.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with claimed(tmp_path / "m"):
        pass


def test_where_no_lock_can_be_made_a_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="another folder"), claimed(tmp_path / "file" / "m"):
        pytest.fail("a file is no folder")
