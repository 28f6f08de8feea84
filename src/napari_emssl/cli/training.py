"""A training run on the terminal: follow the job, save its model, say what came of it."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError
from ..jobs.events import Event, Job
from ..jobs.wording import duration
from ..models.file import Model, save_model
from .follow import Ending, follow
from .output import TrainingOutput
from .records import Pictures, RunLog


def train(job: Job, title: str, output: TrainingOutput) -> int:
    """Run a training job, save its model and say what came of it; returns the exit status."""
    listeners: list[Callable[[Event], None]] = [_FolderMaker(output.output.parent)]
    if output.log is not None:
        listeners.append(RunLog(output.log, append=output.resume is not None))
    if output.pictures is not None:
        listeners.append(Pictures(output.pictures))
    try:
        ending = follow(job, title, quiet=output.quiet, listeners=listeners)
    except Exception:
        if output.autosave.exists():
            print(f"An autosave is there: go on with --resume '{output.autosave}'.", file=sys.stderr)
        raise
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
    print(f"Wrote {output.output}: weights of step {stage.steps}{scores}; trained for {duration(stage.seconds)}.")
    if output.pictures is not None:
        print(f"Pictures and curves are in {output.pictures}.")
    if not ending.stopped:
        output.autosave.unlink(missing_ok=True)
    elif output.autosave.exists():
        print(f"Stopped early. To go on: the same command with --resume '{output.autosave}' --overwrite.")


class _FolderMaker:
    """Makes the folder of the output as soon as the job tells anything, that is when its input was fine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, _event: Event) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
