"""Discs to learn from, and fine-tunings of a few steps."""

import numpy as np

from napari_emssl.jobs.events import Event, Finished
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.models.model_file import Model


def small(**changes: object) -> FinetuneSettings:
    base = {"width": 2, "generator": "unet-2-44", "batch_size": 4, "patch": 32, "steps": 8, "device": "cpu"}
    return FinetuneSettings(**{**base, "validation_interval": 4, **changes})


def discs(seed: int = 0, size: int = 128, count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """A noisy image with bright discs, uint16, and their numbers."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    numbers = np.zeros((size, size), np.uint16)
    places = [(r, c) for r in range(20, size, 40) for c in range(20, size, 40)][:count]
    for number, (row, column) in enumerate(places, 1):
        numbers[(rows - row) ** 2 + (columns - column) ** 2 < 64] = number
    image = 1000 + 800 * (numbers > 0) + 150 * rng.standard_normal((size, size))
    return image.astype(np.uint16), numbers


def paint(numbers: np.ndarray, count: int = 2) -> np.ndarray:
    """Core target: the first discs and a frame of background around each; the rest unpainted."""
    from scipy import ndimage

    chosen = (numbers > 0) & (numbers <= count)
    target = ndimage.binary_dilation(chosen, iterations=6).astype(np.uint8)
    target[chosen] = 2
    return target


def result(events: list[Event]) -> Model:
    assert isinstance(events[-1], Finished)
    return events[-1].result


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())
