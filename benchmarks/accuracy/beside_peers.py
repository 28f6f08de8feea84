"""The program beside CAREamics and AtomAI, at equal processor seconds of one core.

    OMP_NUM_THREADS=1 python benchmarks/accuracy/beside_peers.py FOLDER [denoise] [segment] [predict] \
        [--film DATA] [--seconds 30 60 120] [--seeds 3] [--only ROW ...]

FOLDER gets the environments of both (venv and pip, about 3 GB), the results, and their tables. Give it again, and only
what is missing is measured. Seconds are processor seconds of the side's own process, so a busy machine gives the same
figures; they begin when training is asked for, with everything loaded, and applying what was learnt is not counted.

denoise: simulated HR-STEM images of two doses, each denoised with nothing but itself; PSNR in dB against the image
without noise. One image and seed of training for each seed.
segment: four images of a film with dense masks, another film judged by its mean Dice; --film names a folder with the
folders images and masks, in which the names of the films begin with --learnt and --judged.
predict: a plane of 2048 x 2048 px, in megapixels for each second; networks of as many multiply-adds a pixel.

On Linux pip brings gigabytes of CUDA with torch unless it finds one without: --torch-index
https://download.pytorch.org/whl/cpu.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from blind_spot import gaussian, psnr_of
from numpy.typing import NDArray
from peers.data import chosen_width, film, stem
from peers.environments import ATOMAI, CAREAMICS, environment
from peers.results import Result, ResultFile, mean_dice, table

from napari_emssl.training.finetuning.noise_start import SMOOTHINGS_PX

Arrays = dict[str, NDArray[np.generic]]
PARTS = {"denoise": "PSNR, dB", "segment": "mean Dice", "predict": "megapixels/s, millions of multiply-adds/px"}
DOSES = (4e4, 4e5)
STARTS = {"denoise": ("unet-4-200", "stem-denoise"), "segment": ("context-unet-4-200-w16", "unet-4-200")}
NETWORKS = {"default": {}, "small": {"model_params": {"num_channels_init": 8, "depth": 3}}}
STRUCTURED = {"struct_n2v_axes": "square", "augmentations": []}
"""structN2V, which its documentation advises where noise is correlated; here it is, in both directions by 1 to 2 px."""
DENOISERS = {
    "N2V, default": {}, "N2V, small": NETWORKS["small"],
    "structN2V, default": STRUCTURED, "structN2V, small": NETWORKS["small"] | STRUCTURED,
}  # fmt: skip
FEW = {"patch": 128, "patches": 256, "batch": 8, "turned": True}
SEGMENTORS = {
    "as documented": {"patch": 256, "patches": 64, "batch": 32, "turned": False, "averaged": True},
    "small batches": FEW | {"averaged": True},
    "small batches, no averaging": FEW | {"averaged": False},
}
PLANE_PX = 2048
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
SAME_COST = {"default": ("unet-3-96", 24), "small": ("unet-2-44", 8)}
"""Our network with as many multiply-adds a pixel as theirs; what both have is measured."""


class Sides:
    """Runs pieces of work, each in a process of its own, and keeps what comes out."""

    def __init__(self, folder: Path, budgets: list[float], only: list[str] | None = None, index: str | None = None):
        self.folder, self.budgets, self.only, self.index = folder, budgets, only, index
        self.file = ResultFile(folder / "results.json")

    def python(self, side: str) -> Path:
        """Return the Python that a side runs in."""
        peers = {"n2v": CAREAMICS, "segmentor": ATOMAI}
        return environment(peers[side], self.folder, self.index) if side in peers else Path(sys.executable)

    def ask(self, side: str, request: Mapping, arrays: Arrays) -> tuple[list | dict, Arrays]:
        """Return the reply of a side, and the arrays that it has written."""
        python = self.python(side)
        paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            for key, array in arrays.items():
                np.save(place / f"{key}.npy", array)
            done = subprocess.run(
                [str(python), "-m", "peers", side], input=json.dumps(request), cwd=place, check=False, text=True,
                capture_output=True, env=os.environ | ONE_THREAD | {"PYTHONPATH": paths},
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{side} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
            reply = json.loads((place / "reply.json").read_text(encoding="utf-8"))
            return reply, {path.stem: np.load(path) for path in place.glob("found-*.npy")}

    def missing(self, part: str, case: str, name: str, seed: int, budgets: list[float]) -> list[float]:
        """Return the budgets that a row lacks, none where other rows were asked for."""
        asked = self.only is None or name in self.only
        return self.file.missing(part, case, name, seed, budgets) if asked else []

    def measure(self, part: str, case: str, name: str, seed: int, ask: partial, score: partial) -> None:
        """Let a side work within every budget that is missing, and keep its scores."""
        missing = self.missing(part, case, name, seed, self.budgets if seed == 0 else self.budgets[:1])
        if not missing:
            return
        reply, found = ask(seconds=missing)
        results = [
            Result(part, case, name, one["seconds"], seed, float(score(found[f"found-{one['seconds']:g}"])),
                   one["used"], one["steps"])
            for one in reply
        ]  # fmt: skip
        self.keep(*results)

    def keep(self, *results: Result) -> None:
        """Keep results, print them, and write the tables anew."""
        self.file.add(*results)
        for one in results:
            print(one, flush=True)
        parts = [(part, [one for one in self.file.results if one.part == part]) for part in PARTS]
        text = "\n".join(f"## {part}\n\n{table(of, PARTS[part])}" for part, of in parts if of)
        (self.folder / "tables.md").write_text(text, encoding="utf-8")


def denoise(sides: Sides, options: argparse.Namespace) -> None:
    """Measure both ways of denoising, and Gaussians."""
    for seed in range(options.seeds):
        for dose in DOSES:
            noisy, truth = stem(dose, seed)
            case, score = f"{dose:.0e} electrons/nm²", partial(psnr_of, truth=truth)
            if sides.missing("denoise", case, "noisy", seed, [0]):
                rows = {
                    "noisy": score(noisy),
                    "Gaussian, best in hindsight": max(score(gaussian(noisy, sigma)) for sigma in SMOOTHINGS_PX),
                    "Gaussian, chosen by hidden pixels": score(gaussian(noisy, chosen_width(noisy))),
                }
                sides.keep(*(Result("denoise", case, name, 0, seed, value) for name, value in rows.items()))
            work = {"work": "denoise", "seed": seed}
            for start in STARTS["denoise"]:
                ask = partial(asked, sides, "ours", work | {"start": start}, {"noisy": noisy})
                sides.measure("denoise", case, f"ours, {start}", seed, ask, score)
            for name, settings in DENOISERS.items():
                ask = partial(asked, sides, "n2v", work | {"options": settings}, {"noisy": noisy})
                sides.measure("denoise", case, f"CAREamics, {name}", seed, ask, score)


def asked(sides: Sides, side: str, request: Mapping, arrays: Arrays, seconds: list[float]) -> tuple:
    """Ask a side for so many budgets."""
    return sides.ask(side, dict(request) | {"seconds": seconds}, arrays)


def segment(sides: Sides, options: argparse.Namespace) -> None:
    """Measure both ways of segmenting."""
    if options.film is None:
        sys.exit("To measure segmentation, name a data set with --film.")
    for seed in range(options.seeds):
        data = film(options.film, options.learnt, options.judged, seed)
        arrays = {"images": data.images, "masks": data.masks, "tests": data.tests}
        score, work = partial(mean_dice, truth=data.truth), {"work": "segment", "seed": seed}
        for start in STARTS["segment"]:
            ask = partial(asked, sides, "ours", work | {"start": start}, arrays)
            sides.measure("segment", options.film.name, f"ours, {start}", seed, ask, score)
        for name, settings in SEGMENTORS.items():
            ask = partial(asked, sides, "segmentor", work | {"options": settings}, arrays)
            sides.measure("segment", options.film.name, f"AtomAI, {name}", seed, ask, score)


def predict(sides: Sides, options: argparse.Namespace) -> None:
    """Measure how fast both predict, in turn."""
    plane = np.random.default_rng(0).random((PLANE_PX, PLANE_PX), dtype=np.float32)
    for name, network in NETWORKS.items():
        ours = {"network": SAME_COST[name]}
        requests = [
            (f"CAREamics, {name}, tiles of 256 px", "n2v", {"options": network, "tiled": True, "seed": 0}),
            (f"CAREamics, {name}, in one piece", "n2v", {"options": network, "tiled": False, "seed": 0}),
            (f"ours for {name}, as it chooses", "ours", ours | {"precision": "auto", "tile": None}),
            (f"ours for {name}, float32", "ours", ours | {"precision": "fp32", "tile": None}),
            (f"ours for {name}, float32, tiles of 256 px", "ours", ours | {"precision": "fp32", "tile": 256}),
        ]
        for row, side, request in requests:
            if sides.missing("predict", "speed", row, 0, [0]):
                request |= {"work": "predict", "repeats": options.repeats}
                reply, _ = sides.ask(side, request, {"plane": plane})
                speed, cost = plane.size / 1e6 / reply["used"], reply["multiply_adds"]
                sides.keep(
                    Result("predict", "speed", row, 0, 0, speed, reply["used"]),
                    Result("predict", "multiply-adds", row, 0, 0, cost / 1e6),
                )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, if none is named")
    parser.add_argument("--seconds", nargs="+", type=float, default=[30, 60, 120], help="the first for every seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--learnt", default="1_")
    parser.add_argument("--judged", default="2_")
    parser.add_argument("--repeats", type=int, default=3, help="of predictions, of which the median counts")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="such as 'ours, unet-4-200'")
    parser.add_argument("--torch-index")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sides = Sides(folder, sorted(options.seconds), options.only, options.torch_index)
    for part in options.parts or PARTS:
        {"denoise": denoise, "segment": segment, "predict": predict}[part](sides, options)


if __name__ == "__main__":
    main()
