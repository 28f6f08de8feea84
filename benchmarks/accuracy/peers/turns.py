"""Patches turned and flipped, for who cannot do it."""

import numpy as np
from numpy.typing import NDArray


def turned(images: NDArray, masks: NDArray, seed: int) -> tuple[NDArray, NDArray]:
    """Turn and flip patches at random, each with its mask."""
    generator = np.random.default_rng(seed)
    ways = generator.integers(0, 8, len(images))
    images, masks = (
        np.stack([np.rot90(one[:, ::-1] if way > 3 else one, way) for one, way in zip(stack, ways, strict=True)])
        for stack in (images, masks)
    )
    return images, masks
