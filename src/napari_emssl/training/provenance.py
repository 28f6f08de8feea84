"""What a job writes into the history of the model it makes."""

import platform
from datetime import UTC, datetime
from importlib import metadata

from .. import __version__
from ..jobs.settings import Settings
from ..models.model_file import Stage
from .learner import TrainingSummary


def stage(
    job: str, settings: Settings, data: dict[str, object], summary: TrainingSummary, start: str | None, command: str
) -> Stage:
    """Return the record of one finished training stage.

    Parameters
    ----------
    job
        ``pretrain`` or ``finetune``.
    settings
        Those of the job.
    data
        What was learnt from, as plain values.
    summary
        Steps, time and validation results.
    start
        Name of the model that the weights began with.
    command
        The command line, empty where there was none.

    """
    return Stage(
        job=job,
        settings=settings.model_dump(mode="json"),
        data=data,
        start=start,
        steps=summary.best_step,
        seconds=round(summary.seconds, 1),
        metrics=summary.metrics,
        versions=versions(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
    )


def versions() -> dict[str, str]:
    """Return the versions that decide what training gives."""
    found = {"napari-emssl": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in ("torch", "numpy")}
