"""Work on two Dask workers: in any order, all of it, also when one of them is killed."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dask_workers import slow_square, square_or_die, two_workers

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


def test_workers_with_another_version_do_nothing(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_emssl.jobs.cluster.dask_scheduler.__version__", "9.9")
    with pytest.raises(UserError, match=r"The worker at .* has napari-emssl .*, not 9\.9"):
        list(run_on_workers(scheduler, square_or_die, [1], Control()))
    # one that comes later is found out by its work
    monkeypatch.setattr("napari_emssl.jobs.cluster.dask_scheduler._check_workers", lambda _client: None)
    (done,) = run_on_workers(scheduler, square_or_die, [1], Control())
    assert done.result is None
    assert "Install the same version" in done.failure


def test_workers_without_the_package_are_named(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking() -> str:
        raise ModuleNotFoundError("No module named 'napari_emssl'")

    monkeypatch.setattr("napari_emssl.jobs.cluster.dask_scheduler._version", lacking)
    with pytest.raises(UserError, match=r"cannot use napari-emssl \(No module"):
        list(run_on_workers(scheduler, square_or_die, [1], Control()))


def test_a_scheduler_that_goes_and_workers_that_do_not_come_back_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("napari_emssl.jobs.cluster.dask_scheduler._WITHOUT_WORKERS_SECONDS", 0.5)

    def work_until(ends: Callable[[Any], object]) -> None:
        with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
            address = cluster.scheduler_address.replace("tcp://", "dask://")
            for _done in run_on_workers(address, slow_square, range(100), Control()):
                ends(cluster)

    with pytest.raises(UserError, match="has no workers any more"):
        work_until(lambda cluster: cluster.scale(0))
    with pytest.raises(UserError, match="is gone"):
        work_until(lambda cluster: cluster.close())
