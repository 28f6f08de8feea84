"""How fast very many tiles are found and read: loose files against a pack, and whether memory stays flat.

Makes a tree of tiles as CEM500K has them (224 x 224, uint8, TIFF; some smaller, some damaged), scans it twice, packs
it, and draws training patches from both. The files are in the system's cache; ``cold`` is a scan after they were
dropped from it (Linux).

    python benchmarks/speed/read_tiles.py --count 100000 --folder /somewhere/with/6/GB

``per CPU second`` is what one reader would reach on a core of its own; of processes it counts all they do. The tree is
deleted at the end.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import tifffile
import torch
from numpy.typing import NDArray
from scipy import ndimage

from napari_emssl.data.datasets.folder_index import index_file, scan
from napari_emssl.data.datasets.packing import pack
from napari_emssl.data.datasets.plane_stores import PlaneStore
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.loader import BatchLoader
from napari_emssl.data.patches.unlabelled_patches import UnlabelledPatches
from napari_emssl.jobs.devices import choose_device
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.training.pretraining.pix2pix import Pix2Pix

EDGE, SOURCES, BATCH = 224, 50, 128
SMALLER, DAMAGED = 0.02, 0.001


def texture(seed: int, edge: int = 1024) -> NDArray[np.uint8]:
    """Smooth noise at three scales with dark membranes where it crosses zero, uint8."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.standard_normal((edge, edge)), sigma, mode="wrap") for sigma in (2, 6, 18)]
    coarse = fields[2] / fields[2].std()
    grey = 140 + 25 * coarse + 12 * fields[1] / fields[1].std() + 6 * fields[0] / fields[0].std()
    return np.clip(grey - 60 * np.exp(-((coarse / 0.08) ** 2)), 0, 255).astype(np.uint8)


