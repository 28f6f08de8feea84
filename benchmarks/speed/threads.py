"""One thread, one for each core, the same with passive waiting, and as the program chooses; alone and beside another.

    python benchmarks/speed/threads.py [gan] [finetune] [apply] --repeats 5 --seconds 8 \
        --json threads.json --table threads.md

Every run is a process of its own, because how threads wait is read when torch is loaded. Within a repeat all ways are
run in turn, first alone and then beside a process that only computes, so that whatever else the machine does meets all
of them. A row gives the median rates by the wall clock with their range, and processor time for one unit of work.
The table in docs/measurements/speed.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WAITING = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "one": ("1", {}),
    "cores": (str(CORES), {"GOMP_SPINCOUNT": "300000"}),  # what OpenMP does unless it is told anything
    "passive": (str(CORES), {"OMP_WAIT_POLICY": "PASSIVE"}),
    "chosen": ("auto", {}),
}
TITLES = {"one": "1 thread", "cores": f"{CORES} threads", "passive": f"{CORES} threads, passive", "chosen": "as chosen"}
UNITS = {"gan": "steps/s", "finetune": "steps/s", "apply": "megapixels/s"}


def gan(threads: str, seconds: float) -> float:
    """Steps a second of pretraining."""
    import napari_emssl as em

    images = np.random.default_rng(0).random((16, 256, 256), np.float32)
    settings = em.PretrainSettings(
        generator="unet-2-44", batch_size=8, patch=96, max_seconds=seconds, device="cpu", threads=threads
    )
    return _steps(em.pretrain([images], settings))


def finetune(threads: str, seconds: float) -> float:
    """Steps a second of fine-tuning to segment."""
    import napari_emssl as em

    image = np.random.default_rng(0).random((512, 512), np.float32)
    painted = np.ones((512, 512), np.uint8)
    painted[::64, ::64] = 2
    settings = em.FinetuneSettings(
        task="segment", generator="unet-3-96", max_seconds=seconds, device="cpu", threads=threads, validation=0.0
    )
    return _steps(em.finetune([image], [painted], settings, start="scratch"))


def _steps(job: "object") -> float:
    from napari_emssl.jobs.events import Progress

    last = [event for event in job if isinstance(event, Progress)][-1]  # type: ignore[attr-defined]
    return last.step / last.seconds


def apply(threads: str, seconds: float) -> float:
    """Megapixels a second of applying a model to a stack."""
    from side_by_side import model_of

    from napari_emssl.data.images.opening import as_image
    from napari_emssl.inference.engine import Engine
    from napari_emssl.inference.predictor import Predicted
    from napari_emssl.jobs.allocator import kept_memory
    from napari_emssl.jobs.events import Control
    from napari_emssl.jobs.settings import ApplySettings

    image = as_image(np.random.default_rng(0).integers(0, 255, (500, 512, 512), dtype=np.uint8))
    engine = Engine(model_of("unet-3-96", 8, "segment"), ApplySettings(device="cpu", threads=threads), Control())
    planes, begin = 0, time.perf_counter()
    with kept_memory():
        for event in engine.planes(image):
            planes += isinstance(event, Predicted)
            if time.perf_counter() - begin > seconds:
                break
    return planes * 512 * 512 / 1e6 / (time.perf_counter() - begin)


WORK = {"gan": gan, "finetune": finetune, "apply": apply}


def child(work: str, threads: str, seconds: float) -> None:
    """Do the work in this process and print its rate and the share of a core that it took."""
    from napari_emssl.cpu_threads import wait_passively

    wait_passively(os.environ)
    import torch  # noqa: F401  before anything is timed

    cpu, wall = time.process_time(), time.perf_counter()
    rate = WORK[work](threads, seconds)
    cores = (time.process_time() - cpu) / (time.perf_counter() - wall)
    print(json.dumps({"rate": rate, "cpu_per_unit": cores / rate}))


def run(work: str, way: str, seconds: float) -> dict[str, float]:
    """Do the work one way, in a process of its own."""
    threads, more = WAYS[way]
    environment = {name: value for name, value in os.environ.items() if name not in WAITING} | more
    command = [sys.executable, __file__, work, "--seconds", str(seconds), "--child", threads]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "load": os.getloadavg()[0]}


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Run a process that computes all the time, beside the block."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def row(work: str, load: str, runs: dict[str, list[dict[str, float]]]) -> str:
    """One line of the table."""
    rates = {way: [run["rate"] for run in of_way] for way, of_way in runs.items()}
    middle = {way: statistics.median(each) for way, each in rates.items()}
    cells = [
        f"{middle[way]:.2f} ({min(each):.2f} to {max(each):.2f}), "
        f"{statistics.median(run['cpu_per_unit'] for run in runs[way]):.2f} s"
        for way, each in rates.items()
    ]
    best = max(middle[way] for way in WAYS if way != "chosen")
    return f"| {work}, {UNITS[work]}, {load} | {' | '.join(cells)} | {middle['chosen'] / best:.2f} |"


def main() -> None:
    """Measure, print, and write both files where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*WORK, []], help="all, if none is named")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of one run")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.parts[0], given.child, given.seconds)
        return
    lines = [f"| what | {' | '.join(TITLES.values())} | chosen / best |", f"|---{'|---' * (len(WAYS) + 1)}|"]
    found = {}
    for work in given.parts or WORK:
        runs = {load: {way: [] for way in WAYS} for load in ("alone", "beside a busy process")}
        for _ in range(given.repeats):
            for load, of_load in runs.items():
                with busy(load != "alone"):
                    for way, of_way in of_load.items():
                        of_way.append(run(work, way, given.seconds))
        found[work] = runs
        lines += [row(work, load, of_load) for load, of_load in runs.items()]
        print("\n".join(lines), flush=True)
    if given.json:
        machine = {"cores": CORES, "repeats": given.repeats, "seconds": given.seconds}
        given.json.write_text(json.dumps({"machine": machine, "runs": found}, indent=1))
    if given.table:
        given.table.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
