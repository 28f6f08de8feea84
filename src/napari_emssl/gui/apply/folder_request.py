"""A model applied to the image files of a folder, which need not be open in the viewer. No Qt, no viewer."""

from dataclasses import dataclass
from pathlib import Path

from ... import worker_jobs
from ...data.images.user_folder import safe_stem
from ...errors import UserError
from ...formatting import counted
from ...inference.apply_task import FilesDone
from ...jobs.events import Job
from ...jobs.settings import ApplySettings
from ...jobs.worker import client
from ...models.zoo import find_model, load_card
from ..job.request import RunOptions
from .destination import default_folder


@dataclass(frozen=True)
class FolderRequest:
    """A model, a folder of images, and the folder of their results."""

    folder: Path
    """With its sub-folders."""
    results: Path
    model: str
    """Name in the zoo, or path."""
    settings: ApplySettings
    overwrite: bool = False

    @property
    def title(self) -> str:
        """What is worked on, for messages."""
        return f"the images in '{self.folder}'"

    def describe(self) -> str:
        """Say what a run will do."""
        return f"Each image file in '{self.folder}' and its sub-folders gives a TIFF in '{self.results}'."

    def told(self, done: FilesDone, stopped: bool) -> str:
        """Say what there is after the run."""
        beginning = "Stopped" if stopped else "Done"
        failed = f" {counted(len(done.failed), 'image')} could not be used." if done.failed else ""
        where = f"{counted(done.written, 'result')} in '{self.results}'"
        return f"{beginning}: {where}.{failed} Drag files from there into the viewer to look at them."

    def start(self, options: RunOptions) -> Job[FilesDone]:
        """Make the job; called in the worker thread.

        Parameters
        ----------
        options
            Applying has none.

        Raises
        ------
        UserError
            When the model is not there any more.

        """
        model = str(find_model(self.model))
        return client.run(worker_jobs.apply_folder, model, self.folder, self.results, self.settings, self.overwrite)


def folder_request(
    folder: Path | None, model: str | None, settings: ApplySettings, results: Path | None, overwrite: bool
) -> FolderRequest:
    """Resolve what is asked for.

    Parameters
    ----------
    folder
        The images; None where none was chosen.
    model
        Name in the zoo, or path; None where there is no model.
    settings
        How it is applied.
    results
        Where the results go; None: into a folder of their own in that for all results.
    overwrite
        Whether results that are there may be replaced.

    Raises
    ------
    UserError
        When no folder was chosen or it is not there, or when there is no such model, or its file is damaged.

    """
    if folder is None:
        raise UserError("No folder is chosen. Choose the folder of the images.")
    if not folder.is_dir():
        raise UserError(f"There is no folder '{folder}'. Choose the folder of the images.")
    if not model:
        raise UserError("There is no model to apply. Fine-tune one first, or open a model file.")
    own = f"{safe_stem(folder.name, 80)} {safe_stem(load_card(model).name, 60)}"
    return FolderRequest(folder, results or default_folder() / own, model, settings, overwrite)
