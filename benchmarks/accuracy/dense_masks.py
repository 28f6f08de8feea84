"""Dice and area of each class where four images with dense masks are learnt from, and others are judged.

    OMP_NUM_THREADS=1 python benchmarks/accuracy/dense_masks.py DATA [--sets creme ...] [--starts unet-4-200 ...] \
        [--steps 120] [--seeds 3] [--cache CACHE]

DATA holds the sets of `few_painted.py`. Of two films one is learnt from and the other judged; of the simulated film the
painted frame and one more are judged; of other sets eight images. Steps are fixed, so a busy machine gives the same.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from few_labels.micrographs import SETS, micrographs_of
from few_labels.painting import Micrograph

import napari_emssl as em

LEARNT, JUDGED = 4, 8


def divided(name: str, data: Path, cache: Path | None) -> tuple[list[Micrograph], list[Micrograph]]:
    """Return what is learnt from and what is judged."""
    found, films = list(micrographs_of(name, data, cache)), SETS[name].films
    if name == "hrtem":  # the first frame is the one that is painted elsewhere
        return found[1 : LEARNT + 1], [found[0], *found[LEARNT + 1 :]]
    if films:
        first, second = ([each for each in found if each.name.startswith(film)] for film in films)
        return first[:LEARNT], second[:JUDGED]
    return found[:LEARNT], found[LEARNT : LEARNT + JUDGED]


def scores(model: em.Model, judged: Sequence[Micrograph], label: int) -> tuple[float, float]:
    """Mean Dice of a class over the images that have it, and the median of its area as a share of the true one."""
    dices, areas = [], []
    for each in judged:
        known = each.truth > 0
        found, true = (em.apply(model, each.image) == label) & known, each.truth == label + 1
        if true.any():
            dices.append(2 * np.count_nonzero(found & true) / (found.sum() + true.sum()))
            areas.append(found.sum() / true.sum())
    return float(np.mean(dices)), float(np.median(areas))


def main() -> None:
    """Learn from each set with each start, and print a line for each class."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["hrtem", "creme", "pt-alumina", "particles", "nasa_superalloy"])
    parser.add_argument("--starts", nargs="+", default=["unet-4-200"])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, help="folder where simulated frames are kept")
    given = parser.parse_args()
    for name, start in product(given.sets, given.starts):
        learnt, judged = divided(name, given.data, given.cache)
        images, targets = [each.image for each in learnt], [each.truth for each in learnt]
        found = []
        for seed in range(given.seeds):
            settings = em.FinetuneSettings(task="segment", steps=given.steps, seed=seed)
            model = em.finetune(images, targets, settings, start).result()
            found.append([scores(model, judged, label) for label in range(1, len(model.card.classes))])
        for label, (dices, areas) in enumerate(np.moveaxis(np.asarray(found), 0, 2), start=1):
            spread = f"{dices.mean():.3f} ± {dices.std():.3f}, area {np.median(areas):.2f}"
            print(f"{name}, {start}, class {label}: Dice {spread}; seeds {dices.round(3).tolist()}", flush=True)


if __name__ == "__main__":
    main()
