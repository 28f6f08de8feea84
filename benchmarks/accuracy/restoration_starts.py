"""What a start gives when a model is fine-tuned on a few pairs of your own crystal.

The tables in docs/measurements/restoration.md.

    python benchmarks/accuracy/restoration_starts.py --starts stem-denoise scratch --pairs 1 4 --steps 20 60 200

Images of one crystal under fixed conditions are simulated: pairs to learn from and twelve others to be scored. Every
start learns from the same pairs and patches, and each number of steps is a run of its own, schedule and all.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np

import napari_emssl as em
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.metrics import mean_of, restoration_scores
from napari_emssl.models.model_file import Model
from napari_emssl.simulation.stem.simulate import STEMImage, STEMSettings, simulate_stem

CRYSTAL = STEMSettings(
    crystal="SrTiO3", zone_axis="100", pixel_size_nm=0.018, specimen="crystal", thickness_nm=6, probe_fwhm_nm=0.1,
    dose_per_nm2=4e4, background=0.3,
)  # fmt: skip
TARGETS = {"denoise": "no_noise", "remove-background": "no_background", "super-resolve": "sharp"}
TESTS = 12
NETWORK = ("unet-3-96", 8)


def main() -> None:
    """Run every start with every number of pairs and steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TARGETS, default="denoise")
    parser.add_argument("--starts", nargs="+", default=["stem-denoise", "unet-3-96-w8", "scratch"])
    parser.add_argument("--pairs", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--steps", nargs="+", type=int, default=[20, 60, 200, 600])
    parser.add_argument("--seeds", type=int, default=2)
    chosen = parser.parse_args()
    made = [simulate_stem(CRYSTAL, [4242, number]) for number in range(TESTS + max(chosen.pairs) * chosen.seeds)]
    test, pool = made[:TESTS], made[TESTS:]
    print(f"input: {scores_of(None, test, chosen.task)['psnr fitted']:.2f} dB\n")
    print(
        "| start | pairs | " + " | ".join(f"{steps} steps" for steps in (0, *chosen.steps)) + " | CPU s of the last |"
    )
    print("|---|---|" + "---|" * (len(chosen.steps) + 2))
    for pairs in chosen.pairs:
        for start in chosen.starts:
            row(start, pairs, [pool[s * pairs : (s + 1) * pairs] for s in range(chosen.seeds)], test, chosen)


def row(
    start: str, pairs: int, draws: Sequence[Sequence[STEMImage]], test: Sequence[STEMImage], chosen: argparse.Namespace
) -> None:
    """Print one start: mean PSNR and its standard deviation over the seeds."""
    untrained = None if start == "scratch" else scores_of(em.load_model(start), test, chosen.task)
    cells, seconds = ["-" if untrained is None else f"{untrained['psnr fitted']:.2f}"], 0.0
    for steps in chosen.steps:
        found = []
        for seed, draw in enumerate(draws):
            mark = time.process_time()
            model = learnt(start, draw, chosen.task, steps, seed)
            seconds = time.process_time() - mark
            found.append(scores_of(model, test, chosen.task)["psnr fitted"])
        cells.append(f"{np.mean(found):.2f} ± {np.std(found):.2f}")
    print(f"| {start} | {pairs} | " + " | ".join(cells) + f" | {seconds:.0f} |", flush=True)


def learnt(start: str, draw: Sequence[STEMImage], task: str, steps: int, seed: int) -> Model:
    """Fine-tune with the recipe of the program."""
    network = {"generator": NETWORK[0], "width": NETWORK[1]} if start == "scratch" else {}
    settings = em.FinetuneSettings(task=task, steps=steps, seed=seed, device="cpu", **network)
    images, targets = [one.image for one in draw], [getattr(one, TARGETS[task]) for one in draw]
    result: Model = em.finetune(images, targets, settings, start).result()
    return result


def scores_of(model: Model | None, test: Sequence[STEMImage], task: str) -> dict[str, float]:
    """Mean scores over the test images; without a model those of the images themselves."""
    settings = ApplySettings(device="cpu")
    restored = [one.image if model is None else em.apply(model, one.image, settings) for one in test]
    return mean_of([restoration_scores(a, getattr(b, TARGETS[task])) for a, b in zip(restored, test, strict=True)])


if __name__ == "__main__":
    main()
