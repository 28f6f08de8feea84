"""A plan over the workers of a Dask scheduler, which share the folders of data, starts and results."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from ...errors import UserError
from ...formatting import counted
from ...jobs.cluster.dask_scheduler import require_workers, run_on_workers
from ...jobs.cluster.parts import Part
from ...jobs.events import Control, Finished, Job, Notice, Started, Update
from ...jobs.meter import Meter
from .outputs import Reproduction, write_all
from .plan import Plan, shipped_plans
from .reproduce import ReproduceRequest, Stage, reproduce
from .runs_folder import RunsFolder
from .sources import planned_makings
from .spread import stages_of


def reproduce_on_workers(request: ReproduceRequest, address: str) -> Job[Reproduction]:
    """Do a plan on a cluster: every run, and every start that is missing, is one task.

    What is complete is a file in the folder, so a plan that was stopped goes on, and a run whose worker died goes on
    from its autosave on another one.

    Parameters
    ----------
    request
        As for `reproduce`; its folders are the same on all machines.
    address
        ``dask://HOST:PORT`` of the scheduler.

    Returns
    -------
    Job
        As of `reproduce`; its `Progress` counts runs.

    Raises
    ------
    UserError
        From the iteration: no scheduler or workers, a folder that holds something else, or nothing could be done.

    """
    return Job(lambda control: _events(request, address, control))


def do_part(request: ReproduceRequest) -> tuple[str, ...]:
    """Do a part of a plan on a worker; returns why runs were left out."""
    return reproduce(request).result().waiting


def _events(request: ReproduceRequest, address: str, control: Control) -> Iterator[Update | Finished[Reproduction]]:
    require_workers(address)
    file = request.read()
    results = RunsFolder(request.folder, file.plan, request.overwrite)
    results.prepare(file.cells)
    yield Started(address, "", f"{file.plan.title}: {counted(len(results.missing()), 'run')} to do.")
    failures: list[str] = []
    for stage in stages_of(request, file.plan):
        failures = yield from _stage(_parts(request, file.plan, results, stage), address, control)
        yield from map(Notice, dict.fromkeys(failures))
    total = len(list(file.plan.runs()))
    complete = total - len(results.missing())
    if failures and not complete:
        raise UserError(f"No run could be done. {failures[0]}")
    table = write_all(results, request.sources, request.command)
    stopped = control.stopped and complete < total
    yield Finished(Reproduction(request.folder, table, complete, total), stopped)


def _stage(parts: list[ReproduceRequest], address: str, control: Control) -> Generator[Update, None, list[str]]:
    """Let workers do parts; returns what failed, and why runs were left out."""
    meter, failures = Meter(), list[str]()
    for number, done in enumerate(run_on_workers(address, do_part, parts, control) if parts else (), 1):
        failures += [done.failure] if done.failure else list(done.result or ())
        yield from meter.tick(number, len(parts))
    return failures


def _parts(request: ReproduceRequest, plan: Plan, results: RunsFolder, stage: Stage) -> list[ReproduceRequest]:
    """Return a request for each run that is not complete, or each start that is not there."""
    if stage == "starts":
        missing = [not making.output.exists() for making in planned_makings(plan, request.sources)]
    else:
        missing = [not results.is_complete(run) for run in plan.runs()]
    named = request.plan if str(request.plan) in shipped_plans() else Path(request.plan).resolve()
    shared = replace(
        request, plan=named, folder=request.folder.resolve(), data=request.data.resolve(),
        starts=request.sources.starts.resolve(), stage=stage, draws=False, measures=False, overwrite=False,
    )  # fmt: skip
    return [replace(shared, part=Part(n, len(missing))) for n, wanted in enumerate(missing, 1) if wanted]
