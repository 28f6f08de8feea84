"""Command lines in tests: what they say, short trainings, a job to follow, settings as flags."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple

import cyclopts

from napari_emssl.jobs.events import Control, Event, Finished, Job, Notice, Progress, Started
from napari_emssl.jobs.settings import Settings

SMALL = ["--device", "cpu", "--precision", "fp32", "--workers", "0"]
PRETRAIN = [*SMALL, "--patch", "64", "--batch-size", "2", "--discriminator-width", "4", "--validation", "1", "--quiet"]
FINETUNE = [*SMALL, "--patch", "32", "--batch-size", "1", "--start", "scratch", "--generator", "unet-2-44", "--quiet"]

EVENTS = (
    Started("cpu", "No GPU.", "4 images."),
    Progress(1, 10, {"loss": 0.5}, {"l1": 0.25}, 90.0, 10.0, 3.0),
    Notice("Mind the gap."),
    Progress(2, 10, {"loss": float("nan")}, {}, 80.0, 20.0, 3.0),
    Finished("result"),
)


class Told(NamedTuple):
    """What one command line said."""

    status: int
    out: str
    err: str


Tell = Callable[..., Told]


def refused(told: Told, *parts: str) -> None:
    """Status 2, a line or two on stderr that hold `parts`, nothing on stdout, no traceback, no boxes."""
    assert told.status == 2
    assert told.out == ""
    assert 1 <= len(told.err.splitlines()) <= 2
    assert not set("╭│─╰") & set(told.err)
    assert "Traceback" not in told.err
    for part in parts:
        assert part in told.err


def job_of(*events: Event) -> Job:
    """A job that is nothing but these events."""

    def run(_control: Control) -> Iterator[Event]:
        yield from events

    return Job(run)


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
