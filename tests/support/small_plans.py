"""Synthetic data in the layouts of the paper's sets, and plans of a few seconds for them."""

from pathlib import Path

import h5py
import numpy as np

from napari_emssl.data.images.writers import write_image

SEGMENT = """
title = "Small"
table = "small"
seeds = 2
panels = 2
settings = {{ recipe = "paper", epochs = 2, validation_epochs = 1, patch = 32, batch_size = 2, learning_rate = 0.01 }}
{paper}
[[data]]
dataset = "Au"
images = "au"
targets = "au"
planes = [6, 2, 2]

[[networks]]
model = "U-Net_2_44"
generator = "unet-2-44"
width = 2
blocks = 2
rf = 44

[[starts]]
init = "R"

[[starts]]
init = "P4"
file = "{{generator}}.safetensors"
images = 4

[pretraining]
images = "tiles"
settings = {{ steps = 2, batch_size = 2, patch = 64, discriminator_width = 4, validation = 1, validation_interval = 1 }}
"""

RESTORE = """
title = "Small restorations"
table = "small7"
panels = 1
settings = { epochs = 2, validation_epochs = 1, patch = 64, batch_size = 4, target_levels = "own", seed = 1 }

[[data]]
dataset = "TEMImageNet"
label = "DN"
task = "denoise"
images = "stem"
targets = "stem"

[[data]]
dataset = "TEMImageNet"
label = "SR"
task = "super-resolve"
images = "stem"
targets = "stem"

[[networks]]
model = "HRNet"
generator = "hrnet-w18-small"
width = 2

[[starts]]
init = "R"
"""


def make_data(root: Path, count: int = 10) -> Path:
    """Write an HDF5 set of discs, pairs in the layout of TEM-ImageNet, and unlabelled tiles."""
    images, labels = zip(*(_discs(seed) for seed in range(count)), strict=True)
    for kind, stack in (("images", images), ("labels", labels)):
        (root / "au").mkdir(parents=True, exist_ok=True)
        with h5py.File(root / "au" / f"{kind.title()}.h5", "w") as file:
            file[kind] = np.stack(stack)
    for number, image in enumerate(images):
        write_image(root / "stem" / "image" / f"{number:05}.tif", image)
        for folder in ("noNoise", "noNoiseNoBackgroundSuperresolution"):
            write_image(root / "stem" / folder / f"{number:05}.tif", labels[number].astype(np.float32))
        write_image(root / "tiles" / f"{number}.tif", image)
    return root


def write_plan(path: Path, text: str = SEGMENT, paper: str = "") -> Path:
    """Write a plan, and the paper's cells beside it where there are some."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if paper:
        path.with_name("cells.csv").write_text(paper)
    path.write_text(text.format(paper='paper = "cells.csv"' if paper else "") if text is SEGMENT else text)
    return path


def _discs(seed: int, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    mask = np.zeros((size, size), np.uint8)
    for row, column in rng.integers(8, size - 8, (3, 2)):
        mask[(rows - row) ** 2 + (columns - column) ** 2 < 60] = 1
    return (mask + 0.3 * rng.standard_normal(mask.shape)).astype(np.float32), mask
