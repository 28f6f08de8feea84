"""The jobs that run in a worker process: what `jobs.worker.client.run` is given; gui may import it.

A type checker sees the functions themselves, so each call through `run` is checked against the signature of its job.
While the program runs each is a reference, which only the worker process follows: their modules import torch, which
must stay out of the viewer.
"""

from typing import TYPE_CHECKING

from .jobs.worker.target import LazyFunction

if TYPE_CHECKING:
    from .evaluation.comparison.compare import compare
    from .evaluation.evaluate import evaluate_job
    from .export.job import export_package
    from .inference.apply_images import apply_folder, apply_images
    from .inference.on_demand import on_demand
    from .inference.profile import profile
    from .simulation.job import simulate
    from .training.finetuning.finetune import finetune
    from .training.in_context.jobs import finetune_in_context, make_in_context
    from .training.live_preview.filters import live_preview
    from .training.live_preview.in_context import live_preview_in_context
    from .training.pretraining.pretrain import pretrain
else:
    compare = LazyFunction("napari_emssl.evaluation.comparison.compare", "compare", "The comparison")
    evaluate_job = LazyFunction("napari_emssl.evaluation.evaluate", "evaluate_job", "Evaluation")
    export_package = LazyFunction("napari_emssl.export.job", "export_package", "The export")
    apply_folder = LazyFunction("napari_emssl.inference.apply_images", "apply_folder", "Applying the model")
    apply_images = LazyFunction("napari_emssl.inference.apply_images", "apply_images", "Applying the model")
    on_demand = LazyFunction("napari_emssl.inference.on_demand", "on_demand", "Applying the model")
    profile = LazyFunction("napari_emssl.inference.profile", "profile", "Measuring the networks")
    simulate = LazyFunction("napari_emssl.simulation.job", "simulate", "The simulation")
    finetune = LazyFunction("napari_emssl.training.finetuning.finetune", "finetune", "Training")
    finetune_in_context = LazyFunction("napari_emssl.training.in_context.jobs", "finetune_in_context", "Training")
    make_in_context = LazyFunction("napari_emssl.training.in_context.jobs", "make_in_context", "Making the model")
    live_preview = LazyFunction(
        "napari_emssl.training.live_preview.filters", "live_preview", "The first look", light=True
    )
    live_preview_in_context = LazyFunction(
        "napari_emssl.training.live_preview.in_context", "live_preview_in_context", "The first look"
    )
    pretrain = LazyFunction("napari_emssl.training.pretraining.pretrain", "pretrain", "Pretraining")

__all__ = [
    "TRAINING_AND_APPLYING",
    "apply_folder",
    "apply_images",
    "compare",
    "evaluate_job",
    "export_package",
    "finetune",
    "finetune_in_context",
    "live_preview",
    "live_preview_in_context",
    "make_in_context",
    "on_demand",
    "pretrain",
    "profile",
    "simulate",
]

TRAINING_AND_APPLYING = (
    "napari_emssl.training.finetuning.finetune",
    "napari_emssl.inference.apply_images",
    "torch._dynamo",  # every optimizer imports it when it is made, which takes seconds
)
"""What `client.warm_up` is given for docks that train and apply."""
