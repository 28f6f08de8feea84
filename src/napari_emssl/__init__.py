"""Self-supervised learning for electron microscopy, headless half and napari plugin.

The public verbs and nouns are imported on first use, so that ``import napari_emssl`` loads neither
torch nor Qt nor napari.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "ApplySettings": "jobs.settings",
    "Card": "models.file",
    "CompareSettings": "jobs.settings",
    "Comparison": "jobs.comparison",
    "EvaluateSettings": "jobs.settings",
    "Finished": "jobs.events",
    "FinetuneSettings": "jobs.settings",
    "HRTEMSettings": "data.hrtem_settings",
    "Image": "data.planes",
    "Job": "jobs.events",
    "MeasureSettings": "jobs.settings",
    "Model": "models.file",
    "ParticleTable": "particles.table",
    "PretrainSettings": "jobs.settings",
    "Preview": "jobs.events",
    "Progress": "jobs.events",
    "Started": "jobs.events",
    "UserError": "errors",
    "Warning": "jobs.events",
    "apply": "jobs.apply",
    "build_generator": "networks.generators",
    "compare": "jobs.compare",
    "evaluate": "jobs.evaluate",
    "finetune": "jobs.finetune",
    "load_model": "models.zoo",
    "measure_particles": "particles.measure",
    "pretrain": "jobs.pretrain",
    "read_image": "data.planes",
    "save_model": "models.file",
    "simulate_hrtem": "data.simulate",
}

__all__ = [*_HOMES, "__version__"]

if TYPE_CHECKING:
    from .data.hrtem_settings import HRTEMSettings
    from .data.planes import Image, read_image
    from .data.simulate import simulate_hrtem
    from .errors import UserError
    from .jobs.apply import apply
    from .jobs.compare import compare
    from .jobs.comparison import Comparison
    from .jobs.evaluate import evaluate
    from .jobs.events import Finished, Job, Preview, Progress, Started, Warning
    from .jobs.finetune import finetune
    from .jobs.pretrain import pretrain
    from .jobs.settings import (
        ApplySettings,
        CompareSettings,
        EvaluateSettings,
        FinetuneSettings,
        MeasureSettings,
        PretrainSettings,
    )
    from .models.file import Card, Model, save_model
    from .models.zoo import load_model
    from .networks.generators import build_generator
    from .particles.measure import measure_particles
    from .particles.table import ParticleTable


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
