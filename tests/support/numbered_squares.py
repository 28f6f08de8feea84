"""Made-up micrographs: bright squares on dark ground, in memory and as the folders of a set."""

from pathlib import Path

import numpy as np

from napari_emssl.data.images.writers import write_image

EDGE_PX, STEP_PX = 8, 24


def squares(count: int, size: int = 96) -> np.ndarray:
    """Number `count` squares of 8 px that stand apart."""
    numbers = np.zeros((size, size), np.uint8)
    places = [(row, column) for row in range(6, size - 8, STEP_PX) for column in range(6, size - 8, STEP_PX)]
    for number, (row, column) in enumerate(places[:count], start=1):
        numbers[row : row + EDGE_PX, column : column + EDGE_PX] = number
    return numbers


def picture(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 4, mask.shape)
    return (80 + 100 * (mask > 0) + noise).astype(np.uint8)


def write_set(folder: Path, masks_folder: str, masks: dict[str, np.ndarray]) -> None:
    """Write images and masks, by the names of their files."""
    for seed, (name, mask) in enumerate(masks.items()):
        write_image(folder / "images" / name, picture(mask, seed))
        write_image(folder / masks_folder / name, mask)
