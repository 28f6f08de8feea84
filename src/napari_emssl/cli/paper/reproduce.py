"""``napari-emssl reproduce``."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..many_machines.flags import Machines
from ..path_checks import Quiet, require_existing, require_writable_folder

if TYPE_CHECKING:
    from ...evaluation.reproduction.outputs import Reproduction
    from ...evaluation.reproduction.reproduce import ReproduceRequest


@Parameter(name="*", group="Runs")
@dataclass(frozen=True)
class RunFlags:
    """Which runs are done, and where."""

    data: Annotated[Path, Parameter(help="The folder that the plan's images are in.")] = Path()
    starts: Annotated[
        Path | None, Parameter(help="The folder of the pretrained starts; default: 'starts' in OUTPUT.")
    ] = None
    seeds: Annotated[int | None, Parameter(help="Runs of each start; default: as many as the plan says.")] = None
    workers: Annotated[int | None, Parameter(help="Processes that make patches; default: as the plan says.")] = None
    device: Annotated[str, Parameter(help="Device: auto, cpu, cuda, cuda:1, mps. auto uses all GPUs.")] = "auto"
    processes: Annotated[
        int | None, Parameter(help="Runs at the same time; default: one for each GPU that auto uses, otherwise one.")
    ] = None


def reproduce(
    plan: Annotated[
        str,
        Parameter(
            help="A plan (TOML file), or the name of one that comes with the program: table2 to table7, or smoke."
        ),
    ],
    /,
    *,
    output: Annotated[
        Path,
        Parameter(name=("--output", "-o"), group="Output", help="The folder to write to, or one to continue in."),
    ],
    dry_run: Annotated[
        bool, Parameter(negative="", help="Print runs, hours and disk for this machine, and do nothing else.")
    ] = False,
    overwrite: Annotated[
        bool, Parameter(negative="", group="Output", help="Start over, whatever the folder holds.")
    ] = False,
    quiet: Quiet = False,
    runs: RunFlags = RunFlags(),
    machines: Machines = Machines(),
) -> int:
    """Run a plan of data sets, networks, starts and seeds, and write its table, figures and page.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When there is no such plan, data or starts are missing, or the folder holds something else.
    """
    require_writable_folder(output)
    if not dry_run:
        require_existing([runs.data])
    from ...evaluation.reproduction.reproduce import ReproduceRequest

    request = ReproduceRequest(
        plan, output, runs.data, runs.starts, runs.seeds, runs.workers, runs.device, machines.part(),
        overwrite=overwrite, command=shlex.join(["napari-emssl", *sys.argv[1:]]),
    )  # fmt: skip
    return _estimate(request, quiet) if dry_run else _reproduce(request, runs, machines.executor, quiet)


def _estimate(request: "ReproduceRequest", quiet: bool) -> int:
    from ...evaluation.reproduction.reproduce import estimate_plan
    from ..progress import run_with_progress

    ending = run_with_progress(estimate_plan(request), "Measuring", quiet=quiet)
    print(ending.result.text())
    return ending.status


def _reproduce(request: "ReproduceRequest", runs: RunFlags, executor: str | None, quiet: bool) -> int:
    from ...evaluation.reproduction.reproduce import reproduce as begin
    from ...evaluation.reproduction.spread import devices_for, spread
    from ..progress import run_with_progress

    devices = devices_for(runs.device, runs.processes)
    job = spread(request, devices) if len(devices) > 1 else begin(request)
    if executor is not None:
        from ...evaluation.reproduction.cluster import reproduce_on_workers

        job = reproduce_on_workers(request, executor)
    ending = run_with_progress(job, "Reproducing", quiet=quiet)
    _report(ending.result)
    if ending.stopped:
        print("Stopped early: complete runs are kept. To continue, run the same command again.")
    return ending.status


def _report(made: "Reproduction") -> None:
    """Print what there is, and what is missing."""
    for sentence in made.waiting:
        print(f"Warning: {sentence}", file=sys.stderr)
    print(f"{made.complete} of {made.total} runs are complete.")
    print(f"Table, figures and {made.folder / 'report.html'} are written.")
