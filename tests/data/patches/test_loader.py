"""Reading ahead: the same batches by thread, by processes and by shares; every end is clean."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
import torch
from patience import PATIENCE_SECONDS

from napari_emssl.data.datasets.pack_file import write_pack
from napari_emssl.data.datasets.plane_stores import PlaneStore
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.loader import BatchLoader, Positions
from napari_emssl.data.patches.unlabelled_patches import UnlabelledPatches
from napari_emssl.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tiles: smaller and larger than a patch, a stack, a compressed one, one whose pixels are damaged."""
    root, rng = tmp_path / "data", np.random.default_rng(0)
    root.mkdir()
    for number, shape in enumerate([(48, 48), (32, 32), (20, 70), (90, 33), (64, 30)]):
        tifffile.imwrite(root / f"{number}.tif", rng.integers(0, 255, shape, np.uint8))
    tifffile.imwrite(root / "stack.tif", rng.integers(0, 9, (3, 40, 40), np.uint16), photometric="minisblack")
    tifffile.imwrite(root / "zipped.tif", rng.random((50, 40), np.float32), compression="zlib")
    tifffile.imwrite(root / "bad.tif", rng.random((50, 40), np.float32), compression="zlib")
    with (root / "bad.tif").open("r+b") as file:
        file.seek(-300, 2)
        file.write(bytes(300))
    return root


def patches_of(store: PlaneStore, **options: object) -> UnlabelledPatches:
    return UnlabelledPatches(store, 32, IntensityScaling(), seed=3, **options)


def some(feed: BatchLoader, first: int = 0, count: int = 4) -> list[torch.Tensor]:
    try:
        return list(islice(feed.batches(first), count))
    finally:
        feed.close()


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def test_a_pack_gives_the_same_patches_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    loose = open_sources([folder])
    images = loose.names, loose.origins, loose.counts.tolist()
    for _ in write_pack(tmp_path / "a.pack", loose.store, images, {"layouts": loose.layouts}):
        pass
    pack = open_sources([tmp_path / "a.pack"])
    one, other, uncached = patches_of(loose.store), patches_of(pack.store), patches_of(loose.store, cache_bytes=0)
    assert len(one) == len(other)
    for position in range(4 * len(one)):
        drawn = one.draw(position)
        for again in (other.draw(position), uncached.draw(position)):
            assert torch.equal(drawn.patch, again.patch)
            assert drawn.damaged == again.damaged


def test_damaged_planes_are_replaced_and_counted_alike_in_any_order(folder: Path) -> None:
    found = open_sources([folder])
    bad = found.planes_of([found.names.index("bad.tif")]).tolist()
    forward, backward = patches_of(found.store), patches_of(found.store)
    positions = range(2 * len(forward))
    first = {position: forward.draw(position) for position in positions}
    assert {number for drawn in first.values() for number in drawn.damaged} == set(bad)
    for position in reversed(positions):
        again = backward.draw(position)
        assert torch.equal(again.patch, first[position].patch)
        assert again.damaged == first[position].damaged


def test_only_chosen_planes_are_drawn(folder: Path) -> None:
    found = open_sources([folder])
    chosen = found.planes_of([0, 1])
    patches = patches_of(found.store, planes=chosen, visits="once")
    assert len(patches) == 2
    values = {float(patches.draw(position).patch.mean()) for position in range(2)}
    alone = {float(UnlabelledPatches(found.store, 32, IntensityScaling(), 3, planes=chosen, visits="once")[k].mean())
             for k in range(2)}  # fmt: skip
    assert values == alone


def test_threads_and_processes_give_the_same_batches_and_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the processes take no module from the current folder."""
    for name in ("pickle", "socket", "signal", "threading"):  # what `multiprocessing` itself takes first
        (tmp_path / f"{name}.py").write_text("open('taken', 'a').write(__name__ + ' ')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    found = open_sources([folder])
    threads = threading.active_count()
    by_thread, by_processes = (BatchLoader(patches_of(found.store), 5, workers) for workers in (0, 1))
    whole = some(by_thread)
    assert whole[0].shape == (5, 1, 32, 32)
    assert same(whole, some(by_processes))
    assert by_thread.damaged == by_processes.damaged != set()
    assert same(whole[2:], some(by_thread, 2, 2))
    gc.collect()
    assert threading.active_count() == threads
    assert multiprocessing.active_children() == []
    assert not (tmp_path / "taken").exists(), (tmp_path / "taken").read_text()
    assert "PYTHONSAFEPATH" not in os.environ


def test_shares_make_up_the_whole_batch(folder: Path) -> None:
    store = open_sources([folder]).store
    whole = some(BatchLoader(patches_of(store), 6))
    parts = [some(BatchLoader(patches_of(store), 6, share=share)) for share in (slice(0, 3), slice(3, 6))]
    assert same(whole, [torch.cat(pair) for pair in zip(*parts, strict=True)])
    assert list(islice(Positions(2, 4, slice(2, 4)), 2)) == [[10, 11], [14, 15]]


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_readable_is_an_error_in_a_sentence(folder: Path, workers: int) -> None:
    found = open_sources([folder])
    bad = found.planes_of([found.names.index("bad.tif")])
    feed = BatchLoader(patches_of(found.store, planes=bad), 2, workers)
    with pytest.raises(UserError, match=r"^Hardly any image can be read\. .*bad\.tif"):
        some(feed)


def test_reading_goes_on_while_the_training_works(folder: Path) -> None:
    """What was read ahead is not waited for."""
    asked = threading.Event()

    class Slow(UnlabelledPatches):
        def draw(self, position: int):
            if position == 3:
                asked.set()
            return super().draw(position)

    feed = BatchLoader(Slow(open_sources([folder]).store, 32, IntensityScaling()), 1)
    batches = feed.batches(0)
    next(batches)
    assert asked.wait(PATIENCE_SECONDS)
    next(batches)
    assert feed.batches_read == 2
    feed.close()


def test_an_error_of_the_reading_thread_reaches_the_training(folder: Path) -> None:
    class Broken(UnlabelledPatches):
        def draw(self, position: int):
            raise RuntimeError("a bug")

    feed = BatchLoader(Broken(open_sources([folder]).store, 32, IntensityScaling()), 1)
    with pytest.raises(RuntimeError, match="a bug"):
        some(feed)


_KILLED_AT_ONCE = """
import multiprocessing, os, signal, sys, threading, time
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.loader import BatchLoader
from napari_emssl.data.patches.unlabelled_patches import UnlabelledPatches

if __name__ == "__main__":
    patches = UnlabelledPatches(open_sources([sys.argv[1]]).store, 32, IntensityScaling(), seed=3)
    reading = threading.Thread(target=lambda: next(BatchLoader(patches, 2, 1).batches(0)), daemon=True)
    reading.start()
    while not multiprocessing.active_children():
        time.sleep(0.01)
    time.sleep(0.2)
    print(multiprocessing.active_children()[0].pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_process_that_still_loads_ends_when_the_training_is_killed(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "killed_at_once.py"
    script.write_text(_KILLED_AT_ONCE)
    said = tmp_path / "said.txt"
    with said.open("w") as file:  # no pipe: one that lives on would keep it open
        done = subprocess.run([sys.executable, "-P", script, folder], stdout=file, check=False)
    assert done.returncode == -signal.SIGKILL
    reader = int(said.read_text())
    end = time.monotonic() + 60
    while psutil.pid_exists(reader) and psutil.Process(reader).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it waits for ever"
        time.sleep(0.1)
