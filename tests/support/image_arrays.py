"""Arrays to write as images, and what an image holds."""

import numpy as np

from napari_emssl.data.images import image


def stacked(image: image.Image) -> np.ndarray:
    """All planes in the image's own shape."""
    every = np.stack([image.plane(i) for i in range(len(image))])
    return every.reshape(image.leading + image.plane_shape)


def random_array(shape: tuple[int, ...], dtype: str = "u1") -> np.ndarray:
    return (np.random.default_rng(0).random(shape) * 100).astype(dtype)
