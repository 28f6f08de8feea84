"""Jobs that begin with a model in context: it is the result, or where fine-tuning begins."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.datasets.image_pairs import ImageSources
from ...data.labels.objects import Target
from ...jobs.context_settings import ContextSettings
from ...jobs.devices import choose_device
from ...jobs.events import Control, Finished, Job, Notice, Started, Update
from ...jobs.settings import FinetuneSettings
from ...models.model_file import Model
from ..finetuning.finetune import FinetuneRequest
from .segment import ContextRequest, context_generator

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
    base = context_generator(generator)
    request = FinetuneRequest(
        images, targets, settings, base, name, class_names, resume, autosave, "unknown", "", assumed=assumed
    )
    return Job(request.events)
