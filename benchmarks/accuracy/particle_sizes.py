"""Bias and scatter of particle sizes, and of counting touching ones, on masks whose truth is known.

``python benchmarks/accuracy/particle_sizes.py [--repeats N] [--seed S]`` prints the tables of
``docs/measurements/particle-sizes.md``; ``--instances FOLDER`` makes masks of numbered particles and reports how well
these come back.

Shapes are drawn with soft edges (8 x 8 points in a pixel) at random places and angles; a pixel belongs to the mask
where at least half of it is covered. A rough border is moved in and out by noise of the given standard deviation,
smooth over about a pixel; the largest piece is kept.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_emssl.data.images.opening import find_images, read_image
from napari_emssl.jobs.settings import MeasureSettings
from napari_emssl.particles import measure_particles
from napari_emssl.particles.split_touching import cut_at_necks, join_fragments

FINE = 8
DIAMETERS = (3, 5, 8, 12, 20, 40, 80)
DEFAULT = MeasureSettings().split
SPLITS = (0.7, 0.8, 0.85, 0.9, 0.95)


def shape(rng, axes, centres=((0.0, 0.0),), rough=0.0):
    """Draw ellipses of these axes (px) at these centres along a random direction, as one mask."""
    n = int(np.ceil(max(axes) + 2 * np.abs(centres).max())) + 9
    angle, start = rng.uniform(0, np.pi), n / 2 + rng.uniform(-0.5, 0.5, 2)
    y, x = (np.stack(np.meshgrid(*[(np.arange(n * FINE) + 0.5) / FINE] * 2, indexing="ij")).T - start).T
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = np.zeros((n * FINE, n * FINE), bool)
    for u, v in centres:
        inside |= ((along - u) / axes[0]) ** 2 + ((across - v) / axes[1]) ** 2 <= 0.25
    return roughened(rng, inside, rough) if rough else inside.reshape(n, FINE, n, FINE).mean((1, 3)) >= 0.5


def roughened(rng, inside, rough):
    """Move the border in and out by smoothed noise of the standard deviation `rough`, in pixels."""
    n = inside.shape[0] // FINE
    outside = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    distance = outside.reshape(n, FINE, n, FINE).mean((1, 3)) / FINE
    noise = ndimage.gaussian_filter(rng.normal(size=(n, n)), 1.0)
    mask = distance <= noise / noise.std() * rough
    pieces, _ = ndimage.label(mask, np.ones((3, 3)))
    return pieces == np.bincount(pieces[pieces > 0]).argmax()


def measured(masks, split=0.0):
    """Measure masks, each on its own."""
    return [
        measure_particles(
            mask.astype(np.uint8), settings=MeasureSettings(split=split, exclude_border=False, min_pixels=0)
        )
        for mask in masks
    ]


def sizes(rng, repeats, rough):
    """Print bias and scatter of single discs."""
    names = ("equivalent_diameter", "feret_max", "feret_min", "perimeter")
    print(f"\nDiscs, border rough by {rough:g} px: bias +- scatter of one particle in %; circularity")
    print("| diameter, px | equivalent diameter | Feret, largest | Feret, smallest | perimeter | circularity |")
    print("|---|---|---|---|---|---|")
    for diameter in (d for d in DIAMETERS if d > 8 * rough):
        tables = measured([shape(rng, (diameter, diameter), rough=rough) for _ in range(repeats)])
        cells = []
        for name in names:
            true = diameter * (np.pi if name == "perimeter" else 1)
            error = 100 * (np.array([t.columns[name][0] for t in tables]) / true - 1)
            cells.append(f"{error.mean():+.1f} ± {error.std():.1f}")
        round_ = np.array([t.columns["circularity"][0] for t in tables])
        print(f"| {diameter} | {' | '.join(cells)} | {round_.mean():.3f} ± {round_.std():.3f} |")


def ellipses(rng, repeats):
    """Print bias and scatter of the axes of ellipses."""
    print("\nEllipses, long axis twice the short one: bias +- scatter in %; eccentricity (true: 0.866)")
    print("| short axis, px | diameter | major axis | minor axis | Feret, largest | perimeter | eccentricity |")
    print("|---|---|---|---|---|---|---|")
    for short in DIAMETERS[1:-1]:
        tables = measured([shape(rng, (2 * short, short)) for _ in range(repeats)])
        a, b = short, short / 2
        ramanujan = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
        truth = {"equivalent_diameter": np.sqrt(2) * short, "major_axis": 2 * short, "minor_axis": short,
                 "feret_max": 2 * short, "perimeter": ramanujan}  # fmt: skip
        cells = []
        for name, true in truth.items():
            error = 100 * (np.array([t.columns[name][0] for t in tables]) / true - 1)
            cells.append(f"{error.mean():+.1f} ± {error.std():.1f}")
        flat = np.array([t.columns["eccentricity"][0] for t in tables])
        print(f"| {short} | {' | '.join(cells)} | {flat.mean():.3f} ± {flat.std():.3f} |")


def pairs(rng, repeats, rough):
    """Print how often two touching discs are counted as two, and single shapes as one."""
    print(f"\nRight counts in %, border rough by {rough:g} px, by the strength of separation")
    print(f"| what is there | neck / width | {' | '.join(map(str, SPLITS))} |")
    print("|---|---|" + "---|" * len(SPLITS))
    for diameter in (10, 20, 40):
        for distance in (0.95, 0.8, 0.6, 0.4):
            halves = ((-distance * diameter / 2, 0.0), (distance * diameter / 2, 0.0))
            masks = [shape(rng, (diameter, diameter), halves, rough) for _ in range(repeats)]
            what = f"two discs of {diameter} px, centres {distance:g} diameters apart"
            counted(what, np.sqrt(1 - distance**2), masks, 2)
        for long, kind in ((1, "a disc of {} px"), (2, "an ellipse of {} x {} px")):
            masks = [shape(rng, (long * diameter, diameter), rough=rough) for _ in range(repeats)]
            counted(kind.format(*(long * diameter, diameter)[2 - long :]), 1.0, masks, 1)


def counted(what, neck, masks, count):
    """Print the share of masks in which so many particles are found, for each strength."""
    shares = []
    for split in SPLITS:
        right = [len(table) == count for table in measured(masks, split)]
        shares.append(f"{100 * np.mean(right):.0f}")
    print(f"| {what} | {neck:.2f} | {' | '.join(shares)} |")


def separated(rng, repeats, rough):
    """Print bias and scatter of the diameters of two discs that touch, where both were found."""
    print(f"\nDiscs of touching pairs, split {DEFAULT:g}, border rough by {rough:g} px: diameter, bias +- scatter in %")
    print("| diameter, px | centres 0.95 diameters apart | 0.8 |")
    print("|---|---|---|")
    for diameter in (10, 20, 40):
        cells = []
        for distance in (0.95, 0.8):
            halves = ((-distance * diameter / 2, 0.0), (distance * diameter / 2, 0.0))
            tables = measured([shape(rng, (diameter, diameter), halves, rough) for _ in range(repeats)], DEFAULT)
            found = [t.columns["equivalent_diameter"] for t in tables if len(t) == 2]
            error = 100 * (np.concatenate(found) / diameter - 1)
            cells.append(f"{error.mean():+.1f} ± {error.std():.1f}")
        print(f"| {diameter} | {' | '.join(cells)} |")


def recovered(folder):
    """Print how well numbered particles come back from the mask that they make up together."""
    planes = [image.plane(i) for image in map(read_image, find_images(folder)) for i in range(len(image))]
    planes = [np.unique(plane, return_inverse=True)[1].reshape(plane.shape) for plane in planes]
    fragments = [cut_at_necks(plane > 0) for plane in planes]
    true = sum(int(plane.max()) for plane in planes)
    print(f"\nNumbered particles in {len(planes)} planes, from their mask ({true} particles)")
    print("| strength | found | true ones found again (IoU > 0.5), % | of those found, % |")
    print("|---|---|---|---|")
    for split in (0.0, *SPLITS):
        found = [join_fragments(cut_mask, split)[0] for cut_mask in fragments]
        count = sum(int(instances.max()) for instances in found)
        good = sum(matches(plane, instances) for plane, instances in zip(planes, found, strict=True))
        print(f"| {split:g} | {count} | {100 * good / true:.1f} | {100 * good / count:.1f} |")


def matches(one, other):
    """Count the pairs of particles that overlap by more than half of their union."""
    sizes = [np.bincount(numbers.ravel()) for numbers in (one, other)]
    pairs, shared = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1, return_counts=True)
    union = sizes[0][pairs[0]] + sizes[1][pairs[1]] - shared
    return int(((shared > 0.5 * union) & (pairs > 0).all(0)).sum())


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--instances", type=Path, help="measure these numbered particles only")
    options = parser.parse_args()
    if options.instances:
        return recovered(options.instances)
    rng = np.random.default_rng(options.seed)
    for rough in (0.0, 0.5, 1.0):
        sizes(rng, options.repeats, rough)
    ellipses(rng, options.repeats)
    for rough in (0.0, 0.5, 1.0):
        pairs(rng, options.repeats, rough)
        separated(rng, options.repeats, rough)


if __name__ == "__main__":
    main()
