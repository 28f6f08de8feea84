"""Picture of what pretrained generators do: simulated micrographs, corrupted and restored (docs/images/restored.png).

python benchmarks/figures/restored.py [NAME ...]
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import napari_emssl as em
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.corruption import corrupt
from napari_emssl.simulation.hrtem.sample_data import gold_sample

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "restored.png"
EDGE = 224


def main() -> None:
    """Draw one row for each of two simulated planes: corrupted, restored by each generator, clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["unet-2-44", "unet-3-96-w8", "hrnet-w18-small"])
    names = parser.parse_args().names
    planes = np.asarray(gold_sample().images)[:2, :EDGE, :EDGE]
    figure, axes = plt.subplots(2, len(names) + 2, figsize=(2.3 * (len(names) + 2), 5), layout="constrained")
    for row, plane in zip(axes, planes, strict=True):
        clean = IntensityScaling().fit(plane).to_unit(plane)
        source = torch.Generator().manual_seed(1)
        corrupted = corrupt(torch.from_numpy(clean)[None, None], (0.12, 0.12), (1.0, 1.0), source)[0, 0].numpy()
        restored = [em.apply(em.load_model(name), corrupted) for name in names]
        pictures = {"corrupted": corrupted, **dict(zip(names, restored, strict=True)), "clean": clean}
        for axis, (title, picture) in zip(row, pictures.items(), strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            error = "" if title == "clean" else f"\nL1 {np.abs(picture - clean).mean():.3f}"
            axis.set_title(title + error, fontsize=9)
            axis.set_axis_off()
    figure.savefig(PICTURE, dpi=80)


if __name__ == "__main__":
    main()
