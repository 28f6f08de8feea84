"""Score a model against targets: per image, their mean, and pooled over all pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.datasets.image_pairs import ImageSources, open_pairs, pair_notes
from ..data.images.image import Image, distinct_names
from ..formatting import counted
from ..inference.engine import SECONDS_BETWEEN_PREVIEWS, Engine, scale_notice
from ..inference.predictor import Predicted
from ..jobs.events import Control, Finished, Job, Notice, Preview, Started, Update
from ..jobs.meter import Interval, Meter
from ..jobs.settings import EvaluateSettings
from ..metrics import Scores
from ..models.model_file import Model
from ..models.zoo import resolve_model
from .scorers import scorer_of

_DEFAULTS = EvaluateSettings()


def evaluate(
    model: Model | str | Path, images: ImageSources, targets: ImageSources, settings: EvaluateSettings = _DEFAULTS
) -> Scores:
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
    model: Model | str | Path, images: ImageSources, targets: ImageSources, settings: EvaluateSettings = _DEFAULTS
) -> Job[Scores]:
    """Score a model against targets, as a job.

    Parameters
    ----------
    model, images, targets, settings
        As for `evaluate`.

    Returns
    -------
    Job
        Yields `Started`, `Progress` in planes, `Preview` ("image", "prediction", "target") and `Finished` with
        `Scores`; stopped early, of the planes done so far.

    Raises
    ------
    UserError
        From the iteration, as `evaluate`.

    """
    return Job(lambda control: _events(control, model, images, targets, settings))


def _events(
    control: Control, model: Model | str | Path, images: ImageSources, targets: ImageSources, settings: EvaluateSettings
) -> Iterator[Update | Finished[Scores]]:
    resolved = resolve_model(model)
    pairs = open_pairs(images, targets, resolved.card.task, (resolved.card.upscale,))
    yield from map(Notice, pair_notes(pairs))
    scorer = scorer_of(resolved.card, [target for _, target in pairs], settings)
    total = sum(len(image) for image, _ in pairs)
    summary = _summary(pairs, total)
    engine = Engine(resolved, settings, control)
    meter, shown, done = Meter(), Interval(SECONDS_BETWEEN_PREVIEWS), 0
    for event in _predicted(engine, [image for image, _ in pairs], summary, control):
        if not isinstance(event, _NamedPlane):
            yield event
            continue
        truth = scorer.add(event.number, event.name, event.predicted.result)
        done += 1
        yield from meter.tick(done, total, images_per_step=1)
        if shown.over or done == total:
            shown.restart()
            pictures = {"image": event.predicted.plane, "prediction": event.predicted.result, "target": truth}
            yield Preview(pictures, step=done)
    yield from scorer.warnings()
    yield Finished(Scores(resolved.name, scorer.mean(), scorer.images, scorer.pooled()), stopped=done < total)


@dataclass(frozen=True)
class _NamedPlane:
    """A plane is predicted; `number` counts over all images."""

    number: int
    name: str
    predicted: Predicted


def _predicted(
    engine: Engine, images: Sequence[Image], summary: str, control: Control
) -> Iterator[Started | Notice | _NamedPlane]:
    """Run the model over all planes of all images."""
    before = 0
    names = distinct_names([image.name for image in images], [image.path for image in images])
    for image, unique in zip(images, names, strict=True):
        yield from engine.announce(image.plane_shape, lambda _: summary)
        yield from scale_notice(image, engine.model)
        for event in engine.planes(image):
            if isinstance(event, Predicted):
                name = f"{unique} [{event.index}]" if len(image) > 1 else unique
                yield _NamedPlane(before + event.index, name, event)
            elif isinstance(event, Notice):
                yield event
        if control.stopped:
            return
        before += len(image)


def _summary(pairs: Sequence[tuple[Image, Image]], planes: int) -> str:
    image, target = pairs[0]
    if planes == 1:
        return f"Scoring '{image.name}' against '{target.name}'."
    counts = f"{counted(planes, 'plane')} of {counted(len(pairs), 'image')}"
    return f"Scoring {counts}, the first '{image.name}' against '{target.name}'."
