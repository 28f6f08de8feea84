"""Where a training run writes: the flags, checked before any work. Light, so that ``--help`` is fast."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypedDict

from cyclopts import Parameter

from ..errors import UserError
from ..training.file_lock import claimed
from ..training.pretraining.torchrun_env import rank
from .path_checks import Overwrite, Quiet, require_empty_folder, require_existing, require_writable_file


class RunArguments(TypedDict):
    """What both training jobs take beside their data and settings."""

    name: str
    resume: Path | None
    autosave: Path
    licence: str
    command: str


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class TrainingOutput:
    """Where a training run writes."""

    output: Annotated[Path, Parameter(name=("--output", "-o"), help="The model file to write (.safetensors).")]
    overwrite: Overwrite = False
    log: Annotated[Path | None, Parameter(help="Write a log of JSON lines to this file.")] = None
    pictures: Annotated[Path | None, Parameter(help="Write pictures and curves to this folder.")] = None
    resume: Annotated[
        Path | None, Parameter(help="Continue from this autosave of a run that was stopped or crashed.")
    ] = None
    licence: Annotated[str, Parameter(help="Licence of the training images, for the model's card.")] = "unknown"
    quiet: Quiet = False

    def arguments(self) -> RunArguments:
        """Return the arguments of the training job that follow from the flags."""
        return {
            "name": self.output.stem,
            "resume": self.resume,
            "autosave": self.autosave,
            "licence": self.licence,
            "command": shlex.join(["napari-emssl", *sys.argv[1:]]),
        }

    @property
    def autosave(self) -> Path:
        """The file from which the run can be resumed, beside the output."""
        return self.output.with_name(self.output.name + ".autosave")

    @property
    def written(self) -> list[Path]:
        """The files and folders that only this run may write."""
        return [path for path in (self.output, self.log, self.pictures) if path is not None]

    def split_file(self, given: Path | None) -> tuple[Path, bool]:
        """Return where the split is kept, beside the output, and whether that is the one that is given."""
        kept = self.output.parent / f"{self.output.stem}-split.json"
        return kept, given is not None and given.resolve() == kept.resolve()

    def check(self) -> None:
        """Raise `UserError` unless everything can be written, replacing nothing without permission.

        To be called first, so that a second run that would write the same files fails before anything heavy is
        imported.
        """
        with self.held():
            pass

    @contextmanager
    def held(self) -> Iterator[None]:
        """Reserve everything that is written for this run alone; raises `UserError` as `check` does.

        Of processes that `torchrun` started together only the first one writes.
        """
        with claimed(*(self.written if rank() == 0 else [])):
            self._check()
            yield

    def _check(self) -> None:
        require_writable_file(self.output, self.overwrite)
        if self.resume is not None:
            require_existing([self.resume])
        elif self.autosave.exists() and not self.overwrite:
            raise UserError(
                f"'{self.autosave}' was left by an unfinished run. Continue it with --resume '{self.autosave}', "
                "or pass --overwrite to start again."
            )
        if self.log is not None:
            require_writable_file(self.log, self.overwrite or self.resume is not None)
        if self.pictures is not None:
            require_empty_folder(self.pictures, self.overwrite or self.resume is not None)
