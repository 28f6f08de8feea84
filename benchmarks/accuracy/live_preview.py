"""How good and how quick the live preview is: Dice and seconds on images of many particles, three of them painted.

    python benchmarks/accuracy/live_preview.py IMAGES INSTANCES --count 40
    python benchmarks/accuracy/live_preview.py IMAGES INSTANCES --forest --generator unet-3-96-w8 --steps 200

Images and instance masks pair up by name. Painted are three particles, the ring around them and three dabs of
background; Dice is of the pixels left unpainted. ``--forest`` (needs scikit-learn) sets a random forest on the same
features beside it, ``--generator`` the same classifier on the last features of a pretrained U-Net, alone and beside the
filters, and ``--steps`` a fine-tuned network. Seconds are those of the processor, on one thread, so that they do not
depend on what else the computer does; the wall clock's are added in brackets.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from napari_emssl.data.datasets.pairing import find_pairs
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.opening import as_image
from napari_emssl.data.labels.sparse_painting import count_objects, paint_few
from napari_emssl.inference.apply import apply
from napari_emssl.inference.tiles import padded
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.models.build import build_network
from napari_emssl.models.zoo import load_model
from napari_emssl.training.context.pixel_classifier import fit, pixel_features
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.live_preview.filters import FilterPredictor
from napari_emssl.training.live_preview.query import PreviewQuery

LEAST, MOST_PX = 10, 4000


def clocked(work: Callable):
    """Return what `work` returns, processor seconds, and seconds."""
    cpu, wall = time.process_time(), time.monotonic()
    found = work()
    return found, time.process_time() - cpu, time.monotonic() - wall


def painted_images(options):
    """Yield image, numbers of its particles and core target of each image with enough particles."""
    found = 0
    for image_file, mask_file in find_pairs(options.images, options.instances).pairs:
        numbers = as_image(mask_file).plane(0)
        if count_objects(numbers) < LEAST or found == options.count:
            continue
        core = np.where(numbers > 0, 2, 1).astype(np.uint8)
        target = paint_few(core, numbers, options.paint, np.random.default_rng((options.seed, 2, found)))
        found += 1
        yield as_image(image_file).plane(0), numbers, target


def dice(found, numbers, target):
    """Dice of the unpainted pixels."""
    free = target == 0
    mask, truth = (found > 0) & free, (numbers > 0) & free
    return 2 * (mask & truth).sum() / max(1, mask.sum() + truth.sum())


def looked(image, target):
    """Labels by a first look, and by a second stroke, whose features are known; and the clocks of both."""
    painting = np.where(target == 2, 1, np.where(target == 1, 2, 0))
    looker, look = FilterPredictor(), PreviewQuery((image,), (painting,), unpainted="ignored", background=(2,))
    first = clocked(lambda: looker.answer(look))
    return first, clocked(lambda: looker.answer(look))


def sample(target):
    """Places and classes of at most as many painted pixels as the first look learns from."""
    rng, flat = np.random.default_rng(0), target.ravel()
    places = [rng.permutation(np.flatnonzero(flat == value))[: MOST_PX // 2] for value in (1, 2)]
    return np.concatenate(places), np.repeat([0, 1], [len(part) for part in places])


def generator_features(name):
    """Return a function that gives the last features ``(h, w, f)`` of a pretrained generator for a scaled plane."""
    network = build_network(load_model(name))

    def features(unit):
        with torch.inference_mode():
            found = network.features(torch.from_numpy(padded(unit, int(network.stride)))[None, None])[0]
        return found[:, : unit.shape[0], : unit.shape[1]].permute(1, 2, 0).numpy()

    return features


def classified(features, target):
    """Labels by the first look's classifier on other features."""
    flat, (places, classes) = features.reshape(-1, features.shape[-1]), sample(target)
    return fit(flat[places], classes, 2).probabilities(flat).argmax(axis=0).reshape(target.shape)


def forest(features, target):
    """Labels by 100 trees on all painted pixels."""
    from sklearn.ensemble import RandomForestClassifier

    trees = RandomForestClassifier(100, n_jobs=1, random_state=0).fit(features[target > 0], target[target > 0])
    return trees.predict(features.reshape(-1, features.shape[-1])).reshape(target.shape) - 1


def tuned(image, target, steps):
    """Labels by a network fine-tuned on the same painting, from the recommended start."""
    model = finetune([image], [target], FinetuneSettings(steps=steps, device="cpu")).result()
    return apply(model, image)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("instances", type=Path)
    for name, default in (("--count", 40), ("--paint", 3), ("--seed", 0), ("--steps", 0)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--forest", action="store_true")
    parser.add_argument("--generator", default="")
    options = parser.parse_args()
    torch.set_num_threads(1)
    own = generator_features(options.generator) if options.generator else None
    rows = defaultdict(list)

    for image, numbers, target in painted_images(options):
        first, again = looked(image, target)
        for name, (answer, *seconds) in {"first look": first, "next stroke": again}.items():
            rows[name].append((dice(answer["prediction"], numbers, target), *seconds))
        unit = IntensityScaling().fit(image).to_unit(image)
        filters = pixel_features(unit)
        others = {"random forest": lambda: forest(pixel_features(unit), target)} if options.forest else {}  # noqa: B023
        if own:
            alone, both = own(unit), np.concatenate([filters, own(unit)], axis=-1)
            others[options.generator] = lambda: classified(alone, target)  # noqa: B023
            others[f"filters + {options.generator}"] = lambda: classified(both, target)  # noqa: B023
        if options.steps:
            others[f"network, {options.steps} steps"] = lambda: tuned(image, target, options.steps)  # noqa: B023
        for name, work in others.items():
            found, *seconds = clocked(work)
            rows[name].append((dice(found, numbers, target), *seconds))
        print(image.shape, {name: round(float(row[-1][0]), 3) for name, row in rows.items()}, flush=True)

    for name, row in rows.items():
        scores, cpu, wall = np.array(row).T
        print(
            f"{name:28} Dice mean {scores.mean():.3f}, median {np.median(scores):.3f}, "
            f"10 % quantile {np.quantile(scores, 0.1):.3f}; {np.median(cpu):.2f} s ({np.median(wall):.2f} s)"
        )


if __name__ == "__main__":
    main()
