"""Saying a command line in a test, and what came of it."""

from collections.abc import Callable
from typing import Annotated, Any

import cyclopts
import pytest

from napari_emssl.cli import main
from napari_emssl.jobs.settings import Settings


class Told:
    """What one command line said."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


Tell = Callable[..., Told]


def teller(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Return what runs a command line and catches what it says."""

    def run(*words: object) -> Told:
        status = main([str(word) for word in words])
        return Told(status, *capsys.readouterr())

    return run


def words_of(settings: Settings) -> list[str]:
    """The command line that says these settings; None is said by saying nothing."""
    words = []
    for name, value in settings.model_dump().items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words.append(f"--{flag}={value}")
    return words


def read_back(settings: Settings) -> Any:
    """Say settings as flags and return what the terminal makes of them."""
    kind = type(settings)
    app = cyclopts.App(result_action="return_value")

    def read(*, settings: Any) -> Any:
        return settings

    read.__annotations__["settings"] = Annotated[kind, cyclopts.Parameter(name="*")]
    read.__kwdefaults__ = {"settings": kind()}
    app.default(read)
    return app(words_of(settings), print_error=False, exit_on_error=False)
