"""Where the time of a step of fine-tuning goes, and what a run costs beside the bare loop over ready batches.

    OMP_NUM_THREADS=1 python benchmarks/speed/step_profile.py [--widths 4 8] [--steps 60] [--repeats 5] \
        [--json step.json] [--table step.md]

The bare loop is the network under bf16 autocast, channels last, the loss, the backward pass and a fused Adam, over
batches that are in memory; the program's side is a whole run of as many steps with its batches made on the way, its
weights averaged, validation, previews and events. Both are timed in turn, by processor time. Then torch's profiler
says which operations the steps of the program take, by their own time. The tables in docs/measurements/speed.md.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

import napari_emssl as em
from napari_emssl.jobs.devices import choose_device, place
from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import NetworkSpec
from napari_emssl.models.objectives import SegmentationObjective

EDGE = 1024
GENERATOR = "unet-3-96"


def painted() -> tuple[np.ndarray, np.ndarray]:
    """An image with bright discs, a dozen of them painted with a margin of background."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:EDGE, :EDGE]
    image, target = rng.normal(0, 0.3, (EDGE, EDGE)).astype(np.float32), np.zeros((EDGE, EDGE), np.uint8)
    for number in range(60):
        y, x = rng.integers(30, EDGE - 30, 2)
        distance = np.hypot(rows - y, columns - x)
        image[distance < 12] += 1.0
        if number < 12:
            target[(distance < 20) & (target == 0)] = 1
            target[distance < 12] = 2
    return image, target


def product(settings: em.FinetuneSettings) -> None:
    """A whole run."""
    image, target = painted()
    em.finetune([image], [target], settings, start="scratch").result()


def bare_loop(settings: em.FinetuneSettings) -> Callable[[], None]:
    """Return as many steps over batches that are there."""
    device = choose_device(settings)
    network = place(network_of(NetworkSpec(name=GENERATOR, width=settings.width, out_channels=1)), device).train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    objective = SegmentationObjective()
    shape = (settings.batch_size, 1, settings.patch, settings.patch)
    images = torch.rand(shape).contiguous(memory_format=torch.channels_last)
    targets = torch.randint(0, 3, (shape[0], *shape[2:]))

    def run() -> None:
        for _ in range(settings.steps or 0):
            with device.autocast():
                output = network(images)
            loss = objective.loss(output, targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return run


def timed(side: Callable[[], object]) -> float:
    """Processor time in seconds."""
    begin = time.process_time()
    side()
    return time.process_time() - begin


def compared(width: int, steps: int, repeats: int) -> dict[str, object]:
    """Both sides in turn, the first round not counted. What a run of one step takes is taken off: it is the start."""
    settings = em.FinetuneSettings(task="segment", generator=GENERATOR, width=width, steps=steps, device="cpu")
    bare, ours = bare_loop(settings), partial(product, settings)
    start = partial(product, settings.model_copy(update={"steps": 1}))
    rounds = [(timed(ours), timed(start), timed(bare)) for _ in range(repeats + 1)][1:]
    per_step = [((run - begin) / (steps - 1), loop / steps) for run, begin, loop in rounds]
    ratios = [run / loop for run, loop in per_step]
    least = [min(each) * 1e3 for each in zip(*per_step, strict=True)]
    found = {"width": width, "ours_ms": least[0], "bare_ms": least[1]}
    return {**found, "ratio": statistics.median(ratios), "range": [min(ratios), max(ratios)]}


def operations(width: int, steps: int, count: int) -> list[dict[str, object]]:
    """The operations of a run that take the most time of their own."""
    settings = em.FinetuneSettings(task="segment", generator=GENERATOR, width=width, steps=steps, device="cpu")
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        product(settings)
    events = sorted(seen.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [
        {"operation": event.key, "share": event.self_cpu_time_total / total, "calls_a_step": event.count / steps}
        for event in events[:count]
    ]


def main() -> None:
    """Measure, print, and write both files where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--operations", type=int, default=12)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| width | a run, ms a step | bare loop, ms a step | run / bare |", "|---|---|---|---|"]
    ratios = []
    for width in given.widths:
        row = compared(width, given.steps, given.repeats)
        ratios.append(row)
        low, high = row["range"]
        lines.append(
            f"| {width} | {row['ours_ms']:.1f} | {row['bare_ms']:.1f} | {row['ratio']:.2f} ({low:.2f} to {high:.2f}) |"
        )
    lines += ["", "| operation | share of the time | calls a step |", "|---|---|---|"]
    found = operations(given.widths[0], given.steps, given.operations)
    lines += [f"| `{one['operation']}` | {one['share']:.1%} | {one['calls_a_step']:.1f} |" for one in found]
    print("\n".join(lines))
    if given.json:
        machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "repeats": given.repeats}
        given.json.write_text(json.dumps({"machine": machine, "ratios": ratios, "operations": found}, indent=1))
    if given.table:
        given.table.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
