"""Denoising one noisy image with nothing but itself, beside Gaussians.

    OMP_NUM_THREADS=1 python benchmarks/accuracy/blind_spot.py IMAGE [IMAGE ...] [--psnr 14 20] [--steps 100]

Each image, shrunk up to four times so that little of its own noise is left, is taken for the truth: its middle of 384 x
384 px gets the noise of counting electrons, as much as makes that PSNR. The best Gaussian is chosen in hindsight, by
the truth that nobody has; the other one by hidden pixels. The networks train for so many steps on one thread, so that a
busy machine gives the same figures. Columns: PSNR in dB; in brackets the Gaussian's sigma in pixels, and of a network
what it adds to and the share of the noisy image in its result.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

import napari_emssl as em
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.training.finetuning.noise_start import SMOOTHINGS_PX, best_smoothing, hidden

Floats = NDArray[np.float32]
SIZE, MOST_SHRUNK, HIDINGS = 384, 4, 4
DARKEST = 0.1
"""Of the brightest pixel: what the darkest one becomes before electrons are counted."""


def truth_of(path: Path) -> Floats:
    """Return the middle of an image, shrunk, from 0.1 to 1."""
    plane = em.read_image(path).plane(0).astype(np.float32)
    factor = max(1, min(MOST_SHRUNK, min(plane.shape) // SIZE))
    rows, columns = (edge // factor for edge in plane.shape)
    shrunk = plane[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor).mean((1, 3))
    top, left = (max(0, edge - SIZE) // 2 for edge in shrunk.shape)
    middle = shrunk[top : top + SIZE, left : left + SIZE]
    return DARKEST + (1 - DARKEST) * (middle - middle.min()) / np.ptp(middle)


def counted(truth: Floats, psnr: float) -> Floats:
    """Return a truth with the noise of counting so many electrons that its PSNR is `psnr` dB."""
    dose = truth.mean() * 10 ** (psnr / 10) / np.ptp(truth) ** 2
    return (np.random.default_rng(0).poisson(truth * dose) / dose).astype(np.float32)


def psnr_of(found: Floats, truth: Floats) -> float:
    """Return the PSNR in dB."""
    return float(10 * np.log10(np.ptp(truth) ** 2 / np.mean((found - truth) ** 2)))


def gaussian(noisy: Floats, sigma_px: float) -> Floats:
    """Return a noisy image smoothed."""
    return ndimage.gaussian_filter(noisy, sigma_px, mode="mirror", truncate=3.0)


def chosen_by_hidden_pixels(noisy: Floats) -> float:
    """Return the width that foretells hidden pixels best."""
    levels = IntensityScaling().fit(noisy)
    plane = LabelledPlane(levels.to_unit(noisy), levels.to_unit(noisy, clip=False))
    return best_smoothing([hidden(plane, (0, 0), seed) for seed in range(HIDINGS)])[0]


def learning_rate(start: str) -> float:
    """Return the learning rate for a start: a model that denoises already goes on at half the rate."""
    return 2e-3 if em.load_model(start).card.task == "reconstruct" else 1e-3


def learnt(noisy: Floats, start: str, steps: int) -> em.Model:
    """Fine-tune on a noisy image alone."""
    settings = em.FinetuneSettings(
        task="denoise", supervision="blind-spot", steps=steps, learning_rate=learning_rate(start),
        device="cpu", precision="fp32",
    )  # fmt: skip
    return em.finetune([noisy], None, settings, start).result()


def row(name: str, truth: Floats, noisy: Floats, starts: list[str], steps: int) -> str:
    """Return a row of the table."""
    best = max(SMOOTHINGS_PX, key=lambda sigma: psnr_of(gaussian(noisy, sigma), truth))
    chosen = chosen_by_hidden_pixels(noisy)
    cells = [name, f"{psnr_of(noisy, truth):.1f}"]
    cells += [f"{psnr_of(gaussian(noisy, sigma), truth):.2f} ({sigma:g})" for sigma in (best, chosen)]
    for start in starts:
        model = learnt(noisy, start, steps)
        network = model.card.network
        adds = f"{network.smoothing_px:g} px" if network.smoothing_px else "as it is"
        found = psnr_of(em.apply(model, noisy), truth)
        cells.append(f"{found:.2f} ({adds}; {network.image_share:.0%})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure the images asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--psnr", nargs="+", type=float, default=[14, 20], help="of the noisy images, dB")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--starts", nargs="+", default=["stem-denoise", "unet-4-200"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["image", "noisy", "best Gaussian", "Gaussian by hidden pixels", *options.starts]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)
    for path in options.images:
        for level in options.psnr:
            truth = truth_of(path)
            print(row(path.stem, truth, counted(truth, level), options.starts, options.steps), flush=True)


if __name__ == "__main__":
    main()
