"""Pressing Start never gives a worse mask than the answer in context, with the generator that ships."""

from pathlib import Path

import numpy as np
import pytest

from napari_emssl.data.images.opening import read_image
from napari_emssl.data.labels.targets import target_from_painting
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.metrics import dice
from napari_emssl.simulation.hrtem.sample_data import sample_stack
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.in_context.segment import in_context

PARTICLES = Path(__file__).parents[4] / "shared/data/particles"
APPLY = ApplySettings(device="cpu")


def lost(image: np.ndarray, instances: np.ndarray, steps: int, seed: int) -> float:
    """By how much the Dice of the unpainted pixels falls when three particles are painted and trained on."""
    chosen = np.random.default_rng(seed).permutation(np.unique(instances)[1:])[:3]
    target = target_from_painting(np.isin(instances, chosen).astype(np.uint8))
    target[(target == 1) & (instances > 0)] = 0
    settings = FinetuneSettings(steps=steps, batch_size=2, patch=64, device="cpu", validation_interval=steps)
    begun = in_context([image], [target], ContextSettings(device="cpu"))
    trained = finetune([image], [target], settings).result()
    judged = np.where(target > 0, 0, 1 + (instances > 0)).astype(np.uint8)
    before, after = (dice([apply(model, image, APPLY)], [judged], 1) for model in (begun, trained))
    return before - after


def test_simulated_images_are_segmented_no_worse_after_training() -> None:
    images, _, instances, _ = sample_stack(2, 160)
    assert max(lost(image, truth, 3, 0) for image, truth in zip(images, instances, strict=True)) <= 0.01


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not PARTICLES.is_dir(), reason="the published micrographs are not here")
def test_published_micrographs_are_segmented_worse_on_few_at_most() -> None:
    drops = []
    for path in sorted((PARTICLES / "images").glob("*.png")):
        image = np.asarray(read_image(path).plane(0))
        instances = np.asarray(read_image(PARTICLES / "instances" / path.name).plane(0))
        if image.shape == instances.shape and len(np.unique(instances)) > 10:
            drops.append(lost(image, instances, 15, len(drops)))
    assert np.mean(np.array(drops) > 0.01) <= 0.05
