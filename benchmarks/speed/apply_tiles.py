"""Time of one 2048 x 2048 plane in tiles against the same in one piece, one thread, as a ratio.

The table in docs/measurements/apply.md.

Processor time of the process, system included, so that other programs disturb it little.

    python benchmarks/speed/apply_tiles.py --repeats 3
"""

import argparse
import time

import numpy as np
import torch

from napari_emssl.inference.apply import apply_job
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.model_file import Card, Model, NetworkSpec
from napari_emssl.models.weights import to_numpy
from napari_emssl.networks.generators import build_generator

EDGE = 2048
NETWORKS = (("unet-2-44", 4), ("unet-3-96", 4), ("unet-4-200", 4), ("unet-4-424", 4), ("unet-3-96", 16))
TILES = (256, 512, 1024, None)


def model_of(name: str, width: int) -> Model:
    """A restoring model with random weights: speed does not depend on them."""
    spec = NetworkSpec(name=name, width=width)
    return Model(Card(name=name, task="denoise", network=spec), to_numpy(build_generator(name, width).state_dict()))


def seconds(model: Model, plane: np.ndarray, tile: int | None) -> tuple[float, str]:
    """Processor time of one job, and how it cut the plane."""
    start = time.process_time()
    events = list(apply_job(model, plane, ApplySettings(tile=tile, device="cpu", precision="fp32")))
    return time.process_time() - start, events[0].summary


def main() -> None:
    """Print one row a network: ratio of each tile to the whole plane, best of the repeats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    plane = np.random.default_rng(0).integers(0, 255, (EDGE, EDGE), dtype=np.uint8)
    for name, width in NETWORKS:
        model = model_of(name, width)
        rounds = [[seconds(model, plane, tile) for tile in (*TILES, EDGE)] for _ in range(repeats)]
        *tiled, whole = (min(each)[0] for each in zip(*rounds, strict=True))
        ratios = ", ".join(f"{tile or 'default'}: {time / whole:.2f}" for tile, time in zip(TILES, tiled, strict=True))
        cut = rounds[0][TILES.index(None)][1].partition(" px ")[2]
        print(f"{name} width {width}: whole {whole:.2f} s; {ratios} (default: {cut})", flush=True)


if __name__ == "__main__":
    main()
