"""Measure how fast STEM images of 256 x 256 are simulated, with default settings.

    OMP_NUM_THREADS=1 python benchmarks/simulation/simulate_stem.py --count 100

Processor time is what counts on a machine that has other work to do: 1 / (processor seconds for an image) images a
second from one free core.
"""

import argparse
import os
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


def main() -> None:
    """Measure with 1 and 2 threads, with and without files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    count = parser.parse_args().count
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{count} images of 256 x 256; {os.cpu_count()} cores{load}")
    in_threads(4, 1)
    for threads in (1, 2):
        measure(f"{threads} thread(s), arrays", lambda n=threads: in_threads(count, n), count)
        measure(f"{threads} thread(s), PNG files", lambda n=threads: to_files(count, n), count)


if __name__ == "__main__":
    main()
