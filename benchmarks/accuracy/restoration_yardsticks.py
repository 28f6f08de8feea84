"""Restoration beside the usual filters, on images whose truth is known.

The tables in docs/measurements/restoration.md.

    python benchmarks/accuracy/restoration_yardsticks.py IMAGES TARGETS TASK MODEL [--count N] [--no-bm3d]

Filters have one parameter at the best of several values for each image, chosen with the truth in hand. BM3D
(`pip install bm3d`) gets the true standard deviation of the noise, and, in a second row, the one that scikit-image
estimates. PSNR, SSIM and L1 are those of `napari-emssl evaluate`; where the background is taken away, all are given
after the best linear fit of the intensities, since filters do not know where zero is.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter
from skimage.restoration import denoise_nl_means, denoise_wavelet, estimate_sigma, richardson_lucy

import napari_emssl as em
from napari_emssl.data.datasets.pairing import find_pairs
from napari_emssl.data.images.opening import read_image
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.metrics import restoration_scores
from napari_emssl.models.model_file import Model

Plane = NDArray[np.float64]
Method = Callable[[Plane], Plane]
GROUPS = ((-np.inf, 10.0), (10.0, 20.0), (20.0, np.inf))
"""By the PSNR of the input, dB."""


def main() -> None:
    """Score every method on every image and print the tables."""
    arguments = parsed()
    model = em.load_model(arguments.model)
    fitted = "" if arguments.task == "denoise" else " fitted"
    rows: dict[str, list[tuple[float, dict[str, float]]]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    for image, truth in pairs(arguments.images, arguments.targets, arguments.count):
        noisy = restoration_scores(image, truth)[f"psnr{fitted}"]
        for name, variants in methods(image, truth, arguments.task, model, arguments.bm3d).items():
            mark = time.process_time()
            scores = [restoration_scores(method(image), truth) for method in variants]
            seconds[name] += (time.process_time() - mark) / len(scores)
            rows[name].append((noisy, max(scores, key=lambda score: score[f"psnr{fitted}"])))
        print(f"{len(rows['input'])} images", end="\r", file=sys.stderr)
    show(rows, seconds, fitted)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("targets", type=Path)
    parser.add_argument("task", choices=("denoise", "remove-background", "super-resolve"))
    parser.add_argument("model", help="a name of the zoo, or a file")
    parser.add_argument("--count", type=int, default=24, help="images, evenly spread over all")
    parser.add_argument("--no-bm3d", dest="bm3d", action="store_false")
    return parser.parse_args()


def pairs(images: Path, targets: Path, count: int) -> Iterator[tuple[Plane, Plane]]:
    """Read first planes, evenly spread over the folders."""
    found = find_pairs(images, targets).pairs
    for number in np.unique(np.linspace(0, len(found) - 1, count).astype(int)):
        image, target = (read_image(path).plane(0).astype(float) for path in found[number])
        yield image, target


def methods(image: Plane, truth: Plane, task: str, model: Model, bm3d: bool) -> dict[str, Sequence[Method]]:
    """Return each method with its variants; the best one counts."""
    smooth = [partial(gaussian_filter, sigma=s) for s in (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)]
    found: dict[str, Sequence[Method]] = {"input": [lambda plane: plane]}
    if task == "denoise":
        found |= denoisers(image, truth, bm3d) | {"Gaussian": smooth}
    else:
        found["Gaussian, minus a wide Gaussian"] = [
            partial(band, narrow=s, wide=w) for s in (1.0, 2.0, 3.0) for w in (10, 20, 40)
        ]
    if task == "super-resolve":
        found["Richardson-Lucy on that"] = [
            partial(sharpened, narrow=s, wide=w, psf=p) for s in (0.7, 1.4) for w in (10, 40) for p in (1.5, 2.5, 4.0)
        ]
    plain, averaged = ApplySettings(device="cpu"), ApplySettings(device="cpu", test_time_augmentation=True)
    found[model.name] = [lambda plane: em.apply(model, plane.astype(np.float32), plain).astype(float)]
    found[f"{model.name}, 8-fold"] = [lambda plane: em.apply(model, plane.astype(np.float32), averaged).astype(float)]
    return found


def denoisers(image: Plane, truth: Plane, bm3d: bool) -> dict[str, Sequence[Method]]:
    """The filters that do nothing but denoise."""
    true, estimated = float((image - truth).std()), float(estimate_sigma(image))
    patches = {"patch_size": 5, "patch_distance": 9, "fast_mode": True}
    found: dict[str, Sequence[Method]] = {
        "median": [partial(median_filter, size=size) for size in (3, 5, 7, 9)],
        "wavelet (BayesShrink)": [partial(denoise_wavelet, sigma=s, rescale_sigma=True) for s in (true, estimated)],
        "non-local means": [
            partial(denoise_nl_means, sigma=s, h=h * s, **patches) for s in (true, estimated) for h in (0.4, 0.8, 1.2)
        ],
    }
    if bm3d:
        from bm3d import bm3d as block_matching

        found["BM3D, true sigma"] = [partial(block_matching, sigma_psd=true)]
        found["BM3D, estimated sigma"] = [partial(block_matching, sigma_psd=estimated)]
    return found


def band(plane: Plane, narrow: float, wide: float) -> Plane:
    """What varies neither quicker nor slower than wanted."""
    return gaussian_filter(plane, narrow) - gaussian_filter(plane, wide)


def sharpened(plane: Plane, narrow: float, wide: float, psf: float) -> Plane:
    """Richardson-Lucy deconvolution, 20 rounds, with a Gaussian of `psf` pixels."""
    positive = band(plane, narrow, wide)
    positive = (positive - positive.min()) / np.ptp(positive) + 1e-3
    offsets = np.arange(-12, 13)
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * psf**2))
    return richardson_lucy(positive, kernel / kernel.sum(), num_iter=20, clip=False)


def show(rows: dict[str, list[tuple[float, dict[str, float]]]], seconds: dict[str, float], fitted: str) -> None:
    """Print means over all images and over those of each group."""
    inputs = np.array([psnr for psnr, _ in rows["input"]])
    groups = [(inputs >= low) & (inputs < high) for low, high in GROUPS]
    sizes = ", ".join(str(int(group.sum())) for group in groups)
    print(f"\n{len(inputs)} images; input below 10 dB, 10 to 20, above 20: {sizes} images\n")
    print(
        "| method | PSNR (dB) | below 10 | 10 to 20 | above 20 | SSIM | L1 | CPU s |\n|---|---|---|---|---|---|---|---|"
    )
    for name, results in rows.items():
        keys = [f"{key}{fitted}" for key in ("psnr", "ssim", "l1")]
        psnr, ssim, l1 = (np.array([score[key] for _, score in results]) for key in keys)
        parts = " | ".join(f"{psnr[group].mean():.2f}" if group.any() else "-" for group in groups)
        ends = f"{ssim.mean():.3f} | {l1.mean():.4f} | {seconds[name] / len(psnr):.2f}"
        print(f"| {name} | {psnr.mean():.2f} | {parts} | {ends} |")


if __name__ == "__main__":
    main()
