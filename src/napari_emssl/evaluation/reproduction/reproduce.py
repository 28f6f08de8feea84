"""A plan as one job: what is missing of it is done, one run after the other, and everything is written."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...errors import UserError
from ...formatting import counted, duration
from ...jobs.cluster.parts import Part
from ...jobs.devices import choose_device
from ...jobs.events import Control, Finished, Job, Started, Update
from ...jobs.meter import Meter
from ...jobs.settings import DeviceSettings
from .estimate import PlanEstimate, estimate, kind_of
from .outputs import Reproduction, write_all, write_tables
from .plan import PlanFile, PlannedRun, read_plan
from .runner import PlanRunner
from .runs_folder import RunsFolder
from .sources import PlannedMaking, Sources, planned_makings

Stage = Literal["all", "starts", "runs"]
"""What is done: starts that are missing, runs, or one after the other."""


@dataclass(frozen=True)
class ReproduceRequest:
    """What is to be reproduced, and how."""

    plan: str | Path
    """Its name or its file."""
    folder: Path
    data: Path = Path()
    """The folder that paths of images are relative to."""
    starts: Path | None = None
    """That of the starts; by default ``starts`` in `folder`."""
    seeds: int | None = None
    """Runs of each start; None: as many as the plan says."""
    workers: int | None = None
    """Processes that make patches; None: as many as the plan says."""
    device: str = "auto"
    part: Part = field(default_factory=Part)
    stage: Stage = "all"
    overwrite: bool = False
    draws: bool = True
    """Whether figures and the page are written at the end; of several processes only one does so."""
    measures: bool = True
    """Whether steps are timed first, for the time that is left; of a part on a worker nobody would see it."""
    command: str = ""

    @property
    def sources(self) -> Sources:
        """Where data and starts are."""
        return Sources(self.data, self.starts or self.folder / "starts")

    def read(self) -> PlanFile:
        """Return the plan with what was asked for beside it.

        Raises
        ------
        UserError
            As `read_plan` does, and where a part is to start over: its runs lie beside those of the others.
        """
        if self.overwrite and self.part.count > 1:
            raise UserError(
                "With --shard, --overwrite would delete the runs of the other parts. Choose another folder, or empty "
                "this one before the first part is started."
            )
        found = read_plan(self.plan)
        changes: dict[str, object] = {} if self.seeds is None else {"seeds": self.seeds}
        if self.workers is not None:
            changes["settings"] = found.plan.settings | {"workers": self.workers}
        return PlanFile(found.plan.model_copy(update=changes), found.cells)


def reproduce(request: ReproduceRequest) -> Job[Reproduction]:
    """Do what is missing of a plan, and write its table, figures and page.

    Starts that are missing are pretrained first, where the plan says how. Each complete run is a file of its own; the
    same request goes on where it was stopped, in the middle of a run too. Several machines that share the folder each
    do a part.

    Parameters
    ----------
    request
        Plan, folders, device and part.

    Returns
    -------
    Job
        Its `Progress` counts seconds of work, as they were estimated; its result is what there is then.

    Raises
    ------
    UserError
        From the iteration: no such plan, data or starts that cannot be used, a folder that holds something else.

    """
    return Job(lambda control: _Reproducing(request).events(control))


def estimate_plan(request: ReproduceRequest) -> Job[PlanEstimate]:
    """Measure what is missing of a plan, without doing it.

    Parameters
    ----------
    request
        As for `reproduce`.

    Returns
    -------
    Job
        Its result is the estimate for the part asked for.

    Raises
    ------
    UserError
        As for `reproduce`.

    """

    def events(control: Control) -> Iterator[Update | Finished[PlanEstimate]]:
        reproducing = _Reproducing(request, on_paper=True)
        found = yield from reproducing.estimated(Meter())
        yield Finished(found, control.stopped)

    return Job(events)


class _Reproducing:
    """A plan under way."""

    def __init__(self, request: ReproduceRequest, on_paper: bool = False) -> None:
        file = request.read()
        self._request, self._plan, self._cells = request, file.plan, file.cells
        self._sources = request.sources
        self._results = RunsFolder(request.folder, self._plan, request.overwrite)
        self._runner = PlanRunner(self._plan, self._sources, self._results, DeviceSettings(device=request.device))
        makings = planned_makings(self._plan, self._sources, on_paper)
        mine_to_make = [] if request.stage == "runs" else request.part.of(makings)
        self._makings = [making for making in mine_to_make if not making.output.exists()]
        mine = [] if request.stage == "starts" else request.part.of(list(self._plan.runs()))
        self._missing = [run for run in mine if not self._results.is_complete(run)]
        self._to_be_made = {making.output for making in makings if not making.output.exists()}

    def estimated(self, meter: Meter) -> Generator[Update, None, PlanEstimate]:
        """Measure what is missing, if anybody wants to know."""
        if not self._request.measures:
            return PlanEstimate("", ())
        opened = {}
        for data in {run.data.key: run.data for run in self._missing}.values():
            if self._sources.images(data).exists() and self._sources.targets(data).exists():
                opened[data.key] = self._runner.experiment(data).data
        found = estimate(self._plan, self._sources, self._missing, self._makings, self._request.device, opened)
        for one in found:
            if isinstance(one, PlanEstimate):
                return one
            yield meter.progress(one, 1.0)
        raise AssertionError("an estimate comes last")

    def events(self, control: Control) -> Iterator[Update | Finished[Reproduction]]:
        """Do what is missing; yields the events of the job."""
        self._require_something()
        device = choose_device(DeviceSettings(device=self._request.device))
        known = yield from self.estimated(Meter())
        total = len(list(self._plan.runs()))
        yield Started(device.label, device.reason, self._summary(known, total))
        self._results.prepare(self._cells)
        waiting = yield from self._do(known, control)
        draws, command = self._request.draws, self._request.command
        table = write_all(self._results, self._sources, command) if draws else write_tables(self._results)
        complete = total - len(self._results.missing())
        yield Finished(Reproduction(self._request.folder, table, complete, total, waiting), control.stopped)

    def _require_something(self) -> None:
        """Raise `UserError` when no run can be done and none is there."""
        able = [run for run in self._missing if not self._lacks(run)]
        if self._missing and not able and not any(self._results.is_complete(run) for run in self._plan.runs()):
            lacking = " and ".join(f"'{path}'" for path in self._sources.lacks(self._missing[0]))
            raise UserError(
                f"No run of the plan can be done: there is no {lacking}. Say where data and starts are "
                "(--data, --starts)."
            )

    def _lacks(self, run: PlannedRun) -> list[Path]:
        """What a run needs that is neither there nor made, by this job or on other machines."""
        return [path for path in self._sources.lacks(run) if path not in self._to_be_made]

    def _do(self, known: PlanEstimate, control: Control) -> Generator[Update, None, tuple[str, ...]]:
        """Make starts, then do runs; returns why some could not be done."""
        meter, done = Meter(), 0.0
        works: list[tuple[PlannedMaking | PlannedRun, float]] = [
            *((making, known.seconds_of(making.name)) for making in self._makings),
            *((run, known.seconds_of(kind_of(run))) for run in self._missing),
        ]
        total, left_out = sum(seconds for _, seconds in works), dict[str, int]()
        for work, seconds in works:
            if isinstance(work, PlannedRun) and (lacking := self._sources.lacks(work)):
                left_out[str(lacking[0])] = left_out.get(str(lacking[0]), 0) + 1
                done += seconds
                continue
            for share in self._shares(work, control):
                yield from meter.tick(done + share * seconds, total)
            if control.stopped:
                break
            done += seconds
            if isinstance(work, PlannedRun):
                write_tables(self._results)
        return tuple(f"{counted(count, 'run')} left out: '{path}' is missing." for path, count in left_out.items())

    def _shares(self, work: PlannedMaking | PlannedRun, control: Control) -> Iterator[float]:
        """Do one thing, and say how much of it is done."""
        if isinstance(work, PlannedRun):
            return self._runner.fine_tune(work, control)
        return self._runner.pretrain(work, control)

    def _summary(self, known: PlanEstimate, total: int) -> str:
        """Say what is about to be done."""
        part = self._request.part
        mine = f", part {part.number} of {part.count}" if part.count > 1 else ""
        complete = total - len(self._results.missing())
        kept = f", {complete} of them complete already" if complete else ""
        left = f"about {duration(known.hours * 3600)} for {len(self._missing)} of them"
        return f"{self._plan.title}: {counted(total, 'run')}{kept}{mine}; {left}."
