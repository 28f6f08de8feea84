"""Memory while a large stack is segmented to OME-Zarr.

    python benchmarks/speed/large_stack.py FOLDER --gigabytes 20 --seconds 600

The stack counts 20 GB and takes a few MB of disk: a few simulated planes, one a chunk, whose files are linked under
many names. It is read lazily by this process, as by the viewer, and segmented in a process of its own. One line is
printed for each share of the run: planes done, and the memory of both processes. FOLDER is made, then removed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import zarr

from napari_emssl import worker_jobs
from napari_emssl.inference.apply_task import ApplyTask
from napari_emssl.jobs.events import Finished, Notice, Progress, Started
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.jobs.worker import client
from napari_emssl.simulation.hrtem.simulate import simulate_hrtem

EDGE, DISTINCT, SIMULATED = 2048, 4, 512
MODEL = """
import sys
from napari_emssl.models.model_file import Card, ClassInfo, Model, NetworkSpec, save_model
from napari_emssl.models.build import network_of
from napari_emssl.models.weights import to_numpy
spec = NetworkSpec(name="unet-2-44", width=4)
classes = (ClassInfo(name="background"), ClassInfo(name="particle"))
card = Card(name="random weights", task="segment", network=spec, classes=classes)
save_model(Model(card, to_numpy(network_of(spec).state_dict())), sys.argv[1])
"""
"""What the weights are does not matter to memory and time. Made elsewhere: the viewer has no torch in it either."""


def make_stack(path: Path, gigabytes: float) -> zarr.Array:
    """Write a few distinct planes, and all others as links to their chunks."""
    count = int(gigabytes * 1e9 / EDGE**2)
    stack = zarr.create_array(path, shape=(count, EDGE, EDGE), chunks=(1, EDGE, EDGE), dtype=np.uint8)
    for i in range(DISTINCT):
        image = simulate_hrtem(seed=i).image
        scaled = np.interp(image, np.percentile(image, (0.1, 99.9)), (0, 255)).astype(np.uint8)
        stack[i] = np.tile(scaled, (EDGE // SIMULATED, EDGE // SIMULATED))
    for i in range(DISTINCT, count):
        chunk = path / "c" / str(i) / "0" / "0"
        chunk.parent.mkdir(parents=True)
        os.link(path / "c" / str(i % DISTINCT) / "0" / "0", chunk)
    return stack


def memory_mb(process: psutil.Process) -> float:
    """Memory that is the process's own, MB."""
    return process.memory_full_info().uss / 1e6


def follow(job: client.WorkerJob[object], planes: int, seconds: float) -> None:
    """Print planes done and memory at even times, and the peaks at the end."""
    own, other = psutil.Process(), psutil.Process(job.pid)
    start, told, peaks, stopping = time.monotonic(), 0.0, [0.0, 0.0], False
    print(f"{'planes':>8} {'seconds':>8} {'this process, MB':>18} {'job, MB':>10}")
    for event in job:
        if isinstance(event, Started):
            print(event.device, event.summary)
        if isinstance(event, Notice):
            print(event.text)
        if isinstance(event, Finished):
            (outcome,) = event.result
            took = time.monotonic() - start
            print(f"{outcome.done} of {planes} planes in {took:.0f} s; peaks {peaks[0]:.0f} and {peaks[1]:.0f} MB")
            print(f"all {planes} planes at this speed: {took * planes / max(outcome.done, 1) / 3600:.1f} h")
        if not isinstance(event, Progress):
            continue
        now = [memory_mb(own), memory_mb(other)]
        peaks = [max(pair) for pair in zip(peaks, now, strict=True)]
        took = time.monotonic() - start
        if took - told > seconds / 20:
            told = took
            print(f"{event.step // 1000:8d} {took:8.0f} {now[0]:18.0f} {now[1]:10.0f}", flush=True)
        if took > seconds and not stopping:
            stopping = True
            job.stop()


def main() -> None:
    """Make the stack, segment it for a while, remove everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=600.0, help="Stop after so long.")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    try:
        stack = make_stack(options.folder / "stack.zarr", options.gigabytes)
        print(f"{stack.nbytes / 1e9:.1f} GB; {psutil.virtual_memory().total / 1e9:.1f} GB of main memory")
        model = options.folder / "random.safetensors"
        subprocess.run([sys.executable, "-c", MODEL, str(model)], check=True)
        order = ApplyTask(stack, options.folder / "result.zarr")
        follow(
            client.run(worker_jobs.apply_images, str(model), [order], ApplySettings(device="cpu")),
            stack.shape[0],
            options.seconds,
        )
    finally:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
