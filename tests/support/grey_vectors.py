"""A generator that compares grey values, and images on which that is enough."""

import numpy as np

from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import Card, Model, NetworkSpec
from napari_emssl.models.weights import to_numpy


def grey_generator() -> Model:
    """A generator whose pixels have vectors (grey value, 1 - grey value): everything but the skip is switched off."""
    spec = NetworkSpec(name="unet-2-44", width=4, out_channels=3, vector_channels=2)
    weights = {name: np.zeros_like(array) for name, array in to_numpy(network_of(spec).state_dict()).items()}
    for name, array in weights.items():
        if name.endswith(("running_var", "norm1.weight", "norm2.weight")):
            array[...] = 1
        elif name.endswith("shortcut.weight"):
            array[0, 0] = 1
    head = next(name for name in weights if name.startswith("head") and name.endswith("weight"))
    weights[head][:2, 0, 0, 0] = 1, -1
    weights[head.replace("weight", "bias")][1] = 1
    return Model(Card(name="vectors", task="reconstruct", network=spec), weights)


def scene(seed: int = 0, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Bright squares on dark ground: the image and which pixels are square."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((size, size), bool)
    for row in range(8, size - 16, 28):
        for column in range(8, size - 16, 28):
            truth[row : row + 14, column : column + 14] = True
    return (100 + 100 * truth + 5 * rng.standard_normal(truth.shape)).astype(np.float32), truth


def painted(truth: np.ndarray) -> np.ndarray:
    painting = np.zeros(truth.shape, np.uint8)
    painting[8:22, 8:22] = 2
    painting[24:34, 8:34] = 1
    painting[:4], painting[-3:], painting[:, :3], painting[:, -3:] = 1, 1, 1, 1  # networks see the border of an image
    return painting
