"""A random forest on multi-scale filters, on the very painting and test pixels of a comparison.

Interactive pixel classifiers work like this. Run `napari-emssl compare` first, then give its folder: the draws of every
seed are made again from the settings that it recorded, and each start's last score is set against the forest's.

    napari-emssl compare --images IMAGES --targets MASKS --merge-classes --paint 3 --train-count 1 \
        --score-on unpainted --starts unet-3-96-w8 --seeds 20 -o few-particles
    python benchmarks/accuracy/forest.py few-particles --images IMAGES --targets MASKS

Needs scikit-learn.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.evaluation.comparison.gather import gather_comparison_data
from napari_emssl.evaluation.comparison.results import Comparison
from napari_emssl.evaluation.comparison.results_folder import RECORD, RESULTS, read_results
from napari_emssl.jobs.compare_settings import CompareSettings
from napari_emssl.metrics import confusion, overlap_scores, sum_of
from napari_emssl.training.finetuning.labelled_data import TrainingData

MOST_PIXELS = 100_000


def features(item: LabelledPlane) -> NDArray[np.float32]:
    """Filter responses ``(h, w, features)`` of one scaled plane."""
    return multiscale_basic_features(item.image, sigma_min=0.5, sigma_max=16)


def train(items: Sequence[LabelledPlane], seed: int) -> RandomForestClassifier:
    """Fit 100 trees to the painted pixels, at most 100 000 of them."""
    pixels = np.concatenate([features(item)[item.target > 0] for item in items])
    classes = np.concatenate([item.target[item.target > 0] for item in items])
    some = np.random.default_rng(seed).permutation(len(classes))[:MOST_PIXELS]
    return RandomForestClassifier(100, n_jobs=-1, random_state=seed).fit(pixels[some], classes[some])


def score(sample: TrainingData, seed: int) -> float:
    """Dice over all tested pixels, averaged over the classes."""
    forest, classes = train(sample.training, seed), sample.classes
    counts = []
    for item in sample.test:
        found = forest.predict(features(item).reshape(item.image.size, -1)).reshape(item.image.shape) - 1
        counts.append(confusion(found, item.target, classes))
    return overlap_scores(sum_of(counts), [str(value) for value in range(1, classes)])["dice"]


def line(name: str, values: Sequence[float], forest: Sequence[float]) -> str:
    """Mean, median, 10 % quantile, and how often the forest is behind."""
    ahead = sum(value > other for value, other in zip(values, forest, strict=True))
    return (
        f"{name:28} mean {np.mean(values):.3f}  median {np.median(values):.3f}  "
        f"10 % quantile {np.quantile(values, 0.1):.3f}  ahead of the forest {ahead} of {len(values)}"
    )


def main() -> None:
    """Run the forest for every seed of the comparison and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a comparison")
    for name in ("--images", "--targets", "--test-images", "--test-targets"):
        parser.add_argument(name, type=Path, default=None)
    options = parser.parse_args()
    settings = CompareSettings.model_validate(json.loads((options.folder / RECORD).read_text())["settings"])
    compared = Comparison(tuple(read_results(options.folder / RESULTS)))
    data = gather_comparison_data(
        options.images, options.targets, settings, options.test_images, options.test_targets
    )  # fmt: skip
    clock, forest = time.monotonic(), {}
    for seed in compared.seeds:
        forest[seed] = score(data.sample(seed, IntensityScaling()), seed)
        print(seed, round(forest[seed], 3), flush=True)
    seconds = (time.monotonic() - clock) / len(forest)
    print(line("forest", list(forest.values()), list(forest.values())) + f", {seconds:.1f} s a run")
    for start in compared.starts:
        last = compared.values(start, compared.steps[-1])
        print(line(start, list(last.values()), [forest[seed] for seed in last]))


if __name__ == "__main__":
    main()
