"""From painted pixels to a segmentation model at once: nothing is trained, painted pixels are remembered."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...data.datasets.image_pairs import ImageSources
from ...errors import UserError
from ...jobs.context_settings import ContextSettings
from ...jobs.devices import choose_device
from ...jobs.settings import FinetuneSettings
from ...models.model_file import ClassInfo, Model
from ...models.recommended import recommended_context_generator
from ...models.zoo import resolve_model
from ..context.remembered import remembered
from ..finetuning.labelled_data import Assumed, TrainingData, gather


def in_context(
    images: ImageSources,
    paintings: ImageSources,
    settings: ContextSettings | None = None,
    generator: str | Path | Model | None = None,
    *,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
    licence: str = "unknown",
    command: str = "",
) -> Model:
    """Make a segmentation model from painted pixels without training.

    A generator pretrained by episodes gives each pixel a vector. The model keeps the vectors of painted pixels, and
    gives every pixel the class whose painted pixels are most like it (`networks.attention`). It is a model like any
    other: it can be applied, fine-tuned and exported.

    Parameters
    ----------
    images, paintings
        Lists, in the same order, of arrays ``(h, w)`` or ``(n, h, w)``, files or `Image`; or two folders whose files
        pair up by name. In paintings 0 is unpainted, 1 background and 2, 3, ... are classes; see ``settings.zero``.
    settings
        What 0 means, how many painted pixels are kept, and where the network runs.
    generator
        A generator with vectors: a name from the zoo, a file, or a `Model`; None takes the recommended one.
    name
        Name on the model's card.
    class_names
        Names of the classes, background left out, in the order of their values.
    licence, command
        Licence of the images, and the command line, for the card.

    Returns
    -------
    Model
        Of the task ``segment``.

    Raises
    ------
    UserError
        When images and paintings do not pair up, a class or the background is not painted, or the generator gives no
        vectors.

    """
    chosen = settings or ContextSettings()
    request = ContextRequest(images, paintings, chosen, generator, name, class_names, licence, command)
    return request.answer().model


@dataclass(frozen=True)
class ContextAnswer:
    """A model in context, and what it was made of."""

    model: Model
    data: TrainingData
    notice: str
    """What of the rings was left out, as a sentence; empty where nothing was."""


@dataclass(frozen=True)
class ContextRequest:
    """What a model in context was asked for; see `in_context`."""

    images: ImageSources
    paintings: ImageSources
    settings: ContextSettings
    generator: str | Path | Model | None
    name: str | None = None
    class_names: Sequence[str] | None = None
    licence: str = "unknown"
    command: str = ""
    assumed: Assumed = "rings"
    """For each plane which background nobody has painted; ``rings``: those around painted objects, where there is no
    other background."""

    def answer(self) -> ContextAnswer:
        """Gather what is painted, and remember it."""
        base, device = context_generator(self.generator), choose_device(self.settings)
        data = gather(self.images, self.paintings, _as_gathered(self.settings), base.card.scaling, assumed=self.assumed)
        classes = self._classes(data)
        _check_background(data)
        painting = remembered(base, data.training, data.classes, self.settings, device)
        name = self.name or f"in-context-{base.name}"
        model = painting.model(name, classes, data.summary, data.pixel_size_nm, self.licence, self.command)
        return ContextAnswer(model, data, painting.context.notice)

    def _classes(self, data: TrainingData) -> tuple[ClassInfo, ...]:
        """Return the classes on the card, background first."""
        names = list(self.class_names or (f"class {value}" for value in data.class_values))
        if len(names) != len(data.class_values):
            raise UserError(
                f"Class names: {len(names)} given, {len(data.class_values)} needed, one for each painted class."
            )
        painted = zip(names, data.class_values, strict=True)
        return (ClassInfo(name="background"), *(ClassInfo(name=name, target_value=value) for name, value in painted))


def context_generator(given: str | Path | Model | None) -> Model:
    """Return the generator that is asked; one whose pixels have no vectors is refused."""
    model = resolve_model(given or recommended_context_generator())
    if model.card.network.painted:
        raise UserError(f"'{model.name}' was itself made in context. Choose the generator that it was made with.")
    if not model.card.network.vector_channels:
        raise UserError(
            f"'{model.name}' gives pixels no vectors to compare. Choose a generator pretrained with "
            "'pretrain --pretext episodes'."
        )
    return model


def _as_gathered(settings: ContextSettings) -> FinetuneSettings:
    """Return the settings by which painted planes are gathered: all of them, as nothing is held out."""
    return FinetuneSettings(zero=settings.zero, merge_classes=settings.merge_classes, validation=0.0, named_parts=False)


def _check_background(data: TrainingData) -> None:
    """Refuse classes alone: every pixel would get one of them."""
    if not any((plane.target == 1).any() for plane in data.training):
        raise UserError("No background is painted. Paint some beside the particles, then try again.")
