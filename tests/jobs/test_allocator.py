"""Freed memory is used again while a job runs, and goes back to the system when it ends."""

import resource
from collections.abc import Iterator

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


def test_a_block_is_used_again_and_given_back_at_the_end() -> None:
    with kept_memory():
        pages_cleared()
        with kept_memory():
            pages_cleared()
        assert pages_cleared() < _PAGES / 10
        held = resident()
    assert held - resident() > _BYTES / 2


def test_every_job_keeps_memory_while_it_runs() -> None:
    def events(control: Control) -> Iterator[Finished[int]]:
        pages_cleared()
        yield Finished(pages_cleared(), control.stopped)

    job = Job(events)
    assert job.result() < _PAGES / 10
    assert list(job) == []
