"""Work on two Dask workers: in any order, all of it, also when one of them is killed."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from dask_workers import square_or_die, two_workers

from napari_emssl.errors import UserError
from napari_emssl.jobs.cluster.dask_scheduler import check_executor, run_on_workers
from napari_emssl.jobs.events import Control


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with two_workers() as address:
        yield address


def test_a_killed_worker_loses_nothing_and_a_failure_stops_nothing(scheduler: str, tmp_path: Path) -> None:
    work = partial(square_or_die, mark=tmp_path / "x")
    done = {one.index: one for one in run_on_workers(scheduler, work, range(8), Control())}
    assert {index: one.result for index, one in done.items() if index != 3} == {n: n * n for n in range(8) if n != 3}
    assert (done[3].result, done[3].failure) == (None, "three is refused")
    assert (tmp_path / "x").exists()


def test_a_stop_takes_back_what_nobody_has_begun(scheduler: str) -> None:
    control = Control()
    seen = []
    for one in run_on_workers(scheduler, square_or_die, range(100, 400), control):
        seen.append(one)
        control.stop()
    assert len(seen) == 1


def test_what_is_wrong_with_an_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="--executor takes dask://"):
        check_executor("10.0.0.1:8786")
    monkeypatch.setattr("napari_emssl.jobs.cluster.dask_scheduler._PATIENCE_SECONDS", 0.5)
    with pytest.raises(UserError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        list(run_on_workers("dask://127.0.0.1:1", square_or_die, [1], Control()))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"napari-emssl\[cluster\]"):
        check_executor("dask://10.0.0.1:8786")
