"""Folders of many small files: the first scan, the second, and how long a pretraining takes to have them split.

    python benchmarks/speed/scan_folders.py [--counts 1000 10000 100000] [--repeats 3] [--folder /tmp] \
        [--json scans.json] [--table scans.md]

Every figure is of a process of its own, torch not imported, and the least of the repeats. The files are TIFFs of 64 px
that the system has in its cache. The table in docs/measurements/speed.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

SOURCES = 50
CHILD = """
import json, sys, time
from pathlib import Path
from napari_emssl.data.datasets.folder_index import scan
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.splits.held_out import make_split
import psutil
root = Path(sys.argv[1])
cpu, wall = time.process_time(), time.perf_counter()
if sys.argv[2] == "scan":
    scan(root)
else:
    found = open_sources([root])
    make_split(found.names, found.origins, len(found) // 10, 0, None, 0)
print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall, psutil.Process().memory_info().rss / 1e6]))
"""


def make_files(root: Path, count: int) -> None:
    """Write so many small images of a few sources."""
    root.mkdir()
    tifffile.imwrite(root / "0.tif", np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    content = (root / "0.tif").read_bytes()
    (root / "0.tif").unlink()
    for number in range(count):
        (root / f"volume{number % SOURCES}-LOC-2d-{number}.tif").write_bytes(content)


def run(root: Path, what: str, home: Path) -> list[float]:
    """Processor time, wall time and memory of one process."""
    environment = os.environ | {"NAPARI_EMSSL_HOME": str(home)}
    command = [sys.executable, "-c", CHILD, str(root), what]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: list[float] = json.loads(done.stdout)
    return found


def measured(root: Path, home: Path, repeats: int) -> dict[str, list[list[float]]]:
    """First scan, second scan, and second start."""
    found: dict[str, list[list[float]]] = {"first scan": [], "second scan": [], "second start": []}
    for _ in range(repeats):
        shutil.rmtree(home, ignore_errors=True)
        found["first scan"].append(run(root, "scan", home))
        found["second scan"].append(run(root, "scan", home))
        found["second start"].append(run(root, "start", home))
    return found


def main() -> None:
    """Measure, print, and write both files where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="scan-folders-", dir=given.folder))
    lines = ["| files | what | processor, s | wall, s | memory, MB |", "|---|---|---|---|---|"]
    found = {}
    print("\n".join(lines))
    try:
        for count in given.counts:
            make_files(place / str(count), count)
            found[count] = measured(place / str(count), place / "home", given.repeats)
            shutil.rmtree(place / str(count))
            for what, rows in found[count].items():
                cpu, wall, memory = (min(each) for each in zip(*rows, strict=True))
                lines.append(f"| {count} | {what} | {cpu:.2f} | {wall:.2f} | {memory:.0f} |")
                print(lines[-1], flush=True)
    finally:
        shutil.rmtree(place)
    if given.json:
        machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "repeats": given.repeats}
        given.json.write_text(json.dumps({"machine": machine, "runs": found}, indent=1))
    if given.table:
        given.table.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
