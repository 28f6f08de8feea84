"""From painted pixels to a segmentation model at once: nothing is trained, painted pixels are remembered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...data.datasets.image_pairs import ImageSources
from ...errors import UserError
from ...jobs.context_settings import ContextSettings
from ...jobs.devices import choose_device, place
from ...jobs.settings import FinetuneSettings
from ...models.model_file import Card, ClassInfo, Model, NetworkSpec, Stage
from ...models.recommended import recommended_context_generator
from ...models.weights import build_network, mask_decoder_weights, network_of, to_numpy, transfer
from ...models.zoo import resolve_model
from ...networks.in_context import SHARPNESS, InContextNetwork
from ..finetuning.labelled_data import TrainingData, gather
from ..provenance import versions
from .context import painted_vectors


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
    return _ContextRequest(images, paintings, chosen, generator, name, class_names, licence, command).model()


@dataclass(frozen=True)
class _ContextRequest:
    """What a model in context was asked for; see `in_context`."""

    images: ImageSources
    paintings: ImageSources
    settings: ContextSettings
    generator: str | Path | Model | None
    name: str | None
    class_names: Sequence[str] | None
    licence: str
    command: str

    def model(self) -> Model:
        """Gather what is painted, and remember it."""
        base = _generator(self.generator)
        data = gather(self.images, self.paintings, _as_gathered(self.settings), base.card.scaling)
        classes = self._classes(data)
        _check_background(data)
        spec, weights = _with_context(base, data, self.settings)
        card = Card(
            name=self.name or f"in-context-{base.name}",
            task="segment",
            network=spec,
            scaling=base.card.scaling,
            classes=classes,
            pixel_size_nm=data.pixel_size_nm,
            history=(*base.card.history, self._stage(data, base)),
            licence=self.licence,
        )
        return Model(card, weights)

    def _classes(self, data: TrainingData) -> tuple[ClassInfo, ...]:
        """Return the classes on the card, background first."""
        names = list(self.class_names or (f"class {value}" for value in data.class_values))
        if len(names) != len(data.class_values):
            raise UserError(
                f"{len(names)} class names were given for {len(data.class_values)} painted classes. "
                "Give one name for each."
            )
        painted = zip(names, data.class_values, strict=True)
        return (ClassInfo(name="background"), *(ClassInfo(name=name, target_value=value) for name, value in painted))

    def _stage(self, data: TrainingData, base: Model) -> Stage:
        return Stage(
            job="in_context",
            settings=self.settings.model_dump(mode="json"),
            data={"summary": data.summary},
            start=base.name,
            versions=versions(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            command=self.command,
        )


def _generator(given: str | Path | Model | None) -> Model:
    """Return the generator that is asked; one whose pixels have no vectors is refused."""
    model = resolve_model(given or recommended_context_generator())
    if model.card.network.painted:
        raise UserError(f"'{model.name}' was made in context already. Choose the generator that it was made with.")
    if not model.card.network.vector_channels:
        raise UserError(
            f"'{model.name}' gives pixels no vectors to compare. Choose a generator pretrained with "
            "'pretrain --pretext episodes'."
        )
    return model


def _as_gathered(settings: ContextSettings) -> FinetuneSettings:
    """Return the settings by which painted planes are gathered: all of them, as nothing is held out."""
    return FinetuneSettings(zero=settings.zero, merge_classes=settings.merge_classes, validation=0.0)


def _check_background(data: TrainingData) -> None:
    """Refuse classes alone: every pixel would get one of them."""
    if not any((plane.target == 1).any() for plane in data.training):
        raise UserError("No background is painted. Paint some beside the particles, then ask again.")


def _with_context(
    base: Model, data: TrainingData, settings: ContextSettings
) -> tuple[NetworkSpec, dict[str, NDArray[np.generic]]]:
    """Return the network that remembers the painted pixels, and its weights."""
    device = choose_device(settings)
    bare = base.card.network.model_copy(update={"painted": (1,) * data.classes})
    network = cast(InContextNetwork, network_of(bare))
    network.trunk.load_state_dict(build_network(base).state_dict())
    if SHARPNESS in base.weights:
        network.sharpness.data = torch.tensor(float(base.weights[SHARPNESS].item()))
    if network.mask_decoder is not None:
        transfer(mask_decoder_weights(base.weights), network.mask_decoder)
    place(network.eval(), device)
    vectors = painted_vectors(network, data.training, data.classes, settings.most_painted, settings.seed, device)
    network.context = nn.ParameterList(nn.Parameter(part) for part in vectors)
    spec = bare.model_copy(update={"painted": tuple(part.shape[1] for part in vectors)})
    return spec, to_numpy(network.state_dict())
