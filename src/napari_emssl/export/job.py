"""A package of bioimage.io written as a job: for the viewer, whose own process imports no torch."""

from collections.abc import Iterator

from ..jobs.events import Control, Finished, Job
from .bioimageio import export_bioimageio
from .order import Exported, PackageOrder


def export_package(order: PackageOrder) -> Job[Exported]:
    """Write a model as a package of bioimage.io, in one step that cannot be stopped."""

    def events(_: Control) -> Iterator[Finished[Exported]]:
        yield Finished(export_bioimageio(order))

    return Job(events)
