"""Answers of networks: in context, averaged with another answer, and fine-tuned."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

import napari_emssl as em
from napari_emssl.inference.tiles import padded
from napari_emssl.jobs.devices import choose_device, place
from napari_emssl.models.build import build_network
from napari_emssl.models.model_file import Model
from napari_emssl.models.objectives import objective_of
from napari_emssl.networks.norm import absorb_norms

from .answers import Answer, Column, Probabilities
from .micrographs import Trial

_LEAST_AGREEMENT = 0.999


def probabilities(model: Model, image: np.ndarray, settings: em.ApplySettings) -> Probabilities:
    """Return the probability of each class ``(classes, h, w)`` for an image ``(h, w)``, background first.

    Parameters
    ----------
    model
        A segmentation model.
    image
        ``(h, w)``.
    settings
        Device and precision.

    """
    device = choose_device(settings)
    network = place(absorb_norms(build_network(model)), device)
    clean = model.card.scaling.repaired(image)
    unit = padded(model.card.scaling.fit(clean).to_unit(clean), int(network.stride))
    inputs = torch.from_numpy(unit)[None, None].to(device.torch_device).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), device.autocast():
        found = objective_of(model.card).decode(network(inputs))[0]
    return found[:, : image.shape[0], : image.shape[1]].float().cpu().numpy()


def applied(model: Model, trial: Trial, settings: em.ApplySettings, learning: float) -> list[Answer]:
    """Return the answers of a model.

    Parameters
    ----------
    model
        Made from the painting.
    trial
        What is judged.
    settings
        Device and precision.
    learning
        Seconds of processor time that the model took.

    """
    answers = []
    for judged in trial.judged:
        started = time.process_time()
        found = probabilities(model, judged.image, settings)
        answers.append(Answer.of(found, learning + time.process_time() - started))
    return answers


@dataclass(eq=False)
class InContext:
    """A generator with vectors, asked with the painted pixels; nothing is trained."""

    generator: str
    model: Model
    settings: em.ApplySettings
    checked: set[tuple[str, float]] = field(default_factory=set, init=False)
    """Sets and scales of which an answer was compared with that of `em.apply`."""

    @property
    def name(self) -> str:
        """The name of the generator."""
        return f"in context {self.generator}"

    def ask(self, trial: Trial) -> Model:
        """Return the model in context."""
        device = em.ContextSettings(device=self.settings.device, precision=self.settings.precision)
        return em.in_context([trial.painted.image], [trial.target], device, self.model)

    def answers(self, trial: Trial) -> list[Answer]:
        """Make the model, and apply it."""
        started = time.process_time()
        model = self.ask(trial)
        answers = applied(model, trial, self.settings, time.process_time() - started)
        self._check(model, trial, answers[0])
        return answers

    def _check(self, model: Model, trial: Trial, answer: Answer) -> None:
        """Compare with what `em.apply` gives, once for each set and scale: what is judged is what users get."""
        kind = trial.set_name, model.card.network.scale
        if kind not in self.checked:
            agreement = (em.apply(model, trial.judged[0].image, self.settings) == answer.labels).mean()
            if agreement < _LEAST_AGREEMENT:
                raise RuntimeError(
                    f"em.apply gives another answer than the benchmark on {1 - agreement:.2%} of the pixels. "
                    "Bring 'probabilities' in benchmarks/accuracy/few_labels/networks.py up to date."
                )
            self.checked.add(kind)


@dataclass(frozen=True, eq=False)
class Average:
    """The mean of the probabilities of two ways of answering."""

    first: Column
    second: Column

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.first.name} + {self.second.name}"

    def answers(self, trial: Trial) -> list[Answer]:
        """Return the averaged answers; their seconds are those of both."""
        pairs = zip(self.first.answers(trial), self.second.answers(trial), strict=True)
        return [Answer.of((one.probabilities + other.probabilities) / 2, one.seconds + other.seconds)
                for one, other in pairs]  # fmt: skip


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A network trained on the painting by the product's recipe, for a fixed number of steps."""

    start_name: str
    start: Callable[[Trial], Model | str]
    """Gives the start: a model, or ``scratch``."""
    settings: em.FinetuneSettings

    @property
    def name(self) -> str:
        """Start and steps."""
        return f"fine-tuned {self.start_name}, {self.settings.steps} steps"

    def answers(self, trial: Trial) -> list[Answer]:
        """Train, and apply the model that is handed over."""
        started = time.process_time()
        settings = self.settings.model_copy(update={"seed": trial.seed})
        model = em.finetune([trial.painted.image], [trial.target], settings, self.start(trial)).result()
        device = em.ApplySettings(device=settings.device, precision=settings.precision)
        return applied(model, trial, device, time.process_time() - started)
