"""How good a mask a few painted particles give, on real micrographs whose truth is known.

Paints whole particles, the ring around them and three dabs of background on every image of ``DATA/particles``
that shows at least ten, trains each contender on that painting alone, and scores Dice over the unpainted pixels.
Contenders run one after the other on the same image, so a change of the machine's speed hits all of them.

    python benchmarks/few_particles.py ../shared/data --images 40 --seconds 60 unet-3-96-w8 scratch forest

``forest`` is a random forest on multi-scale filters (needs scikit-learn), ``scratch`` the first start's network with
random weights.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import napari_emssl as em
from napari_emssl.data.planes import read_image
from napari_emssl.data.scaling import IntensityScaling

LEAST_PARTICLES = 10


def micrographs(folder: Path, count: int) -> list[tuple[str, NDArray, NDArray]]:
    """Name, image and numbered particles of the first `count` images with enough particles."""
    found = []
    for path in sorted((folder / "images").glob("*.png")):
        numbers = read_image(folder / "instances" / path.name).plane(0)
        if len(np.unique(numbers)) > LEAST_PARTICLES:
            found.append((path.stem, read_image(path).plane(0), numbers))
    return found[:count]


def paint(numbers: NDArray, particles: int, seed: int) -> NDArray[np.uint8]:
    """Core target: `particles` whole particles, the ring around them, and three dabs of background."""
    rng = np.random.default_rng(seed)
    labels, areas = np.unique(numbers[numbers > 0], return_counts=True)
    large = labels[areas >= 30] if (areas >= 30).sum() >= particles else labels
    chosen = np.isin(numbers, rng.choice(large, particles, replace=False))
    ring = max(4, int(0.5 * np.sqrt(np.median(areas) / np.pi)))
    background = numbers == 0
    target = ((ndimage.distance_transform_edt(~chosen) <= ring) & background).astype(np.uint8)
    rows, columns = np.mgrid[: numbers.shape[0], : numbers.shape[1]]
    places = np.argwhere(ndimage.distance_transform_edt(background) > 3)
    for row, column in places[rng.choice(len(places), 3)]:
        target[((rows - row) ** 2 + (columns - column) ** 2 <= 64) & background] = 1
    target[chosen] = 2
    return target


def forest(image: NDArray, target: NDArray, _options: argparse.Namespace) -> NDArray[np.bool_]:
    """Random forest on multi-scale filter responses, as interactive pixel classifiers use it."""
    from skimage.feature import multiscale_basic_features
    from sklearn.ensemble import RandomForestClassifier

    unit = IntensityScaling().fit(image).to_unit(image)
    features = multiscale_basic_features(unit, sigma_min=0.5, sigma_max=16)
    painted = target > 0
    classifier = RandomForestClassifier(100, n_jobs=-1).fit(features[painted], target[painted])
    return (classifier.predict(features.reshape(-1, features.shape[-1])) == 2).reshape(target.shape)


def network(start: str, first: str) -> Callable[[NDArray, NDArray, argparse.Namespace], NDArray[np.bool_]]:
    """Return fine-tuning from `start`; ``scratch`` takes the network of the start `first`."""

    def segment(image: NDArray, target: NDArray, options: argparse.Namespace) -> NDArray[np.bool_]:
        spec = em.load_model(first).card.network if start == "scratch" else None
        settings = em.FinetuneSettings(
            steps=options.steps,
            max_seconds=options.seconds,
            generator=spec.name if spec else None,
            width=spec.width if spec else None,
            seed=options.seed,
        )
        model = em.finetune([image], [target], settings, start).result()
        return em.apply(model, image) > 0

    return segment


def dice(found: NDArray, numbers: NDArray, target: NDArray) -> float:
    """Dice over the unpainted pixels."""
    judged = target == 0
    both = (found & (numbers > 0))[judged].sum()
    return float((2 * both + 1) / (found[judged].sum() + (numbers > 0)[judged].sum() + 1))


def main() -> None:
    """Run all contenders on all images and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds particles/images and particles/instances")
    parser.add_argument("contenders", nargs="+", help="names of starts, model files, scratch, forest")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--particles", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=None, help="training time for each image")
    parser.add_argument("--steps", type=int, default=None, help="training steps for each image")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None, help="write every score to this file")
    options = parser.parse_args()
    scores: dict[str, list[float]] = {name: [] for name in options.contenders}
    seconds = dict.fromkeys(options.contenders, 0.0)
    for number, (name, image, numbers) in enumerate(micrographs(options.data / "particles", options.images)):
        target = paint(numbers, options.particles, number)
        for contender in options.contenders:
            segment = forest if contender == "forest" else network(contender, options.contenders[0])
            clock = time.monotonic()
            scores[contender].append(dice(segment(image, target, options), numbers, target))
            seconds[contender] += time.monotonic() - clock
        print(name, {key: round(values[-1], 3) for key, values in scores.items()}, flush=True)
    for contender, values in scores.items():
        print(
            f"{contender:24} mean {np.mean(values):.3f}  median {np.median(values):.3f}  "
            f"10 % quantile {np.quantile(values, 0.1):.3f}  {seconds[contender] / len(values):.1f} s an image"
        )
    if options.json:
        options.json.write_text(json.dumps(scores))


if __name__ == "__main__":
    main()
