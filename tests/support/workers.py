"""Other jobs in the place of those of `napari_emssl.worker_jobs`, and the processes that run them."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_emssl import worker_jobs
from napari_emssl.jobs.events import Job
from napari_emssl.jobs.worker.target import reference_to

if TYPE_CHECKING:
    from napari_emssl.gui.job.runner import Runner


def substitute(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., Job[object]]) -> None:
    """Let the worker process call other functions: ``substitute(monkeypatch, finetune=small_jobs.long_training)``."""
    for name, function in functions.items():
        other = reference_to(function)
        reference = replace(getattr(worker_jobs, name), module=other.module, name=other.name)
        monkeypatch.setattr(worker_jobs, name, reference)


def worker_pid(runner: "Runner") -> int:
    """Number of the process of the job under way."""
    return runner.control._listener.__self__.process.pid
