"""The plan of an experiment: data sets, networks, starts and seeds, read from one TOML file. Imports no torch."""

import csv
import io
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...errors import UserError
from ...jobs.compare_settings import CompareSettings
from ...jobs.pretrain_settings import PretrainSettings
from ...jobs.settings import TrainTask

SUFFIX = ".toml"
SCRATCH = "scratch"
_PLANS = resources.files(__package__) / "plans"

Label = Annotated[str, Field(pattern=r"^\.*[\w +&()-][\w .+&()-]*$", max_length=100)]
"""A name that can be part of a file's name."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedData(_Record):
    """Images with targets; paths are relative to the folder of the data."""

    dataset: Label
    task: TrainTask = "segment"
    label: Label | None = None
    """What the task is called in the table, where a data set has several."""
    images: str
    targets: str
    split: str | None = None
    """A file of parts; by default shares, or what names of files tell."""
    planes: tuple[int, int, int] | None = None
    """How many planes are for training, validation and test, for an estimate where the data are not here."""
    settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """What distinguishes it in the plan."""
        return f"{self.dataset} {self.label}" if self.label else self.dataset


class PlannedNetwork(_Record):
    """A network and what it is called in the table."""

    model: Label
    generator: str
    width: int | None = None
    refine: bool = False
    norm: Literal["batch", "instance"] = "batch"
    blocks: int | None = None
    rf: int | None = None


class PlannedStart(_Record):
    """A column of the table: where weights come from."""

    init: Label
    file: str | None = None
    """Relative to the folder of the starts; ``{generator}`` stands for the network's. None: random weights."""
    images: int | None = None
    """On how many images the start was pretrained, or is to be."""

    def file_for(self, network: PlannedNetwork) -> str | None:
        """Return the name of the file for a network."""
        return None if self.file is None else self.file.replace("{generator}", network.generator)

    @field_validator("file")
    @classmethod
    def _is_inside(cls, file: str | None) -> str | None:
        """A start that is missing is written there, so it must not be elsewhere."""
        if file is not None:
            path = PureWindowsPath(file)  # it takes both kinds of slashes
            if path.drive or path.root or ".." in path.parts:
                raise ValueError(f"'{file}' is not in the folder of the starts; name a file in it")
        return file


class PlannedPretraining(_Record):
    """How starts that are missing are made."""

    images: str
    """Relative to the folder of the data."""
    settings: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class PlannedRun:
    """One fine-tuning."""

    data: PlannedData
    network: PlannedNetwork
    start: PlannedStart
    seed: int

    @property
    def name(self) -> str:
        """Path-like, unique in the plan."""
        return f"{self.data.key}/{self.network.model}/{self.start.init}/seed {self.seed}"


class Plan(_Record):
    """An experiment."""

    title: str
    table: Label
    """Name of the table, and of its file."""
    paper: str | None = None
    """A CSV with the paper's cells, beside the plan."""
    seeds: int = Field(1, ge=1, le=1000)
    seed: int = Field(0, ge=0, le=10**19)
    panels: int = Field(3, ge=0, le=1000)
    """Test images of which predictions are kept and drawn."""
    settings: dict[str, Any] = Field(default_factory=lambda: {"recipe": "paper"})
    """Of every fine-tuning, see `CompareSettings`."""
    data: tuple[PlannedData, ...] = Field(min_length=1)
    networks: tuple[PlannedNetwork, ...] = Field(min_length=1)
    starts: tuple[PlannedStart, ...] = Field(min_length=1)
    pretraining: PlannedPretraining | None = None

    @model_validator(mode="after")
    def _is_sound(self) -> "Plan":
        for what, names in (
            ("data sets", [one.key for one in self.data]),
            ("networks", [one.model for one in self.networks]),
            ("starts", [one.init for one in self.starts]),
        ):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"two {what} are called '{twice}'")
        for one in self.data:
            self.settings_of(one)
        if self.pretraining:
            self.pretrain_settings(self.networks[0], self.starts[0])
        return self

    def settings_of(self, data: PlannedData, **changes: object) -> CompareSettings:
        """Return the settings of all runs on a data set; what the data set says counts before what the plan says."""
        shared = {"recipe": "paper", "zero": "background"} | self.settings
        return CompareSettings.model_validate(shared | data.settings | {"task": data.task} | changes)

    def pretrain_settings(self, network: PlannedNetwork, start: PlannedStart, **changes: object) -> PretrainSettings:
        """Return the settings by which a start is made.

        Parameters
        ----------
        network
            Its network.
        start
            It says on how many images.
        **changes
            Where it is made.

        """
        own = {"generator": network.generator, "width": network.width, "refine": network.refine, "norm": network.norm}
        own["images"] = start.images
        shared = self.pretraining.settings if self.pretraining else {}
        return PretrainSettings.model_validate(shared | own | changes)

    def runs(self) -> Iterator[PlannedRun]:
        """Yield all runs: whatever belongs together in the table follows one another."""
        for data in self.data:
            for network in self.networks:
                for seed in range(self.seed, self.seed + self.seeds):
                    yield from (PlannedRun(data, network, start, seed) for start in self.starts)

    def run_called(self, name: str) -> PlannedRun:
        """Return the run of this name."""
        return next(run for run in self.runs() if run.name == name)


