"""The folder of a reproduction: the plan, and a file for each run that is complete, whoever did it."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ...atomic_files import replacing, sweep_once, write_text
from ...errors import UserError
from ...json_text import parse_json
from .plan import Plan, PlannedRun

PLAN, CELLS, RUNS = "plan.json", "paper.csv", "runs"
_RESTART = "Choose another folder, or pass --overwrite to start again."
_MAY_DIFFER = {"seeds", "title"}
"""Parts of a plan that add runs and change none."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoredStep(_Record):
    """The scores of a run at one moment."""

    step: int
    epoch: float | None
    seconds: float
    loss: float | None
    scores: dict[str, float]


class RunRecord(_Record):
    """A complete run."""

    format: int = 1
    run: str
    """Its name in the plan."""
    planes: tuple[int, int, int]
    """For training, validation and test."""
    data_digest: str
    """Of the targets."""
    images_digest: str = ""
    """Empty in runs of earlier versions."""
    start_digest: str
    device: str
    settings: dict[str, object]
    versions: dict[str, str]
    date: str
    rows: tuple[ScoredStep, ...]

    @property
    def seconds(self) -> float:
        """Time spent on training."""
        return self.rows[-1].seconds if self.rows else 0.0


@dataclass(frozen=True)
class Panel:
    """A test plane, and what a network made of it."""

    image: NDArray[np.generic]
    target: NDArray[np.generic]
    prediction: NDArray[np.generic]


class RunsFolder:
    """Keeps the complete runs of a plan.

    Parameters
    ----------
    folder
        Made when there is something to write.
    plan
        What is run.
    overwrite
        Forget what an earlier reproduction left.

    Raises
    ------
    UserError
        When the folder holds something else, or the runs of another plan.

    """

    def __init__(self, folder: Path, plan: Plan, overwrite: bool = False) -> None:
        self.folder, self.plan = folder, plan
        if folder.is_dir():
            sweep_once(folder)  # a killed run leaves names that are not a plan's
        if not overwrite and folder.is_dir() and any(folder.iterdir()):
            _check_same_plan(folder, plan)
        self._forgets = overwrite

    def prepare(self, cells: str = "") -> None:
        """Write the plan and the paper's cells; runs of an earlier plan go where they are to be forgotten."""
        if self._forgets and (self.folder / PLAN).is_file():
            for path in (self.folder / RUNS).rglob("*"):
                if path.suffix in (".json", ".autosave"):
                    path.unlink()
        self._forgets = False
        write_text(self.folder / PLAN, self.plan.model_dump_json(indent=1), overwrite=True)
        if cells:
            write_text(self.folder / CELLS, cells, overwrite=True)

    @property
    def cells(self) -> str:
        """The paper's cells as CSV; empty where there are none."""
        path = self.folder / CELLS
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def autosave(self, run: PlannedRun) -> Path:
        """Return where a run that is under way keeps its autosave."""
        return self._path(run, ".autosave")

    def is_complete(self, run: PlannedRun) -> bool:
        """Whether a run is there."""
        return not self._forgets and self._path(run, ".json").is_file()

    def missing(self) -> list[PlannedRun]:
        """Return the runs that are not there yet."""
        return [run for run in self.plan.runs() if not self.is_complete(run)]

    def add(self, run: PlannedRun, record: RunRecord, panels: Sequence[Panel]) -> None:
        """Write a complete run; its panels come first, so that a record never lacks them.

        Parameters
        ----------
        run
            Which run of the plan it is.
        record
            Its scores and how it was made.
        panels
            Its pictures.

        Raises
        ------
        UserError
            When the folder cannot be written.

        """
        arrays = {f"{kind}{n}": getattr(panel, kind) for n, panel in enumerate(panels) for kind in _KINDS}
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)
        with replacing(self._path(run, ".npz"), overwrite=True) as temporary:
            temporary.write_bytes(packed.getvalue())
        write_text(self._path(run, ".json"), record.model_dump_json(indent=1), overwrite=True)
        self.autosave(run).unlink(missing_ok=True)

    def check_same(self, run: PlannedRun, targets: str, images: str, start: str) -> None:
        """Check that a run can stand in one table with those that are complete.

        Parameters
        ----------
        run
            About to be done.
        targets, images, start
            Digests of what it is done with.

        Raises
        ------
        UserError
            When complete runs had other images or targets, or began with other weights.

        """
        for other in self.plan.runs():
            if other.data.key != run.data.key or not self.is_complete(other):
                continue
            done = self._read(self._path(other, ".json"))
            if done.data_digest != targets or (images and done.images_digest and done.images_digest != images):
                raise UserError(f"'{self.folder}' holds runs on other images or targets of {run.data.key}. {_RESTART}")
            if (other.start, other.network) == (run.start, run.network) and done.start_digest != start:
                raise UserError(f"'{self.folder}' holds runs of '{run.start.init}' with other weights. {_RESTART}")

    def records(self) -> dict[str, RunRecord]:
        """Return the complete runs of the plan by name.

        Raises
        ------
        UserError
            When a file is damaged.

        """
        return {run.name: self._read(self._path(run, ".json")) for run in self.plan.runs() if self.is_complete(run)}

    def panels(self, run: PlannedRun) -> list[Panel]:
        """Return the panels of a run; none where it is not complete."""
        path = self._path(run, ".npz")
        if not path.is_file():
            return []
        with np.load(path) as arrays:
            count = len(arrays.files) // len(_KINDS)
            return [Panel(*(arrays[f"{kind}{n}"] for kind in _KINDS)) for n in range(count)]

    def _path(self, run: PlannedRun, suffix: str) -> Path:
        return self.folder / RUNS / f"{run.name}{suffix}"

    def _read(self, path: Path) -> RunRecord:
        try:
            return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, OSError) as error:
            raise UserError(f"'{path}' is damaged. Delete it; the same command then repeats its run.") from error


_KINDS = ("image", "target", "prediction")


def _check_same_plan(folder: Path, plan: Plan) -> None:
    """Runs can only be added to those of the same plan."""
    path = folder / PLAN
    if not path.is_file():
        raise UserError(f"Folder '{folder}' is not empty and holds no reproduction. {_RESTART}")
    try:
        before = parse_json(path.read_bytes())
        if not isinstance(before, dict):
            raise ValueError("it is no object")
        changed = [name for name, value in _plain(plan).items() if name not in _MAY_DIFFER and before[name] != value]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"'{path}' is damaged. {_RESTART}") from error
    if changed:
        raise UserError(f"'{folder}' holds the runs of another plan, with other {' and '.join(changed)}. {_RESTART}")


def _plain(plan: Plan) -> dict[str, object]:
    found: dict[str, object] = json.loads(plan.model_dump_json())
    return found
