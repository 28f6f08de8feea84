"""Denoising a stack without any clean image, beside classical filters and training on the true clean images.

    python benchmarks/accuracy/self_supervised.py [CASE ...] --steps 100 --start stem-denoise [--real FOLDER]

BM3D is measured where the package ``bm3d`` is installed. Cases are simulated films whose
truth is known; FOLDER holds frames of a real film, of which there are pictures only. The networks train for a number of
steps on one thread, so that a busy machine gives the same figures; the seconds printed are those of the processor.
Sigmas and strengths of the filters are the best in hindsight.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from blind_spot import learning_rate
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means

import napari_emssl as em
from napari_emssl.simulation.stem.scan import with_lag
from napari_emssl.simulation.stem.settings import STEMSettings
from napari_emssl.simulation.stem.simulate import simulate_stem

Floats = NDArray[np.float32]
FRAMES, SIZE = 8, 384
FILTERED = (1, 5)
"""Frames by which all are scored: BM3D takes long."""
DRIFT_PX = (0.4, -0.25)
CASES = {
    "gold": {"crystal": "Au", "specimen": "particles", "diameter_nm": 5, "dose_per_nm2": 3e4},
    "oxide": {"crystal": "SrTiO3", "specimen": "edge", "dose_per_nm2": 5e5},
    "slow-detector": {"crystal": "Au", "specimen": "particles", "diameter_nm": 5, "dose_per_nm2": 1e5},
}
LAG = {"slow-detector": 0.5}


def film(case: str) -> tuple[Floats, Floats]:
    """Noisy and clean frames ``(n, h, w)`` in electrons per pixel: one specimen that drifts, new noise each time."""
    settings = STEMSettings(size_px=SIZE, pixel_size_nm=0.02, probe_fwhm_nm=0.09, lag=0, **CASES[case])
    still = simulate_stem(settings, seed=0 if case == "gold" else 2).no_noise
    moved = [ndimage.shift(still, np.multiply(DRIFT_PX, n), order=3, mode="nearest") for n in range(FRAMES)]
    clean = np.maximum(np.stack(moved), 0)
    rng = np.random.default_rng(0)
    noisy = (rng.poisson(clean) + rng.normal(0, 0.15, clean.shape)).astype(np.float32)
    lag = LAG.get(case, 0.0)
    return (
        tuple(np.stack([with_lag(frame, lag) for frame in side]) for side in (noisy, clean)) if lag else (noisy, clean)
    )


def score(restored: Floats, clean: Floats) -> str:
    """PSNR in dB, SSIM and the ratio of the means, over the frames that are scored."""
    spread = float(np.ptp(clean))
    pairs = [(restored[n], clean[n]) for n in FILTERED]
    psnr = 10 * np.log10(spread**2 / np.mean([np.mean((one - other) ** 2) for one, other in pairs]))
    ssim = np.mean([structural_similarity(one, other, data_range=spread) for one, other in pairs])
    level = sum(float(one.mean()) for one, _ in pairs) / sum(float(other.mean()) for _, other in pairs)
    return f"{psnr:.2f} dB | {ssim:.3f} | {level:.3f}"


def best_filter(noisy: Floats, clean: Floats, run: Callable[[Floats, float], Floats], strengths: list[float]) -> Floats:
    """The filter's result at the strength that comes nearest to the truth."""
    results = []
    for strength in strengths:
        result = noisy.copy()
        for n in FILTERED:
            result[n] = run(noisy[n], strength)
        results.append(result)
    return min(results, key=lambda result: np.mean([(result[n] - clean[n]) ** 2 for n in FILTERED]))


def filters() -> Iterator[tuple[str, Callable[[Floats, float], Floats], list[float]]]:
    """Name, function of plane and strength, strengths."""
    yield "Gaussian", lambda plane, sigma: ndimage.gaussian_filter(plane, sigma), [0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3]
    yield "non-local means", _non_local_means, [0.6, 0.8, 1.0]
    try:
        from bm3d import bm3d
    except ImportError:
        print("BM3D: not installed")
        return
    yield "BM3D", lambda plane, times: np.asarray(bm3d(plane, times * noise_of(plane))), [1.0, 1.5]


def noise_of(plane: Floats) -> float:
    """Standard deviation of white noise, from differences along both axes at once."""
    return float((plane[1:, 1:] - plane[1:, :-1] - plane[:-1, 1:] + plane[:-1, :-1]).std() / 2)


