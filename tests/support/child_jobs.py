"""Small jobs for `jobs/worker/test_client.py`, run in a worker process that has only numpy."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import wraps
from pathlib import Path

import numpy as np

from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Control, Event, Finished, Job, Notice, Preview, Progress, Started


def job(events):
    """Turn ``events(control, ...)`` into a function that returns a `Job`."""

    @wraps(events)
    def verb(*args, **kwargs) -> Job:
        return Job(lambda control: events(control, *args, **kwargs))

    return verb


@job
def every_event(control: Control, image: np.ndarray) -> Iterator[Event]:
    yield Started("cpu", "No GPU here.", "One image.")
    yield Progress(1, 2, {"loss": 0.5})
    yield Preview({"image": image, "small": image[:2, :2]}, step=1)
    yield Notice("Read me.")
    yield Progress(2, 2, {"loss": np.float32(0.25)}, {"l1": 0.1}, 0.0, 1.5, 3.0)
    yield Finished({"sum": image.sum(), "image": image})


@job
def echo(control: Control, *args, autosave=None, **kwargs) -> Iterator[Event]:
    yield Finished((args, kwargs))


@job
def count(control: Control, steps: int, seconds: float = 0.01) -> Iterator[Event]:
    """Count until stopped; previews show the plane asked for."""
    for step in range(1, steps + 1):
        control.wait_while_paused()
        if control.stopped:
            break
        time.sleep(seconds)
        yield Progress(step, steps, {"loss": 1 / step}, {"l1": 1 / step} if step % 50 == 0 else {})
        if control.view is not None:
            yield Preview({"plane": control.view * 2}, step)
    yield Finished(step, control.stopped)


@job
def fast_previews(control: Control, number: int) -> Iterator[Event]:
    for step in range(number):
        yield Preview({"plane": np.full((64, 64), step, np.float32)}, step)
    yield Finished(number)


@job
def note_steps(control: Control, steps: int, file: Path) -> Iterator[Event]:
    """Go as fast as the events are taken, and write down how far."""
    for step in range(1, steps + 1):
        file.write_text(str(step))
        yield Progress(step, steps, metrics={"l1": 1 / step} if step % 50 == 0 else {})
    yield Finished(steps)


@job
def previews_until_stopped(control: Control, file: Path) -> Iterator[Event]:
    while not control.stopped:
        yield Preview({"plane": np.zeros((64, 64), np.float32)})
    file.write_text("stopped cleanly")
    yield Finished(None, True)


@job
def exit_hard(control: Control, code: int, autosave=None) -> Iterator[Event]:
    yield Started("cpu")
    time.sleep(0.2)  # let the event out
    print("last words", file=sys.stderr)  # noqa: T201
    os._exit(code)


@job
def kill_itself(control: Control, number: int = signal.SIGKILL, autosave=None) -> Iterator[Event]:
    yield Started("cpu")
    time.sleep(0.2)
    os.kill(os.getpid(), number)
    time.sleep(10)
    yield Finished(None)


@job
def die_with_helper(control: Control, file: Path) -> Iterator[Event]:
    """Die while a forked helper, whose number is in `file`, keeps this end of the pipe open."""
    yield Started("cpu")
    time.sleep(0.2)
    helper = os.fork()
    if helper == 0:
        time.sleep(200)
    file.write_text(str(helper))
    os._exit(3)


@job
def fail(control: Control) -> Iterator[Event]:
    yield Started("cpu")
    raise ZeroDivisionError("not by zero")


@job
def starve(control: Control) -> Iterator[Event]:
    yield Started("cpu")
    raise MemoryError


@job
def refuse(control: Control) -> Iterator[Event]:
    yield Started("cpu")
    raise UserError("No pixel is painted. Paint one.")


def refuse_at_once() -> Job:
    raise UserError("There is no image. Open one.")


@job
def deaf(control: Control, autosave=None) -> Iterator[Event]:
    """Never look at the control."""
    yield Progress(1, None)
    time.sleep(30)
    yield Finished(None)


@job
def chatty(control: Control) -> Iterator[Event]:
    print("x" * 200_000)  # noqa: T201
    os.write(1, b"raw bytes \xff\n")
    yield Finished("quiet")
    print("after the end")  # noqa: T201


@job
def mean_of_planes(control: Control, planes) -> Iterator[Event]:
    yield Started("cpu", summary=f"{type(planes).__name__} {planes.shape} {planes.dtype} {planes.ndim}")
    for i in range(len(planes)):
        yield Progress(i + 1, len(planes), metrics={"mean": float(planes[i].mean())})
    yield Finished(np.asarray(planes[-1]))


@job
def all_of(control: Control, lazy) -> Iterator[Event]:
    yield Finished([np.asarray(lazy), lazy[1:3, ::2], sum(plane.sum() for plane in lazy)])


@job
def large_result(control: Control, shape: tuple[int, ...]) -> Iterator[Event]:
    yield Finished(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape))


@job
def fill(control: Control, out: np.ndarray) -> Iterator[Event]:
    out[:] = 7
    yield Finished(out)


@job
def loaded(control: Control, module: str) -> Iterator[Event]:
    yield Finished((module in sys.modules, os.getpid()))


@job
def unpicklable(control: Control) -> Iterator[Event]:
    yield Finished(lambda: None)


@job
def pid_and_wait(control: Control, file: Path) -> Iterator[Event]:
    """Write down the process, then train on until stopped."""
    yield Started("cpu", summary=str(os.getpid()))
    while not control.stopped:
        time.sleep(0.01)
    file.write_text("stopped cleanly")
    yield Finished(None, True)