def write_tree(root: Path, count: int) -> int:
    """Write `count` tiles of `SOURCES` sources; returns how many are damaged."""
    rng, damaged = np.random.default_rng(0), 0
    for source in range(SOURCES):
        image = texture(source)
        folder = root / f"source{source:03d}"
        folder.mkdir(parents=True)
        for number in range(source, count, SOURCES):
            height, width = rng.integers(96, EDGE, 2) if rng.random() < SMALLER else (EDGE, EDGE)
            top, left = rng.integers(0, 1024 - EDGE, 2)
            path = folder / f"volume{source}-LOC-2d-{number}.tiff"
            tifffile.imwrite(path, image[top : top + height, left : left + width])
            if rng.random() < DAMAGED:
                os.truncate(path, path.stat().st_size // 2)
                damaged += 1
    return damaged


@contextmanager
def timed(label: str) -> Iterator[None]:
    """Print how long it took, and the memory of the process afterwards."""
    marks = time.perf_counter(), time.process_time()
    yield
    wall, busy = time.perf_counter() - marks[0], time.process_time() - marks[1]
    print(f"{label:34s} {wall:8.2f} s, {busy:.2f} of them on the CPU   memory {memory()}", flush=True)


def memory() -> str:
    """Resident memory of this process and of each process that reads for it, MB."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return " + ".join(f"{process.memory_info().rss / 1e6:.0f}" for process in processes) + " MB"


def cpu_seconds() -> float:
    """CPU time of this process and of those that read for it."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def forget(root: Path) -> None:
    """Drop files from the system's cache, as far as it lets us."""
    os.sync()
    for path in root.rglob("*.tiff"):
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def one_reader(label: str, store: PlaneStore, count: int) -> None:
    """Draw patches in this very process, without a thread."""
    patches = UnlabelledPatches(store, EDGE, IntensityScaling())
    for visit in ("first visit", "second visit"):
        marks = time.perf_counter(), time.process_time()
        for position in range(count):
            patches.draw(position)
        wall, busy = time.perf_counter() - marks[0], time.process_time() - marks[1]
        rates = f"{count / wall:8.0f} tiles/s, {count / busy:.0f} per CPU second"
        print(f"{f'{label}, {visit}':34s} {rates}   memory {memory()}", flush=True)


def feeds(label: str, store: PlaneStore, workers: int, count: int) -> None:
    """Take batches as the training does, and tell how memory goes on the way."""
    feed = BatchLoader(UnlabelledPatches(store, EDGE, IntensityScaling()), BATCH, workers)
    batches = feed.batches(0)
    for _ in range(1 + 4 * workers):  # processes take seconds to start
        next(batches)
    steps, seen = count // BATCH, []
    mark, busy = time.perf_counter(), cpu_seconds()
    for step in range(1, steps + 1):
        next(batches)
        if step % max(1, steps // 4) == 0:
            seen.append(memory().removesuffix(" MB"))
    rates = (steps * BATCH / spent for spent in (time.perf_counter() - mark, cpu_seconds() - busy))
    told = "{:8.0f} tiles/s, {:.0f} per CPU second".format(*rates)
    feed.close()
    reader = f"{label}, {workers} processes" if workers else f"{label}, a thread"
    print(f"{reader:34s} {told}   memory at each quarter {'; '.join(seen)} MB", flush=True)


def training(label: str, store: PlaneStore, steps: int) -> None:
    """Take real steps and tell which share of the time they waited for patches."""
    settings = PretrainSettings(batch_size=16, patch=EDGE)
    learner = Pix2Pix(settings, choose_device(settings), torch.empty(0, 1, EDGE, EDGE), lambda outcome: None)
    feed = BatchLoader(UnlabelledPatches(store, EDGE, IntensityScaling()), settings.batch_size)
    batches = feed.batches(0)
    learner.train_step(next(batches), 0.0)
    mark = time.perf_counter()
    for step in range(steps):
        losses = learner.train_step(next(batches), step / steps)
    float(losses["l1"])
    share = feed.waited_seconds / (time.perf_counter() - mark)
    feed.close()
    print(f"{label + ', steps of ' + settings.generator:34s} {share:8.2%} of the time spent waiting", flush=True)


def measure(root: Path, packed: Path, options: argparse.Namespace) -> None:
    """All measurements, one after the other."""
    tree = root / "cem500k"
    with timed(f"writing {options.count} tiles"):
        damaged = write_tree(tree, options.count)
    print(f"{damaged} tiles are damaged; {psutil.disk_usage(str(root)).free / 1e9:.0f} GB of disk are left", flush=True)
    if hasattr(os, "posix_fadvise"):
        forget(tree)
        with timed("first scan, cold"):
            scan(tree)
        index_file(tree).unlink(missing_ok=True)
    with timed("first scan"):
        scan(tree)
    with timed("second scan"):
        scan(tree)
    with timed("second scan with split by source"):
        loose = open_sources([tree])
    assert len(loose.skipped) == damaged
    with timed("packing"):
        made = pack([tree], packed).result()
    print(f"pack: {made.planes} planes, {made.bytes / 1e9:.2f} GB")
    with timed("opening the pack"):
        stored = open_sources([packed])
    for label, found in (("loose", loose), ("pack", stored)):
        one_reader(label, found.store, options.patches)
    for label, found in (("loose", loose), ("pack", stored)):
        for workers in options.workers:
            feeds(label, found.store, workers, 2 * options.patches)
    training("pack", stored.store, options.steps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="tiles in the tree")
    parser.add_argument("--patches", type=int, default=20_000, help="patches drawn in each measurement")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2], help="processes that read; 0 is a thread")
    parser.add_argument("--steps", type=int, default=8, help="real training steps")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where to make the tree")
    chosen = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="read-tiles-", dir=chosen.folder))
    os.environ["NAPARI_EMSSL_HOME"] = str(place / "home")
    print(json.dumps({"cores": os.cpu_count(), "torch threads": torch.get_num_threads(), "load": os.getloadavg()[0]}))
    try:
        measure(place, place / "tiles.pack", chosen)
    finally:
        shutil.rmtree(place)
