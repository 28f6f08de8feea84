"""A stack in a compressed TIFF, applied to and written: beside the network alone, and without threads beside it.

    OMP_NUM_THREADS=1 python benchmarks/speed/apply_stack.py [--planes 12] [--repeats 5] [--json stack.json]

Three ways in turn: `apply` as it is, where threads read the next plane and write the last one; `apply` with each plane
read, computed and written before the next; and nothing but the network over the same planes, which lie in memory. The
network computes with one thread. The table in docs/measurements/speed.md.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import numpy as np
import tifffile
import torch
from side_by_side import SETTINGS, forward, model_of

from napari_emssl.inference import engine, reading
from napari_emssl.inference.apply import apply_files
from napari_emssl.inference.predictor import Predictor
from napari_emssl.inference.sinks import PlaneWriter
from napari_emssl.jobs.allocator import kept_memory
from napari_emssl.models.model_file import Model

WAYS = ("ahead", "in turn", "network")
CASES: tuple[tuple[str, Literal["tiff", "zarr"]], ...] = (
    ("segment", "tiff"), ("segment", "zarr"), ("denoise", "tiff"), ("denoise", "zarr")
)  # fmt: skip
NETWORK = ("unet-2-44", 4)


@contextmanager
def in_turn() -> Iterator[None]:
    """Read, compute and write each plane before the next."""

    def written_in_turn(writer: PlaneWriter, planes: int) -> nullcontext[PlaneWriter]:
        return nullcontext(writer)

    with patch.object(reading, "_MOST_PX_AHEAD", 0), patch.object(engine, "written_behind", written_in_turn):
        yield


def applied(model: Model, stack: Path, out: Path, file_format: Literal["tiff", "zarr"]) -> None:
    """Apply to a file, and remove the result."""
    apply_files(model, [stack], out, SETTINGS, file_format).result()
    shutil.rmtree(out)


def network_alone(predictor: Predictor, planes: torch.Tensor) -> None:
    """Run the network over all planes."""
    with kept_memory():
        for plane in planes:
            forward(predictor, plane[None])


def timed(side: Callable[[], None]) -> tuple[float, float]:
    """Wall and processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    side()
    return time.perf_counter() - wall, time.process_time() - cpu


def one_after_the_other(side: Callable[[], None]) -> None:
    """Run without threads beside the network."""
    with in_turn():
        side()


def measured(
    task: str, file_format: Literal["tiff", "zarr"], stack: Path, repeats: int, planes: int, edge: int
) -> dict[str, object]:
    """Run the three ways in turn; a first round is not counted. Milliseconds for each plane."""
    model = model_of(*NETWORK, task)
    apply = partial(applied, model, stack, stack.with_name("out"), file_format)
    inputs = torch.rand(planes, 1, edge, edge)
    alone = partial(network_alone, Predictor(model, SETTINGS, edge, edge), inputs)
    sides = dict(zip(WAYS, (apply, partial(one_after_the_other, apply), alone), strict=True))
    rounds = [{way: timed(side) for way, side in sides.items()} for _ in range(repeats + 1)][1:]
    walls = {way: [1e3 * one[way][0] / planes for one in rounds] for way in WAYS}
    cpus = {way: [1e3 * one[way][1] / planes for one in rounds] for way in WAYS}
    row: dict[str, object] = {"task": task, "format": file_format, "wall_ms": walls, "cpu_ms": cpus}
    for way in WAYS[:2]:
        ratios = [network / ours for network, ours in zip(walls["network"], walls[way], strict=True)]
        row[f"network / {way}"] = (statistics.median(ratios), min(ratios), max(ratios))
    return row


def line(row: dict[str, object]) -> str:
    """A row of the Markdown table."""
    walls: dict[str, list[float]] = row["wall_ms"]  # type: ignore[assignment]
    shares = ["{:.2f} ({:.2f} to {:.2f})".format(*row[f"network / {way}"]) for way in WAYS[:2]]  # type: ignore[misc]
    return (
        f"| {row['task']}, {row['format']} | "
        + " | ".join([*(f"{statistics.median(walls[way]):.0f}" for way in WAYS), *shares])
        + " |"
    )


def main() -> None:
    """Measure, print a table, and write a JSON file where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=12)
    parser.add_argument("--edge", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print(
        "| task, result | ahead, ms a plane | in turn, ms | network alone, ms | network / ahead | network / in turn |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        stack = Path(folder) / "stack.tif"
        planes = np.random.default_rng(0).poisson(40, (given.planes, given.edge, given.edge)).astype(np.uint16)
        tifffile.imwrite(stack, planes, compression="zlib", photometric="minisblack")
        for task, file_format in CASES:
            rows.append(measured(task, file_format, stack, given.repeats, given.planes, given.edge))
            print(line(rows[-1]), flush=True)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "network": NETWORK}
    if given.json:
        given.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
