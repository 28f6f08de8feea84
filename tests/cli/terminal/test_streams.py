"""What is printed may be lost; the work may not."""

import errno
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from napari_emssl.cli.app import guarded
from napari_emssl.cli.path_checks import write_json
from napari_emssl.cli.terminal.streams import ForgivingStream, forgiving_streams, raw


class Broken(io.StringIO):
    """A stream that fails."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        """Fail."""
        raise OSError(self.number, "no")


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.ENOSPC])
def test_print_never_raises(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(number))
    monkeypatch.setattr(sys, "stderr", None)
    done = []

    def command() -> int:
        sys.stdout.write("result\n")
        sys.stderr.write("warning\n")
        done.append(True)
        return 0

    assert guarded(command) == (2 if number == errno.ENOSPC else 0)
    assert done


def test_windows_calls_a_closed_pipe_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = ForgivingStream(Broken(errno.EINVAL))
    stream.write("result")
    assert stream.lost
    monkeypatch.setattr(sys, "platform", "win32")
    assert not stream.lost


def test_a_console_of_windows_takes_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its encoding may have no letter for what a file or a model is called."""
    taken = io.BytesIO()
    console = io.TextIOWrapper(taken, encoding="cp1252", write_through=True)
    monkeypatch.setattr(sys, "stdout", console)

    def command() -> int:
        sys.stdout.write("Größe 金 5 nm\n")
        write_json(Path("-"), {"name": "金 Größe \U0001f52c"})
        return 0

    assert guarded(command) == 0
    first, *rest = taken.getvalue().decode("cp1252").split("\n", 1)
    assert first == "Größe \\u91d1 5 nm"
    assert json.loads(rest[0]) == {"name": "金 Größe \U0001f52c"}


def test_escape_sequences_reach_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with forgiving_streams():
        sys.stdout.write("a\x1b[2Jb\x9b31mc\td\n")
        raw(sys.stdout).write("\x1b[1mbar\n")
    assert capsys.readouterr().out == "a\ufffd[2Jb\ufffd31mc\td\n\x1b[1mbar\n"


def test_stream_that_was_never_there() -> None:
    stream = ForgivingStream(None)
    assert (stream.write("abc"), stream.isatty(), stream.lost) == (3, False, False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full"])
def test_command_with_closed_streams(closed: str) -> None:
    command = f'"{sys.executable}" -m napari_emssl models list {closed}'
    done = subprocess.run(["bash", "-c", f"exec {command}"], capture_output=True, text=True, check=False)
    assert done.returncode == (2 if "full" in closed else 0)
    assert "Traceback" not in done.stderr
