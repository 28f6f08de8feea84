"""Freed memory is used again while a job runs, and goes back to the system when it ends."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_emssl.jobs.allocator import keeps_memory, kept_memory
from napari_emssl.jobs.events import Control, Finished, Job

_BYTES = 200 * 2**20
_PAGES = _BYTES // resource.getpagesize()

pytestmark = pytest.mark.skipif(not keeps_memory(), reason="needs the GNU C library")


def pages_cleared() -> int:
    """How many pages the system hands out for a block that is written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(_BYTES, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    return psutil.Process().memory_info().rss


def block_twice_and_after() -> None:
    """Print how many pages a second block cost, and by how much the process shrank at the end."""
    with kept_memory():
        pages_cleared()
        with kept_memory():
            pages_cleared()
        again, held = pages_cleared(), resident()
    sys.stdout.write(f"{again} {held - resident()}\n")


def printed_by(function: str) -> str:
    """Run one of these functions in a process of its own: what other tests left decides where a block comes from."""
    folder = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {folder!r}); import test_allocator as t; t.{function}()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600).stdout


def test_a_block_is_used_again_and_given_back_at_the_end() -> None:
    pages, shrunk = map(int, printed_by("block_twice_and_after").split())
    assert pages < _PAGES / 10
    assert shrunk > _BYTES / 2


def block_twice_in_a_thread() -> None:
    """Print how many pages a second block cost in a thread that began while memory was kept."""
    with kept_memory(), ThreadPoolExecutor(1) as pool:
        sys.stdout.write(f"{min(pool.submit(pages_cleared).result() for _ in range(2))}\n")


def test_threads_use_blocks_again_too() -> None:
    assert int(printed_by("block_twice_in_a_thread")) < _PAGES / 10


def test_every_job_keeps_memory_while_it_runs() -> None:
    def events(control: Control) -> Iterator[Finished[int]]:
        pages_cleared()
        yield Finished(pages_cleared(), control.stopped)

    job = Job(events)
    assert job.result() < _PAGES / 10
    assert list(job) == []
