"""What pretraining and fine-tuning share on the terminal: output flags, checks, the run, saving."""

import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import UserError
from ..jobs.events import Event, Job
from ..models.file import Model, save_model
from .files import require_empty_folder, require_existing, require_writable_file
from .follow import Ending, duration, follow
from .records import Pictures, RunLog


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class TrainingOutput:
    """Where a training run writes."""

    output: Annotated[Path, Parameter(name=("--output", "-o"), help="The model file to write (.safetensors).")]
    overwrite: Annotated[bool, Parameter(negative="", help="Replace files that are there.")] = False
    log: Annotated[Path | None, Parameter(help="Write a log of JSON lines to this file.")] = None
    pictures: Annotated[Path | None, Parameter(help="Write pictures and curves to this folder.")] = None
    resume: Annotated[
        Path | None, Parameter(help="Go on from this autosave of a run that was stopped or that died.")
    ] = None
    quiet: Annotated[bool, Parameter(negative="", help="Show warnings only.")] = False

    @property
    def autosave(self) -> Path:
        """The file a run is resumed from, beside the output."""
        return self.output.with_name(self.output.name + ".autosave")

    def check(self) -> None:
        """Raise `UserError` unless everything can be written without replacing what nobody gave up."""
        require_writable_file(self.output, self.overwrite)
        if self.resume is not None:
            require_existing([self.resume])
        elif self.autosave.exists() and not self.overwrite:
            raise UserError(
                f"'{self.autosave}' is what an unfinished run left. Go on with --resume '{self.autosave}', "
                "or pass --overwrite to start anew."
            )
        if self.log is not None:
            require_writable_file(self.log, self.overwrite or self.resume is not None)
        if self.pictures is not None:
            require_empty_folder(self.pictures, self.overwrite or self.resume is not None)


def command_line() -> str:
    """Return the command as typed, for the model's card."""
    return shlex.join(["napari-emssl", *sys.argv[1:]])


def train(job: Job, title: str, output: TrainingOutput) -> int:
    """Run a training job, save its model and say what came of it; returns the exit status."""
    listeners: list[Callable[[Event], None]] = [_FolderMaker(output.output.parent)]
    if output.log is not None:
        listeners.append(RunLog(output.log, append=output.resume is not None))
    if output.pictures is not None:
        listeners.append(Pictures(output.pictures))
    ending = follow(job, title, quiet=output.quiet, listeners=listeners)
    save_or_rescue(ending.result, output.output)
    _report(ending, output)
    return ending.status


def save_or_rescue(model: Model, path: Path) -> None:
    """Save `model`; where that fails keep it in the temporary folder, so that the training is not lost."""
    try:
        save_model(model, path)
    except UserError as error:
        rescue = Path(tempfile.mkdtemp(prefix="napari-emssl-")) / path.name
        save_model(model, rescue)
        raise UserError(f"{error} The model is in '{rescue}' meanwhile.") from error


def _report(ending: Ending, output: TrainingOutput) -> None:
    """Print what was written, and how to go on after a stop."""
    stage = ending.result.card.history[-1]
    scores = "".join(f", validation {name} {value:.4g}" for name, value in stage.metrics.items())
    print(f"Wrote {output.output} ({stage.steps} steps in {duration(stage.seconds)}{scores}).")  # noqa: T201
    if output.pictures is not None:
        print(f"Pictures and curves are in {output.pictures}.")  # noqa: T201
    if not ending.stopped:
        output.autosave.unlink(missing_ok=True)
    elif output.autosave.exists():
        print(f"Stopped early. To go on: the same command with --resume '{output.autosave}' --overwrite.")  # noqa: T201


class _FolderMaker:
    """Makes the folder of the output as soon as the job tells anything, that is when its input was fine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, _event: Event) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
