"""What the program takes beside what the network alone takes, measured in turn and told as ratios.

    OMP_NUM_THREADS=1 python benchmarks/speed/side_by_side.py [labels] [memory] [apply] --repeats 5 \
        --json speed.json --table speed.md

Of every pair both sides are run once in each repeat, so that whatever else the machine does meets both. A row gives
the median of the ratios of processor times (system included) with their range, and the least times of both sides.
The tables in docs/measurements/speed.md.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from napari_emssl.data.images.opening import as_image
from napari_emssl.inference.engine import Engine
from napari_emssl.inference.predictor import Predicted, Predictor
from napari_emssl.jobs.allocator import kept_memory
from napari_emssl.jobs.events import Control
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.model_file import Card, ClassInfo, Model, NetworkSpec
from napari_emssl.models.objectives import SegmentationObjective
from napari_emssl.models.weights import to_numpy
from napari_emssl.networks.generators import build_generator

EDGE = 2048
NETWORKS = (("unet-2-44", 4), ("unet-3-96", 8))
SETTINGS = ApplySettings(device="cpu")
Side = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """Two ways to the same end."""

    part: str
    name: str
    ours: Side
    other: Side


@dataclass(frozen=True)
class Row:
    """What was measured of a pair; seconds."""

    part: str
    name: str
    ours_cpu: float
    other_cpu: float
    ours_wall: float
    other_wall: float
    ratio: float
    """Median of other / ours, processor time."""
    least: float
    most: float


def model_of(name: str, width: int, task: str) -> Model:
    """A model with random weights: speed does not depend on them."""
    classes = (ClassInfo(name="background"), ClassInfo(name="particle")) if task == "segment" else ()
    card = Card(name=name, task=task, network=NetworkSpec(name=name, width=width), classes=classes)
    return Model(card, to_numpy(build_generator(name, width).state_dict()))


def labels() -> Iterator[Pair]:
    """Labels from logits: in one pass, and by way of the probabilities of all classes."""
    objective = SegmentationObjective()
    for classes in (2, 3, 5):
        shape = (1, 1 if classes == 2 else classes, 1024, 1024)
        logits = torch.randn(shape).bfloat16().contiguous(memory_format=torch.channels_last)
        yield Pair(
            "labels",
            f"{classes} classes, 1 megapixel",
            partial(objective.result, logits),
            lambda logits=logits: objective.result_of(objective.decode(logits)),
        )


def forward(predictor: Predictor, plane: torch.Tensor) -> None:
    """Run the network over the tiles of a plane and do nothing with what comes out."""
    plan = predictor.plan
    for region in plan.regions:
        tile = plane[(..., *region.grown(plan.halo, plan.height, plan.width).slices)]
        with torch.inference_mode(), predictor.device.autocast():
            predictor.network(tile.contiguous(memory_format=torch.channels_last))


def kept(side: Side) -> Side:
    """Run with freed memory kept, as every job does."""

    def run() -> None:
        with kept_memory():
            side()
            side()  # the second finds what the first has freed: both sides of a pair are run twice

    return run


def twice(side: Side) -> Side:
    """Run as often as `kept` does."""
    return lambda: (side(), side())


def memory() -> Iterator[Pair]:
    """The network over a plane in one piece: with freed memory kept, and as the C library does it."""
    for name, width in NETWORKS:
        whole = SETTINGS.model_copy(update={"tile": EDGE})
        predictor = Predictor(model_of(name, width, "denoise"), whole, EDGE, EDGE)
        plane = torch.rand(1, 1, EDGE, EDGE)
        side = partial(forward, predictor, plane)
        yield Pair("memory", f"{name}, width {width}, two planes of {EDGE} px", kept(side), twice(side))


def apply() -> Iterator[Pair]:
    """Applying a model to a plane, and the network alone over the same tiles."""
    image = as_image(np.random.default_rng(0).integers(0, 255, (EDGE, EDGE), dtype=np.uint8))
    plane = torch.rand(1, 1, EDGE, EDGE)
    for name, width in NETWORKS:
        for task in ("segment", "denoise"):
            engine = Engine(model_of(name, width, task), SETTINGS, Control())
            predictor = engine._fitting((EDGE, EDGE))
            halo = predictor.plan.cost(None) / EDGE**2 - 1
            yield Pair(
                "apply",
                f"{task}, {name}, width {width}, tiles of {predictor.plan.tile} px, halos {halo:.0%}",
                kept(lambda engine=engine: [e for e in engine.planes(image) if isinstance(e, Predicted)]),
                kept(partial(forward, predictor, plane)),
            )


PARTS: dict[str, Callable[[], Iterator[Pair]]] = {"labels": labels, "memory": memory, "apply": apply}


def timed(side: Side) -> tuple[float, float]:
    """Processor and wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    side()
    return time.process_time() - cpu, time.perf_counter() - wall


def measured(pair: Pair, repeats: int) -> Row:
    """Run both sides in turn; a first round is not counted."""
    timed(pair.ours), timed(pair.other)
    rounds = [(timed(pair.ours), timed(pair.other)) for _ in range(repeats)]
    ratios = [other[0] / ours[0] for ours, other in rounds]
    best = [min(one[side][clock] for one in rounds) for clock in (0, 1) for side in (0, 1)]
    return Row(pair.part, pair.name, *best, statistics.median(ratios), min(ratios), max(ratios))


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table."""
    lines = ["| what | ours, ms | other, ms | other / ours |", "|---|---|---|---|"]
    for row in rows:
        ratio = f"{row.ratio:.2f} ({row.least:.2f} to {row.most:.2f})"
        lines.append(f"| {row.part}: {row.name} | {row.ours_cpu * 1e3:.1f} | {row.other_cpu * 1e3:.1f} | {ratio} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write both files where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, if none is named")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for part in given.parts or PARTS:
        for pair in PARTS[part]():
            rows.append(measured(pair, given.repeats))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "repeats": given.repeats}
    if given.json:
        given.json.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=1))
    if given.table:
        given.table.write_text(table(rows))


if __name__ == "__main__":
    main()