def _non_local_means(plane: Floats, times: float) -> Floats:
    sigma = noise_of(plane)
    return np.asarray(denoise_nl_means(plane, 7, 9, h=times * sigma, sigma=sigma, fast_mode=True), np.float32)


def trained(noisy: Floats, clean: Floats | None, start: str, steps: int, supervision: str) -> em.Model:
    """Fine-tune on a film, with its truth or without."""
    settings = em.FinetuneSettings(
        task="denoise", supervision=supervision, steps=steps, validation_interval=max(20, steps // 8),
        learning_rate=learning_rate(start), device="cpu", precision="fp32",
    )  # fmt: skip
    return em.finetune([noisy], None if clean is None else [clean], settings, start).result()


def measure(case: str, steps: int, start: str, pictures: Path) -> None:
    """Print a row of the table for each way to denoise one film, and draw them."""
    noisy, clean = film(case)
    shown = {"noisy": noisy}
    print(f"\n{case}\n| | PSNR | SSIM | mean / true mean |\n|---|---|---|---|", flush=True)
    print(f"| noisy | {score(noisy, clean)} |", flush=True)
    for name, run, strengths in filters():
        shown[name] = best_filter(noisy, clean, run, strengths)
        print(f"| {name} | {score(shown[name], clean)} |", flush=True)
    for supervision in ("frames", "blind-spot", "clean pairs"):
        truth, mark = clean if supervision == "clean pairs" else None, time.process_time()
        model = trained(noisy, truth, start, steps, supervision if truth is None else "auto")
        took = time.process_time() - mark
        shown[supervision] = em.apply(model, noisy)
        print(f"| {supervision}, {steps} steps, {took:.0f} s | {score(shown[supervision], clean)} |", flush=True)
    draw(shown | {"clean": clean}, pictures / f"self-supervised-{case}.png", slice(120, 280))


def real(folder: Path, steps: int, start: str, pictures: Path) -> None:
    """Denoise frames of a real film and draw them before, after, and the difference."""
    frames = [em.read_image(path).plane(0) for path in sorted(folder.iterdir())]
    noisy = np.stack(frames).astype(np.float32)
    shown = {"frame": noisy}
    for supervision in ("frames", "blind-spot"):
        model = trained(noisy, None, start, steps, supervision)
        print(f"\n{supervision}, {steps} steps: {model.card.history[-1].data}", flush=True)
        shown[supervision] = np.stack([em.apply(model, frame) for frame in noisy[: FILTERED[0] + 1]])
        shown[f"frame - {supervision}"] = noisy[: FILTERED[0] + 1] - shown[supervision]
        removed, kept = shown[f"frame - {supervision}"][FILTERED[0]], shown[supervision][FILTERED[0]]
        alike = np.corrcoef(ndimage.gaussian_filter(removed, 3).ravel(), ndimage.gaussian_filter(kept, 3).ravel())[0, 1]
        print(f"removed: sigma {removed.std():.2f}, correlation of its coarse part with what was kept {alike:.3f}")
    draw(shown, pictures / "self-supervised-real.png", slice(200, 456))


def draw(shown: dict[str, Floats], path: Path, window: slice) -> None:
    """One panel each of a part of a frame; differences around 0, all else on the scale of the clean or noisy frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = shown.get("clean", shown[next(iter(shown))])[FILTERED[0]][window, window]
    low, high = np.percentile(plain, (0.5, 99.8))
    columns = (len(shown) + 1) // 2 if len(shown) > 5 else len(shown)
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.9 * columns, 3.1 * rows), layout="constrained")
    for axis, (name, stack) in zip(np.ravel(axes), shown.items(), strict=False):
        part = stack[FILTERED[0]][window, window]
        reach = float(np.percentile(np.abs(part), 99.5))
        bounds = (-reach, reach) if " - " in name else (low, high)
        axis.imshow(part, cmap="gray", vmin=bounds[0], vmax=bounds[1])
        axis.set_title(name, fontsize=9)
    for axis in np.ravel(axes):
        axis.set_axis_off()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    """Measure the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default all")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--start", default="unet-4-200")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--pictures", type=Path, default=Path("build"))
    told = parser.parse_args()
    torch.set_num_threads(1)
    for case in told.cases or ([] if told.real else CASES):
        measure(case, told.steps, told.start, told.pictures)
    if told.real:
        real(told.real, told.steps, told.start, told.pictures)


if __name__ == "__main__":
    main()
