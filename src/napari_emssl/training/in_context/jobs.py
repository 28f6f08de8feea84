"""Jobs that begin with a model in context: it is the result, or where fine-tuning begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import ImageSources
from ...data.labels.objects import Target
from ...data.patches.labelled import LabelledPlane
from ...jobs.context_settings import ContextSettings
from ...jobs.devices import choose_device
from ...jobs.events import Control, Finished, Job, Notice, Started, Update
from ...jobs.settings import FinetuneSettings
from ...models.model_file import Model
from ..finetuning.finetune import FinetuneRequest
from .plane_vectors import PlaneVectors
from .segment import ContextAnswer, ContextRequest

Masks = Sequence[NDArray[np.bool_] | None]


def make_in_context(
    images: ImageSources,
    targets: ImageSources,
    assumed: Masks,
    settings: ContextSettings,
    generator: str,
    *,
    name: str,
    class_names: Sequence[str],
) -> Job[Model]:
    """Make a model in context; see `in_context`.

    Parameters
    ----------
    images, targets
        Lists of planes and their core targets, in the same order.
    assumed
        For each plane which background nobody has painted, ``(h, w)``.
    settings
        How many painted pixels are remembered, and where the network runs.
    generator
        A generator with vectors: a name from the zoo or a file.
    name, class_names
        Of the model, and of its classes in the order of their values.

    Returns
    -------
    Job
        Its result is a `Model` of the task ``segment``.

    """
    request = ContextRequest(images, targets, settings, generator, name, class_names, assumed=assumed)

    def events(control: Control) -> Iterator[Update | Finished[Model]]:
        device = choose_device(settings)
        answer = request.answer()
        yield Started(device.label, device.reason, answer.data.summary)
        yield from map(Notice, filter(None, [answer.notice]))
        yield Finished(answer.model, stopped=False)

    return Job(events)


def finetune_in_context(
    images: ImageSources,
    targets: Sequence[Target],
    assumed: Masks,
    settings: FinetuneSettings,
    generator: str,
    *,
    name: str,
    class_names: Sequence[str],
    autosave: Path | None = None,
    resume: Path | None = None,
) -> Job[Model]:
    """Fine-tune what a generator makes of the painting in context: training begins where the first look was.

    Background that nobody has painted is not learnt where it is like the paint.

    Parameters
    ----------
    images, targets
        Lists of planes and their core targets ``(h, w)``, in the same order.
    assumed
        For each plane which background nobody has painted, ``(h, w)``.
    settings
        How training goes.
    generator
        A generator with vectors: a name from the zoo or a file.
    name, class_names
        Of the model, and of its classes in the order of their values.
    autosave, resume
        Where to write autosaves; autosave file to resume from.

    Returns
    -------
    Job
        Its result is a `Model` of the task ``segment``.

    """
    return Job(_Refinement(images, targets, assumed, settings, generator, name, class_names, autosave, resume).events)


@dataclass(frozen=True)
class _Refinement:
    """What `finetune_in_context` was asked for."""

    images: ImageSources
    targets: Sequence[Target]
    assumed: Masks
    settings: FinetuneSettings
    generator: str
    name: str
    class_names: Sequence[str]
    autosave: Path | None
    resume: Path | None

    def events(self, control: Control) -> Iterator[Update | Finished[Model]]:
        """Ask in context, then train."""
        shared = self.settings.model_dump(include=set(ContextSettings.model_fields) - {"seed"})
        context = ContextSettings.model_validate(shared)
        answer = ContextRequest(
            self.images, self.targets, context, self.generator, None, self.class_names, assumed=self.assumed
        ).answer()
        request = FinetuneRequest(
            self.images, _cleared(self.targets, answer), self.settings, answer.model, self.name, self.class_names,
            self.resume, self.autosave, "unknown", "",
        )  # fmt: skip
        for event in request.events(control):
            yield event
            if isinstance(event, Started) and answer.notice:
                yield Notice(answer.notice)


def _cleared(targets: Sequence[Target], answer: ContextAnswer) -> list[Target]:
    """Return targets in which background that nobody has painted is unpainted where it is like the paint."""
    cleared = iter(
        [_without_like_paint(answer.vectors, number, plane) for number, plane in enumerate(answer.data.training)]
    )
    return [next(cleared) if target.any() else target for target in targets]


def _without_like_paint(vectors: PlaneVectors, number: int, plane: LabelledPlane) -> Target:
    target: Target = np.array(plane.target)
    if plane.assumed is None or not plane.assumed.any():
        return target
    pixels = np.argwhere(plane.assumed)
    like = vectors.classes_at(vectors.plane(plane.image, str(number).encode()), pixels)
    target[tuple(pixels[like > 0].T)] = 0
    return target
