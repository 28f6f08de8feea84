"""A second run that starts from the first one's model, beside one from the generator, on the same larger painting.

    python benchmarks/accuracy/warm_start.py --seeds 6

For each seed two HRTEM images are simulated. Three particles of the first are painted, and a generator is fine-tuned.
Then two particles that it found worst are painted, and two dabs of background on what it took for particles by mistake.
On all that painting a second run follows, from the first one's model and, as long, from the generator. Dice is of the
pixels of the first image that are never painted, and of the second image.
"""

import argparse

import numpy as np
import torch
from scipy import ndimage

from napari_emssl.data.labels.targets import target_from_painting
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.simulation.hrtem.sample_data import paint_some
from napari_emssl.simulation.hrtem.settings import HRTEMSettings
from napari_emssl.simulation.hrtem.simulate import simulate_hrtem
from napari_emssl.training.finetuning.finetune import finetune

LEAST_PX, DAB_PX = 60, 10


def corrected(found, labels, painting):
    """Painting with the two particles found worst, and two dabs (label 2) on the largest false finds."""
    grown = painting.copy()
    left = [k for k in np.unique(labels[labels > 0]) if not painting[labels == k].any()]
    left = [k for k in left if (labels == k).sum() > LEAST_PX]
    for worst in sorted(left, key=lambda k: (found[labels == k] > 0).mean())[:2]:
        grown[ndimage.gaussian_filter((labels == worst).astype(np.float32), 2) > 0.45] = 1
    wrong = (found > 0) & ~ndimage.binary_dilation(labels > 0, iterations=4)
    depth = ndimage.distance_transform_edt(wrong)
    rows, columns = np.indices(depth.shape)
    for _ in range(2):
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        dab = (rows - row) ** 2 + (columns - column) ** 2 <= DAB_PX**2
        if depth[row, column] >= 2:
            grown[dab & (labels == 0)] = 2
        depth[dab] = 0
    return grown


def dice(found, truth, where):
    """Dice of particles over the pixels `where`."""
    found, truth = (found > 0) & where, (truth > 0) & where
    return 2 * (found & truth).sum() / max(1, found.sum() + truth.sum())


def measure(seed, first, second):
    """Return Dice on both images of the first model, the warm one and the one trained anew."""
    one, other = (simulate_hrtem(HRTEMSettings(), [seed, place]) for place in range(2))
    settings = FinetuneSettings(steps=first, seed=seed, patch=96, batch_size=4, device="cpu")
    again = settings.model_copy(update={"steps": second})
    painting = paint_some(one.labels, 3)
    start = finetune([one.image], [target_from_painting(painting, "near", 2)], settings, "unet-4-200").result()
    target = target_from_painting(corrected(apply(start, one.image), one.labels, painting), "near", 2)
    models = [start, *(finetune([one.image], [target], again, base).result() for base in (start, "unet-4-200"))]
    free, everywhere = target == 0, np.ones(other.labels.shape, bool)
    return [
        (dice(apply(m, one.image), one.labels, free), dice(apply(m, other.image), other.labels, everywhere))
        for m in models
    ]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--seeds", 6), ("--first", 80), ("--second", 60)):
        parser.add_argument(name, type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in range(options.seeds):
        rows.append(measure(seed, options.first, options.second))
        print(seed, np.round(rows[-1], 3).tolist(), flush=True)
    scores = np.array(rows)
    for number, name in enumerate(("first run", "second, warm", "second, anew")):
        means = scores[:, number].mean(axis=0)
        print(f"{name:14} same image {means[0]:.3f}, other image {means[1]:.3f}")
    print("warm ahead of anew:", (scores[:, 1] > scores[:, 2]).sum(axis=0).tolist(), "of", len(rows))


if __name__ == "__main__":
    main()
