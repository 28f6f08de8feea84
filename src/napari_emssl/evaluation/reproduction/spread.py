"""A plan over several processes of one machine, one for each GPU: each does a part, in a child process of its own."""

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import cast

from ...errors import UserError
from ...formatting import counted
from ...jobs.cluster.parts import Part
from ...jobs.events import Control, Event, Finished, Job, Notice, Progress, Started, Update
from ...jobs.worker import client
from .outputs import Reproduction, write_all
from .plan import Plan
from .reproduce import ReproduceRequest, Stage, reproduce
from .runs_folder import RunsFolder
from .sources import missing_starts

_Told = tuple[int, "Event | BaseException"]
_LOOK_SECONDS = 0.2


def spread(request: ReproduceRequest, devices: Sequence[str]) -> Job[Reproduction]:
    """Do a plan in several processes at once.

    Parameters
    ----------
    request
        As for `reproduce`.
    devices
        One for each process.

    Returns
    -------
    Job
        As of `reproduce`; its `Progress` counts the work of all processes.

    Raises
    ------
    UserError
        From the iteration: what any of the processes raises; the others end their step and are stopped.

    """
    return Job(lambda control: _events(request, devices, control))


def devices_for(device: str, processes: int | None) -> list[str]:
    """Return the device of each process: with ``auto`` as many as there are GPUs, unless a number is asked for.

    Raises
    ------
    UserError
        When there are to be no processes at all.

    """
    import torch

    if processes is not None and processes < 1:
        raise UserError(f"--processes must be at least 1 (got {processes}).")
    gpus = torch.cuda.device_count() if device == "auto" and torch.cuda.is_available() else 0
    count = processes or max(gpus, 1)
    return [f"cuda:{number % gpus}" if gpus > 1 else device for number in range(count)]


def _events(
    request: ReproduceRequest, devices: Sequence[str], control: Control
) -> Iterator[Update | Finished[Reproduction]]:
    file = request.read()
    results = RunsFolder(request.folder, file.plan, request.overwrite)
    results.prepare(file.cells)
    yield Started(", ".join(devices), "", f"{file.plan.title}: in {counted(len(devices), 'process', 'processes')}.")
    waiting: tuple[str, ...] = ()
    for stage in stages_of(request, file.plan):
        if not control.stopped:
            parts = [_part_of(request, number, devices, stage) for number in range(len(devices))]
            waiting = yield from _Processes(parts).events(control)
    table = write_all(results, request.sources, request.command)
    total = len(list(file.plan.runs()))
    complete = total - len(results.missing())
    yield Finished(Reproduction(request.folder, table, complete, total, waiting), control.stopped)


def stages_of(request: ReproduceRequest, plan: Plan) -> tuple[Stage, ...]:
    """Return what is done first and last: a process cannot know when another one has made the starts that it needs."""
    return ("starts", "runs") if missing_starts(plan, request.sources) else ("runs",)


class _Processes:
    """Several parts at once, each in a process of its own."""

    def __init__(self, parts: Sequence[ReproduceRequest]) -> None:
        self._jobs = [client.run(reproduce, part) for part in parts]
        self._told: queue.Queue[_Told] = queue.Queue()
        self._latest: dict[int, Progress] = {}

    def events(self, control: Control) -> Generator[Update, None, tuple[str, ...]]:
        """Yield the progress of all together; returns why runs were left out."""
        for number, job in enumerate(self._jobs):
            name = f"part {number + 1}"
            threading.Thread(target=_drain, args=(number, job, self._told), daemon=True, name=name).start()
        waiting: list[str] = []
        problem: BaseException | None = None
        running = len(self._jobs)
        while running:
            number, event = self._next(control)
            if isinstance(event, Progress):
                self._latest[number] = event
                yield self._together()
            elif isinstance(event, Notice):
                yield event
            elif isinstance(event, BaseException):
                problem, running = problem or event, running - 1
                self._stop()
            elif isinstance(event, Finished):
                running -= 1
                waiting += cast(Reproduction, event.result).waiting
        if problem is not None:
            raise problem
        return tuple(waiting)

    def _next(self, control: Control) -> _Told:
        """Wait for the next event, and pass a stop on meanwhile."""
        while True:
            try:
                return self._told.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if control.stopped:
                    self._stop()

    def _stop(self) -> None:
        for job in self._jobs:
            job.stop()

    def _together(self) -> Progress:
        """Progress of all: what is done of each part, and the time of the one that takes longest."""
        latest = list(self._latest.values())
        left = [one.seconds_left for one in latest if one.seconds_left is not None]
        done = sum(one.fraction for one in latest)
        seconds = max(one.seconds for one in latest)
        return Progress(
            round(1000 * done), 1000 * len(self._jobs), seconds_left=max(left, default=None), seconds=seconds
        )


def _part_of(request: ReproduceRequest, number: int, devices: Sequence[str], stage: Stage) -> ReproduceRequest:
    """Return what one process does: of the part asked for, every so many-th run."""
    whole = request.part
    part = Part(whole.number + number * whole.count, whole.count * len(devices))
    return replace(request, part=part, device=devices[number], stage=stage, draws=False, overwrite=False)


def _drain(number: int, job: Job[Reproduction], told: "queue.Queue[_Told]") -> None:
    """Pass on the events of a process; the last one is `Finished` or an error."""
    try:
        for event in job:
            told.put((number, event))
    except BaseException as error:
        told.put((number, error))
