"""Where the data and starts of a plan are, and what a run needs that is not there."""

from dataclasses import dataclass
from pathlib import Path

from .plan import Plan, PlannedData, PlannedNetwork, PlannedRun, PlannedStart


@dataclass(frozen=True)
class Sources:
    """The folders that the paths of a plan are relative to."""

    data: Path
    starts: Path

    def images(self, data: PlannedData) -> Path:
        """Return where the images of a data set are."""
        return self.data / data.images

    def targets(self, data: PlannedData) -> Path:
        """Return where their targets are."""
        return self.data / data.targets

    def split(self, data: PlannedData) -> Path | None:
        """Return the file that divides them, if there is one."""
        return None if data.split is None else self.data / data.split

    def start(self, start: PlannedStart, network: PlannedNetwork) -> Path | None:
        """Return the file that a start is, or is to be; None for random weights."""
        name = start.file_for(network)
        return None if name is None else self.starts / name

    def lacks(self, run: PlannedRun) -> list[Path]:
        """Return what a run needs that is not there."""
        needed = [
            self.images(run.data),
            self.targets(run.data),
            self.split(run.data),
            self.start(run.start, run.network),
        ]
        return [path for path in needed if path is not None and not path.exists()]


@dataclass(frozen=True)
class PlannedMaking:
    """A start that is made by pretraining."""

    network: PlannedNetwork
    start: PlannedStart
    output: Path

    @property
    def name(self) -> str:
        """Path-like, unlike that of any run."""
        return f"pretraining/{self.network.model}/{self.start.init}"


def planned_makings(plan: Plan, sources: Sources, on_paper: bool = False) -> list[PlannedMaking]:
    """Return the starts that can be made, there or not: the plan says how, and the images are there.

    Parameters
    ----------
    plan
        Says how starts are made.
    sources
        Where images and starts are.
    on_paper
        Whether the images need not be there.

    """
    if plan.pretraining is None or not (on_paper or (sources.data / plan.pretraining.images).exists()):
        return []
    found = []
    for start in plan.starts:
        for network in plan.networks:
            output = sources.start(start, network)
            if output is not None and start.images is not None:
                found.append(PlannedMaking(network, start, output))
    return found


def missing_starts(plan: Plan, sources: Sources) -> list[PlannedMaking]:
    """Return the starts that can be made and are not there yet."""
    return [making for making in planned_makings(plan, sources) if not making.output.exists()]
