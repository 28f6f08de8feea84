"""Diameters of particles found in context, by paint that is exact, too wide, and too narrow.

    python benchmarks/accuracy/painted_sizes.py

Three separate particles of each collage are painted, with the ring of 3 px around them as background. Compared are the
mean diameters of the others, as found and in truth: those that lie whole in the picture and came out as one piece of
their own. Collages are of 512 px on random textures, so nothing but the simulator is needed.
"""

import argparse

import numpy as np
from scipy import ndimage

import napari_emssl as em
from napari_emssl.simulation.collage.collage import CollageMaker
from napari_emssl.simulation.collage.settings import CollageSettings
from napari_emssl.simulation.collage.textures import Textures, random_textures

SETTINGS = CollageSettings(
    size_px=512, radius_min_px=6, radius_max_px=30, kinds_max=1, touching=0, packed=0, clustered=0, nested=0,
    lettering=0, cover_max=0.3,
)  # fmt: skip


def widened(mask, share):
    """Every object wider by a share of its diameter: its area grows by the pixels that are deepest in its blur."""
    numbers, count = ndimage.label(mask)
    out = mask.copy()
    for number in range(1, count + 1):
        own = numbers == number
        depth = np.where(own, 0, ndimage.gaussian_filter(own.astype(float), 2))
        more = round(((1 + share) ** 2 - 1) * own.sum())
        out.flat[np.argsort(-depth, axis=None)[:more]] = True
    return out


PAINT = {
    "exact": lambda mask: mask,
    "2 % too wide": lambda mask: widened(mask, 0.02),
    "4 % too wide": lambda mask: widened(mask, 0.04),
    "1 px too wide": ndimage.binary_dilation,
    "1 px too narrow": ndimage.binary_erosion,
}
LEAST_PX, FEWEST = 60, 4


def whole_objects(numbers):
    """Numbers of the objects that do not touch the border and are not tiny."""
    at_border = np.unique(np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]]))
    areas = np.bincount(numbers.ravel())
    return [n for n in range(1, len(areas)) if areas[n] > LEAST_PX and n not in at_border]


def mean_diameters(numbers, found, others):
    """Mean diameter as found and in truth of the objects that came out as one piece of their own; None for too few."""
    pieces, _ = ndimage.label(found)
    pairs = []
    for number in others:
        own = numbers == number
        here = np.unique(pieces[own & (pieces > 0)])
        if len(here) == 1 and len(np.unique(numbers[pieces == here[0]])) <= 2:
            pairs.append(np.sqrt([(pieces == here[0]).sum(), own.sum()]))
    return np.mean(pairs, 0) if len(pairs) >= FEWEST else None


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=24, help="collages")
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--paint", nargs="+", choices=PAINT, default=list(PAINT), metavar="PAINT")
    arguments = parser.parse_args()
    make = CollageMaker(Textures(random_textures(12, 512, 3)), SETTINGS, arguments.seed)
    off = {name: [] for name in arguments.paint}
    for index in range(arguments.count):
        collage = make(index)
        numbers, image = collage.numbers.numpy(), collage.image.numpy()
        objects = np.random.default_rng(index).permutation(whole_objects(numbers))
        for name in arguments.paint:
            paint = PAINT[name](np.isin(numbers, objects[:3]))
            painting = np.where(paint, 2, ndimage.binary_dilation(paint, iterations=3)).astype(np.uint8)
            if len(objects) < 8 or not paint.any():
                continue
            found = em.apply(em.in_context([image], [painting]), image) == 1
            means = mean_diameters(numbers, found, objects[3:])
            if means is not None:
                off[name].append(100 * (means[0] / means[1] - 1))
    print("| paint | collages | median | mean | standard error |\n|---|---|---|---|---|")
    for name, values in off.items():
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        print(f"| {name} | {len(values)} | {np.median(values):+.1f} % | {np.mean(values):+.1f} % | {error:.1f} % |")


if __name__ == "__main__":
    main()
