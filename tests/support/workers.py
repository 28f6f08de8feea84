"""Other jobs in the place of those of `napari_emssl.worker_jobs`."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from napari_emssl import worker_jobs
from napari_emssl.jobs.events import Job
from napari_emssl.jobs.worker.target import reference_to


def substitute(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., Job[object]]) -> None:
    """Let the worker process call other functions: ``substitute(monkeypatch, finetune=small_jobs.long_training)``."""
    for name, function in functions.items():
        other = reference_to(function)
        reference = replace(getattr(worker_jobs, name), module=other.module, name=other.name)
        monkeypatch.setattr(worker_jobs, name, reference)
