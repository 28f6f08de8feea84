"""What the models dock asks for: a download, a package, or slow work on files. No Qt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ... import worker_jobs
from ...export.order import Exported, PackageOrder
from ...jobs.events import Control, Finished, Job
from ...jobs.settings import DownloadSettings
from ...jobs.worker import client
from ...models.registry import RemoteModel
from ..job.request import RunOptions

T = TypeVar("T")


@dataclass(frozen=True)
class DownloadRequest:
    """A model of a registry that is to be added to your own models."""

    model: RemoteModel

    def start(self, options: RunOptions) -> Job[Path | None]:
        """Make the job, whose result is the path of the new model, or None when it was stopped.

        It checks size, SHA-256 and card.

        Parameters
        ----------
        options
            A download has none.

        """
        from ...models.download import download  # takes a while to load, and few sessions need it

        return download(self.model.download(), DownloadSettings())


@dataclass(frozen=True)
class PackageRequest:
    """A model that is to be exported as a package of bioimage.io."""

    order: PackageOrder

    def start(self, options: RunOptions) -> Job[Exported]:
        """Make the job, whose result says what was written and what is missing.

        Parameters
        ----------
        options
            An export has none.

        """
        return client.run(worker_jobs.export_package, self.order)


@dataclass(frozen=True)
class FileRequest(Generic[T]):
    """Work on model files of any size, in this process."""

    work: Callable[[], T]

    def start(self, options: RunOptions) -> Job[T]:
        """Make a job of one step, whose result is what `work` returns.

        Parameters
        ----------
        options
            Such work has none.

        """
        return Job(self._events)

    def _events(self, _: Control) -> Iterator[Finished[T]]:
        yield Finished(self.work())
