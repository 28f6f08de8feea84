"""Score a model against targets: per image, their mean, and pooled over all pixels."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..data.datasets.image_pairs import open_pairs
from ..data.images.image import Image
from ..inference.predictor import Predicted, Predictor
from ..jobs.events import Control, Finished, Job, Notice, Preview, Started, Update
from ..jobs.meter import Meter
from ..jobs.settings import EvaluateSettings
from ..metrics import Scores
from ..models.model_file import Model
from ..models.zoo import load_model
from .scorers import scorer_of

_DEFAULTS = EvaluateSettings()
_SECONDS_BETWEEN_PREVIEWS = 1.0


def evaluate(model: Model | str | Path, images: Any, targets: Any, settings: EvaluateSettings = _DEFAULTS) -> Scores:
    """Score a model against targets and return the scores; `evaluate_job` run to its end.

    Parameters
    ----------
    model
        A model, or its name in the zoo, or its file.
    images
        A list of arrays ``(h, w)`` or ``(n, h, w)``, `Image` or files; or one of them; or a folder.
    targets
        As many, on the grids of the images; of two folders files are paired by name. For segmentation: in arrays 0 is
        unpainted and does not count, 1 background, 2.. classes; in files 0 is background and other values are the
        classes, by the values of the training. `settings.zero` overrides that. For restoration: the true intensities
        in the units of the image.
    settings
        What 0 means, tile, halo, batch, device and precision.

    Returns
    -------
    Scores
        Every plane counts as an image. Planes with no painted pixel are left out.

    Raises
    ------
    UserError
        When images and targets do not pair up, nothing is painted, or a target has a value the model does not know.

    """
    return evaluate_job(model, images, targets, settings).result()


def evaluate_job(
    model: Model | str | Path, images: Any, targets: Any, settings: EvaluateSettings = _DEFAULTS
) -> Job[Scores]:
    """Score a model against targets, as a job; parameters are those of `evaluate`.

    Returns
    -------
    Job
        Tells `Started`, `Progress` in planes, `Preview` ("image", "prediction", "target") and `Finished` with `Scores`;
        stopped early, of the planes done so far.

    """
    return Job(lambda control: _events(control, model, images, targets, settings))


def _events(
    control: Control, model: Model | str | Path, images: Any, targets: Any, settings: EvaluateSettings
) -> Iterator[Update | Finished[Scores]]:
    model = model if isinstance(model, Model) else load_model(model)
    pairs = open_pairs(images, targets, model.card.task, (model.card.upscale,))
    judge = scorer_of(model.card, [target for _, target in pairs], settings)
    total = sum(len(image) for image, _ in pairs)
    meter = _PlaneMeter(total)
    for event in _predicted(model, [image for image, _ in pairs], settings, control):
        if isinstance(event, Started):
            yield Started(event.device, event.reason, _summary(pairs, total))
        elif isinstance(event, Notice):
            yield event
        elif isinstance(event, _Plane):
            truth = judge.add(event.number, event.name, event.result)
            yield from meter.tick(event, truth)
    yield from judge.warnings()
    yield Finished(Scores(model.name, judge.mean(), judge.images, judge.pooled()), stopped=meter.done < total)


@dataclass(frozen=True)
class _Plane:
    """A plane is predicted; `number` counts over all images."""

    number: int
    name: str
    image: NDArray[Any]
    result: NDArray[Any]


def _predicted(
    model: Model, images: Sequence[Image], settings: EvaluateSettings, control: Control
) -> Iterator[Update | _Plane]:
    """Run the model over all planes; the network is kept while planes keep their size."""
    predictor: Predictor | None = None
    before = 0
    for image in images:
        started = predictor is not None
        if predictor is None or predictor.size != image.plane_shape:
            predictor = Predictor(model, settings, *image.plane_shape)
        if not started:
            yield Started(predictor.device.label, predictor.device.reason)
        for event in predictor.planes(image, control):
            if isinstance(event, Predicted):
                name = f"{image.name} [{event.index}]" if len(image) > 1 else image.name
                yield _Plane(before + event.index, name, event.plane, event.result)
            else:
                yield event
        if control.stopped:
            return
        before += len(image)


def _summary(pairs: Sequence[tuple[Image, Image]], planes: int) -> str:
    image, target = pairs[0]
    if planes == 1:
        return f"Scoring '{image.name}' against '{target.name}'."
    return f"Scoring {planes} planes of {len(pairs)} images, the first '{image.name}' against '{target.name}'."


class _PlaneMeter:
    """Meters out progress and previews."""

    def __init__(self, total: int) -> None:
        self.done, self._total, self._meter = 0, total, Meter()
        self._shown = -math.inf

    def tick(self, plane: _Plane, truth: NDArray[Any]) -> Iterator[Update]:
        """Count a plane; yield the events that are due."""
        self.done += 1
        now = time.monotonic()
        yield from self._meter.tick(self.done, self._total, images_per_step=1)
        if self.done == self._total or now - self._shown >= _SECONDS_BETWEEN_PREVIEWS:
            self._shown = now
            yield Preview({"image": plane.image, "prediction": plane.result, "target": truth}, step=self.done)
