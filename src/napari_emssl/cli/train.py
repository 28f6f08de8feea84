"""A training run in the terminal: run the job, save its model, print what was written."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..atomic_files import remove
from ..errors import UserError
from ..formatting import duration
from ..jobs.events import Event, Job
from ..models.card import named_scores, objects_of
from ..models.model_file import Model, save_model
from .progress import Ending, run_with_progress
from .run_files import TrainingOutput
from .run_log import Pictures, RunLog


def train(job: Job[Model], title: str, output: TrainingOutput) -> int:
    """Run a training job, save its model and print what was written.

    Parameters
    ----------
    job
        The training.
    title
        What the user calls it.
    output
        Where the model, the log and the pictures go; they are reserved for this run.

    Returns
    -------
    int
        Exit status, see `progress.Ending`.

    Raises
    ------
    UserError
        What the job raises, or when the model cannot be saved.
    """
    with output.held():
        try:
            ending = run_with_progress(job, title, quiet=output.quiet, listeners=_listeners(output))
        except Exception:
            if output.autosave.exists():
                print(f"There is an autosave: continue with --resume '{output.autosave}'.", file=sys.stderr)
            raise
        _save_or_rescue(ending.result, output)
        _report(ending, output)
    return ending.status


def _listeners(output: TrainingOutput) -> list[Callable[[Event], None]]:
    resumed = output.resume is not None
    listeners: list[Callable[[Event], None]] = []
    if output.log is not None:
        listeners.append(RunLog(output.log, resumed))
    if output.pictures is not None:
        listeners.append(Pictures(output.pictures, resumed))
    return listeners


def _save_or_rescue(model: Model, output: TrainingOutput) -> None:
    """Save `model`; where that fails save it to a temporary folder, so that the training is not lost."""
    try:
        save_model(model, output.output)
    except UserError as error:
        raise UserError(f"{error} {_rescued(model, output)}") from error


def _rescued(model: Model, output: TrainingOutput) -> str:
    """Save a model elsewhere, and say where it is now."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="napari-emssl-"))
    except OSError:
        return _lost(output)
    try:
        save_model(model, folder / output.output.name)
    except UserError:
        remove(folder)
        return _lost(output)
    return f"The model was saved to '{folder / output.output.name}' instead."


def _lost(output: TrainingOutput) -> str:
    there = output.autosave.exists()
    way = f"Continue from the autosave with --resume '{output.autosave}'." if there else "There is no autosave."
    return f"The model could not be saved to '{tempfile.gettempdir()}' either. {way}"


def _report(ending: Ending[Model], output: TrainingOutput) -> None:
    """Print what was written, and how to continue after a stop."""
    stage = ending.result.card.history[-1]
    scores = ", ".join([f"weights of step {stage.steps}", *named_scores(stage.metrics)])
    print(f"Wrote {output.output}: {scores}; trained for {duration(stage.seconds)}.")
    if objects := objects_of(stage):
        print(objects)
    if output.pictures is not None:
        print(f"Pictures and curves are in {output.pictures}.")
    if not ending.stopped:
        output.autosave.unlink(missing_ok=True)
    elif ending.failure and output.autosave.exists():
        print(f"The autosave '{output.autosave}' is from before the training diverged.")
    elif output.autosave.exists():
        print(f"Stopped early. To continue, run the same command with --resume '{output.autosave}' --overwrite.")
