"""Blobs to learn from, and pretrainings of a few steps."""

import numpy as np

from napari_emssl.jobs.events import Event, Finished, Progress
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.models.model_file import Model


def small(**changes: object) -> PretrainSettings:
    base = {"width": 2, "batch_size": 4, "patch": 64, "steps": 6, "discriminator_width": 4, "validation": 1}
    return PretrainSettings(**{**base, "validation_interval": 2, "device": "cpu", **changes})


def blobs(count: int = 4, size: int = 80) -> list[np.ndarray]:
    """Smooth random images, uint8."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    smooth = [ndimage.gaussian_filter(rng.standard_normal((size, size)), 4) for _ in range(count)]
    return [((image - image.min()) / np.ptp(image) * 255).astype(np.uint8) for image in smooth]


def losses(events: list[Event]) -> list[dict[str, float]]:
    return [dict(e.losses) | dict(e.metrics) for e in events if isinstance(e, Progress)]


def result(events: list[Event]) -> Model:
    assert isinstance(events[-1], Finished)
    return events[-1].result