@dataclass(frozen=True)
class PlanFile:
    """A plan with the paper's cells."""

    plan: Plan
    cells: str
    """The paper's table as CSV; empty where there is none."""


def shipped_plans() -> list[str]:
    """Return the names of the plans that ship."""
    return sorted(item.name.removesuffix(SUFFIX) for item in _PLANS.iterdir() if item.name.endswith(SUFFIX))


def read_plan(named: Path | str) -> PlanFile:
    """Read a plan by its name or from a file.

    Raises
    ------
    UserError
        When there is none, or it is no plan; the text says where and why.

    """
    path = Path(named)
    if str(named) in shipped_plans():
        return _parsed((_PLANS / f"{named}{SUFFIX}").read_text(encoding="utf-8"), str(named), _PLANS.joinpath)
    if not path.is_file():
        raise UserError(
            f"There is no plan '{named}'. Give a TOML file, or the name of one that comes with the program: "
            f"{', '.join(shipped_plans())}."
        )
    try:
        return _parsed(path.read_text(encoding="utf-8"), str(path), path.parent.joinpath)
    except (UnicodeDecodeError, RecursionError, OSError) as error:
        raise UserError(f"The plan '{named}' cannot be read ({type(error).__name__}). Give a TOML file.") from error


def _parsed(text: str, name: str, beside: Any) -> PlanFile:
    try:
        plan = Plan.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"The plan '{name}' is not TOML: {error}.") from error
    except ValidationError as error:
        raise UserError(f"The plan '{name}' cannot be used: {_first(error)}.") from error
    cells = beside(plan.paper) if plan.paper else None
    if cells is not None and not cells.is_file():
        raise UserError(
            f"The plan '{name}' names the file '{plan.paper}' of the paper's cells, which is not in its folder."
        )
    text = cells.read_text(encoding="utf-8") if cells is not None else ""
    paper_cells(text)  # what is wrong with them is said now and not after all runs
    return PlanFile(plan, text)


class PaperCell(NamedTuple):
    """A cell of a table of the paper."""

    dataset: str
    task: str
    """Empty where the table has one task."""
    model: str
    init: str
    epoch: float
    value: float | None
    """None where it cannot be read in the paper."""
    flag: str


def paper_cells(text: str) -> list[PaperCell]:
    """Return the cells of a CSV; raises `UserError` where columns are missing or what should be numbers is none."""
    try:
        return [_cell(line) for line in csv.DictReader(io.StringIO(text))]
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(
            f"The paper's cells cannot be read ({error}). They are a CSV with the columns dataset, model, init, epoch, "
            "and dice or l1."
        ) from error


def _cell(line: dict[str, str]) -> PaperCell:
    value = line.get("dice", line.get("l1", ""))
    return PaperCell(
        line["dataset"], line.get("task", ""), line["model"], line["init"], float(line["epoch"]),
        float(value) if value else None, line.get("flag", ""),
    )  # fmt: skip


def _first(error: ValidationError) -> str:
    """Say what is wrong first, and where."""
    detail = error.errors()[0]
    place = ".".join(str(part) for part in detail["loc"])
    text = re.sub(r"^Value error, ", "", str(detail["msg"]))
    return f"{place}: {text}" if place else text
