"""What a dock asks for, read off the screen once, and how the run of it is called. No Qt."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ...jobs.events import Job, T_co


@dataclass(frozen=True)
class RunOptions:
    """How one run of a request is named and kept; what is computed stands in the request."""

    name: str = ""
    """Name of the model that the run makes; empty where it makes none."""
    autosave: Path | None = None
    """Where the job writes its autosaves; None where it writes none."""
    resume: Path | None = None
    """Autosave to resume from."""

    def resumed(self) -> "RunOptions":
        """Return the options of a second run that resumes from the last autosave of the first."""
        return replace(self, resume=self.autosave)


class Request(Protocol[T_co]):
    """A frozen record of what the user asked for, made on the GUI thread; one class for each dock.

    Whatever is done to layers, files or fields afterwards does not change it, and it can be started more than once.
    """

    def start(self, options: RunOptions) -> Job[T_co]:
        """Make the job; called in a worker thread, so it may read files and take its time.

        Parameters
        ----------
        options
            Name, autosave and resume of this run.

        Raises
        ------
        UserError
            When something that was asked for is not there any more.

        """
