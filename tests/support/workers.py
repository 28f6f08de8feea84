"""The process in which a dock's job runs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_emssl.gui.job.runner import Runner


def worker_pid(runner: "Runner") -> int:
    """Number of the process of the job under way."""
    return runner.control._listener.__self__.process.pid
