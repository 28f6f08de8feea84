"""Memory of the first look's process: at its peak, and while it waits after a plane was answered.

    OMP_NUM_THREADS=1 python benchmarks/speed/first_look_memory.py [--edges 1024 2048] [--json memory.json]

Both first looks, by filters and in context, are started as the dock starts them, asked about a plane twice, and looked
at from outside. The table in docs/measurements/speed.md.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from napari_emssl import ContextSettings, worker_jobs
from napari_emssl.jobs.events import Preview
from napari_emssl.jobs.worker import client
from napari_emssl.training.live_preview.query import PreviewQuery

_GENERATOR = "context-unet-4-200-w16"
_SETTLED_SECONDS = 2.0
_IDLE_SECONDS = 0.02
"""Of processor time in a tenth of a second, or less: a process that waits."""


def question(edge: int, number: int) -> PreviewQuery:
    """Ask about a plane of noise with two squares painted."""
    plane = np.random.default_rng(0).integers(0, 255, (edge, edge), dtype=np.uint8)
    painting = np.zeros((edge, edge), np.uint8)
    painting[100:140, 100 : 140 + number] = 1
    return PreviewQuery(planes=(plane,), painting=(painting,), number=number)


class Watch(threading.Thread):
    """Notes the most memory that a process has."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process, self.peak = psutil.Process(pid), 0
        self.start()

    def run(self) -> None:
        """Look until the process is gone."""
        try:
            while True:
                self.peak = max(self.peak, self.now())
                time.sleep(0.02)
        except psutil.NoSuchProcess:
            return

    def now(self) -> int:
        """Resident memory in bytes."""
        return int(self._process.memory_info().rss)


class Answers(threading.Thread):
    """Takes whatever a job says, so that it never waits for a reader."""

    def __init__(self, job: Iterator[object]) -> None:
        super().__init__(daemon=True)
        self._job, self.number = job, 0
        """Of the last question that was answered, at least in part."""
        self.start()

    def run(self) -> None:
        """Take events until the job ends."""
        for event in self._job:
            if isinstance(event, Preview):
                self.number = event.step


def settled(pid: int) -> None:
    """Wait until a process has computed nothing for a while: an answer may come in parts."""
    process, last, since = psutil.Process(pid), 0.0, time.monotonic()
    while time.monotonic() - since < _SETTLED_SECONDS:
        time.sleep(0.1)
        spent = sum(process.cpu_times()[:2])
        if spent - last > _IDLE_SECONDS:
            last, since = spent, time.monotonic()


def measured(kind: str, edge: int) -> dict[str, object]:
    """Ask twice and look at the process; MB."""
    job = (
        client.run(worker_jobs.live_preview)
        if kind == "filters"
        else client.run(worker_jobs.live_preview_in_context, _GENERATOR, ContextSettings(device="cpu"))
    )
    next(job)
    watch, answers = Watch(job.pid), Answers(job)
    settled(job.pid)
    row: dict[str, object] = {"kind": kind, "edge": edge, "start": watch.now() / 1e6}
    for number in (1, 2):
        job.ask(question(edge, number))
        begin = time.perf_counter()
        while answers.number != number:
            time.sleep(0.01)
        row[f"answer {number}, s"] = time.perf_counter() - begin
        settled(job.pid)
        row[f"after answer {number}"] = watch.now() / 1e6
    row["peak"] = watch.peak / 1e6
    job.close()
    return row


def main() -> None:
    """Measure, print a table, and write a JSON file where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = [measured(kind, edge) for kind in ("filters", "context") for edge in given.edges]
    print("| first look | plane, px | before, MB | peak, MB | after the first, MB | after the second, MB |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        sizes = " | ".join(f"{row[name]:.0f}" for name in ("start", "peak", "after answer 1", "after answer 2"))
        print(f"| {row['kind']} | {row['edge']} | {sizes} |")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
