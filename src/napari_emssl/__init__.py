"""Self-supervised learning for electron microscopy, headless half and napari plugin.

The public verbs and nouns are imported on first use, so that ``import napari_emssl`` loads neither
torch nor Qt nor napari.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if sys.platform == "darwin":
    # What the GPU of a Mac cannot do is done by the CPU. torch reads this while it is loaded, so it stands here.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

_HOMES = {
    "ApplySettings": "jobs.settings",
    "Card": "models.model_file",
    "CompareSettings": "jobs.compare_settings",
    "Comparison": "evaluation.comparison.results",
    "ContextSettings": "jobs.context_settings",
    "EvaluateSettings": "jobs.settings",
    "Finished": "jobs.events",
    "FinetuneSettings": "jobs.settings",
    "HRTEMSettings": "simulation.hrtem.settings",
    "Image": "data.images.image",
    "Job": "jobs.events",
    "MeasureSettings": "jobs.settings",
    "Model": "models.model_file",
    "ParticleTable": "particles.table",
    "PretrainSettings": "jobs.pretrain_settings",
    "Notice": "jobs.events",
    "Preview": "jobs.events",
    "Progress": "jobs.events",
    "Started": "jobs.events",
    "UserError": "errors",
    "apply": "inference.apply",
    "build_generator": "networks.generators",
    "compare": "evaluation.comparison.compare",
    "evaluate": "evaluation.evaluate",
    "finetune": "training.finetuning.finetune",
    "in_context": "training.in_context.segment",
    "load_model": "models.zoo",
    "measure_particles": "particles.measure",
    "pretrain": "training.pretraining.pretrain",
    "read_image": "data.images.opening",
    "save_model": "models.model_file",
    "simulate_hrtem": "simulation.hrtem.simulate",
}

_EARLIER_NAMES = {"Warning": "Notice"}
"""Public names of version 0.1 that scripts may still use: the event `Notice` was called like the builtin."""

__all__ = [*_HOMES, *_EARLIER_NAMES, "__version__"]

if TYPE_CHECKING:
    from .data.images.image import Image
    from .data.images.opening import read_image
    from .errors import UserError
    from .evaluation.comparison.compare import compare
    from .evaluation.comparison.results import Comparison
    from .evaluation.evaluate import evaluate
    from .inference.apply import apply
    from .jobs.compare_settings import CompareSettings
    from .jobs.context_settings import ContextSettings
    from .jobs.events import Finished, Job, Notice, Preview, Progress, Started
    from .jobs.pretrain_settings import PretrainSettings
    from .jobs.settings import (
        ApplySettings,
        EvaluateSettings,
        FinetuneSettings,
        MeasureSettings,
    )
    from .models.model_file import Card, Model, save_model
    from .models.zoo import load_model
    from .networks.generators import build_generator
    from .particles.measure import measure_particles
    from .particles.table import ParticleTable
    from .simulation.hrtem.settings import HRTEMSettings
    from .simulation.hrtem.simulate import simulate_hrtem
    from .training.finetuning.finetune import finetune
    from .training.in_context.segment import in_context
    from .training.pretraining.pretrain import pretrain


def __getattr__(name: str) -> Any:
    name = _EARLIER_NAMES.get(name, name)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
