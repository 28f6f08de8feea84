"""A package of bioimage.io written as a job: for the viewer, whose own process imports no torch."""

from collections.abc import Iterator
from pathlib import Path

from ..jobs.events import Control, Finished, Job
from .bioimageio import export_bioimageio
from .credits import Credits


def export_package(model: str, folder: Path, parties: Credits, sample: Path | None = None) -> Job[str]:
    """Write a model as a package of bioimage.io, in one step that cannot be stopped.

    Parameters
    ----------
    model
        Its name in the zoo, or its file.
    folder
        Where the package is written; it is made, and must be empty if it is there.
    parties
        Authors, licence, citations.
    sample
        An image file to test the package with; None simulates one.

    Returns
    -------
    Job
        Its result is a sentence or two: what was written, and what is still to be said before it can be published.

    """

    def events(_: Control) -> Iterator[Finished[str]]:
        yield Finished(export_bioimageio(model, folder, parties, sample).describe())

    return Job(events)
