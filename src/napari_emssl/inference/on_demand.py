"""Apply a model to single planes as they are viewed: a job without an end, for results computed on demand."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.images.image import Image
from ..data.images.intensity_scaling import Levels
from ..jobs.events import Control, Finished, Job, Notice, Preview, Update
from ..jobs.settings import ApplySettings
from ..models.model_file import Model
from ..models.zoo import resolve_model
from .engine import Engine
from .predictor import Predicted

_DEFAULTS = ApplySettings()
_PATIENCE_SECONDS = 0.02


def on_demand(
    model: Model | str | Path, size: tuple[int, int], settings: ApplySettings = _DEFAULTS, levels: Levels | None = None
) -> Job[None]:
    """Apply a model to every plane it is shown, as a job that continues until it is stopped.

    Parameters
    ----------
    model
        A model, or its name in the zoo, or its file.
    size
        Height and width of the planes, pixels.
    settings
        Tile, halo, batch, device and precision.
    levels
        Grey values that become 0 and 1, for models that scale a stack as a whole; by default fitted to each plane.

    Returns
    -------
    Job
        Yields `Started`, then for each plane given to `Job.show` one `Preview` with the image ``prediction``, counted
        by its `step`. A plane that is shown while another is computed waits; of several that wait only the last
        is done.

    """
    return Job(lambda control: _events(control, model, size, settings, levels))


def _events(
    control: Control, model: Model | str | Path, size: tuple[int, int], settings: ApplySettings, levels: Levels | None
) -> Iterator[Update | Finished[None]]:
    engine = Engine(resolve_model(model), settings, control)
    yield from engine.announce(size, lambda predictor: predictor.summary)
    step, seen = 0, None
    while not control.stopped:
        plane = control.view
        if plane is None or plane is seen:
            time.sleep(_PATIENCE_SECONDS)
            continue
        seen, step = plane, step + 1
        yield from _result(engine, plane, levels, step)
    yield Finished(None, stopped=True)


def _result(engine: Engine, plane: NDArray[np.generic], levels: Levels | None, step: int) -> Iterator[Update]:
    for event in engine.planes(Image("plane", plane[None], ()), levels=levels):
        if isinstance(event, Predicted):
            yield Preview({"prediction": event.result}, step)
        elif isinstance(event, Notice):
            yield event
