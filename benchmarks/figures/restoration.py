"""Pictures of the restoration models that ship, on simulated images they have not seen (docs/images/restoration-*.png).

python benchmarks/figures/restoration.py
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import napari_emssl as em
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.metrics import restoration_scores
from napari_emssl.simulation.hrtem.simulate import HRTEMSettings, simulate_hrtem
from napari_emssl.simulation.stem.simulate import STEMSettings, simulate_stem

FOLDER = Path(__file__).parents[2] / "docs" / "images"
TASKS = {"stem-denoise": "no_noise", "stem-remove-background": "no_background", "stem-super-resolve": "sharp"}
SPECIMENS = ("crystal", "edge", "boundary", "particles")
FP32 = ApplySettings(device="cpu", precision="fp32")
Plane = NDArray[np.floating]


def main() -> None:
    """Draw one picture for the models of STEM, one for textures."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    made = [simulate_stem(STEMSettings(specimen=kind), [77, number]) for number, kind in enumerate(SPECIMENS)]
    figure, axes = plt.subplots(len(made), 7, figsize=(15, 2.25 * len(made)), layout="constrained")
    for row, one in zip(axes, made, strict=True):
        draw(row[0], one.image, "recorded")
        for number, (name, truth) in enumerate(TASKS.items()):
            restored, target = em.apply(em.load_model(name), one.image, FP32), getattr(one, truth)
            error = f"{restoration_scores(restored, target)['psnr']:.1f} dB"
            draw(row[1 + 2 * number], restored, f"{name}, {error}", target)
            draw(row[2 + 2 * number], target, "truth", target)
    save(figure, "restoration-stem.png")

    figure, axes = plt.subplots(2, 3, figsize=(9, 6.2), layout="constrained")
    for row, dose in zip(axes, (10.0, 60.0), strict=True):
        clean = simulate_hrtem(HRTEMSettings(size_px=256), seed=5).clean.astype(np.float64)
        electrons = np.random.default_rng(3).poisson(clean / clean.max() * dose) * clean.max() / dose
        restored = em.apply(em.load_model("texture-denoise"), electrons.astype(np.float32), FP32)
        draw(row[0], electrons, f"noise added, {restoration_scores(electrons, clean)['psnr']:.1f} dB", clean)
        draw(row[1], restored, f"texture-denoise, {restoration_scores(restored, clean)['psnr']:.1f} dB", clean)
        draw(row[2], clean, "truth (simulated HRTEM)", clean)
    save(figure, "restoration-texture.png")


def draw(axis: plt.Axes, plane: Plane, title: str, like: Plane | None = None) -> None:
    """Show a plane, black and white being those of `like`."""
    black, white = np.percentile(plane if like is None else like, (0.3, 99.7))
    axis.imshow(plane, cmap="gray", vmin=black, vmax=white)
    axis.set_title(title, fontsize=8)
    axis.set_axis_off()


def save(figure: plt.Figure, name: str) -> None:
    """Write a picture with few greys: it is as clear, and a third as large."""
    figure.savefig(FOLDER / name, dpi=90)
    with Image.open(FOLDER / name) as picture:
        small = picture.convert("L").quantize(40)
    small.save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main()
