"""The curves of a training are kept, stay small, and go with their model."""

import numpy as np
import small_jobs

from napari_emssl.gui.job.curve_record import CurveRecord, kept_curves, thinned
from napari_emssl.jobs.events import Progress
from napari_emssl.models.zoo import (
    add_model,
    curve_file,
    damaged_models,
    list_models,
    own_folder,
    remove_model,
    rename_model,
)


def row(step, **metrics):
    return Progress(step, None, {"loss": 1 / step}, metrics, seconds=step / 10)


def test_curves_come_back_as_they_were(home):
    record = CurveRecord()
    for step in range(1, 30):
        record.add(row(step, **({"dice": step / 30} if step % 10 == 0 else {})))
    record.add(Progress(40, None))
    record.keep("au").join()
    back = kept_curves("au")
    assert [(r.step, r.losses, r.metrics) for r in back] == [(r.step, r.losses, r.metrics) for r in record.rows]
    assert len(back) == 29
    assert kept_curves("another") == []


def test_ten_hours_of_events_stay_small_and_keep_their_validations():
    record, most = CurveRecord(), 0
    for step in range(1, 360_000):
        record.add(row(step, **({"dice": 0.5} if step % 1000 == 0 else {})))
        most = max(most, len(record.rows))
    assert most <= 4001
    assert sum(1 for r in record.rows if r.metrics) == 359
    steps = np.array([r.step for r in record.rows])
    assert (np.diff(steps) > 0).all()
    assert np.diff(steps).max() < 2000


def test_validations_are_thinned_when_there_is_nothing_else():
    kept = thinned([row(step, l1=0.1) for step in range(1, 5001)], 2000)
    assert 1000 <= len(kept) <= 2000
    assert kept[-1].step == 5000


def test_a_run_without_numbers_leaves_no_file(home):
    CurveRecord().keep("au").join()
    assert not curve_file("au").exists()


def test_curves_go_with_their_model(home):
    add_model(small_jobs.model("a"))
    record = CurveRecord()
    record.add(row(1))
    record.keep("a").join()
    rename_model("a", "b")
    assert kept_curves("a") == []
    assert len(kept_curves("b")) == 1
    add_model(small_jobs.model("b"), overwrite=True)
    assert kept_curves("b") == [], "another model, though of that name"
    record.keep("b").join()
    remove_model("b")
    assert not curve_file("b").exists()


def test_damaged_files_are_told_with_their_reason(home):
    add_model(small_jobs.model("good"))
    bad = own_folder() / "cut short.safetensors"
    bad.write_bytes(b"nothing")
    assert [entry.name for entry in list_models() if entry.origin == "own"] == ["good"]
    (found,) = damaged_models()
    assert (found.name, found.bytes) == ("cut short", 7)
    assert "damaged or cut short" in found.reason
    remove_model("cut short")
    assert damaged_models() == []
