"""Measure how fast STEM images of 256 x 256 are simulated, with default settings.

Run from the repository root: ``OMP_NUM_THREADS=1 python benchmarks/simulate_stem.py [COUNT]``. Processor time is what
counts on a machine that has other work to do: 1 / (processor seconds for an image) images a second from one free core.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from napari_emssl.simulation.stem.files import write_stem
from napari_emssl.simulation.stem.simulate import simulate_stem


def measure(what: str, run: Callable[[], object], count: int) -> None:
    """Run once and print."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(
        f"{what}: {1000 * processor / count:.1f} ms of processor time for an image "
        f"({count / processor:.1f} images a second from one free core); {count / wall:.1f} images a second by the clock"
    )


def in_threads(count: int, threads: int) -> None:
    """Simulate without writing."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda i: simulate_stem(seed=[1, i]), range(count)))


def to_files(count: int, threads: int) -> None:
    """Simulate and write all labels as PNG."""
    with tempfile.TemporaryDirectory() as folder:
        list(write_stem(Path(folder) / "stem", count, seed=1, workers=threads))


def main(count: int) -> None:
    """Measure with 1 and 2 threads, with and without files."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{count} images of 256 x 256; {os.cpu_count()} cores{load}")
    in_threads(4, 1)
    for threads in (1, 2):
        measure(f"{threads} thread(s), arrays", lambda n=threads: in_threads(count, n), count)
        measure(f"{threads} thread(s), PNG files", lambda n=threads: to_files(count, n), count)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
