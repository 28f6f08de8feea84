"""What is said before a run agrees with what the run does."""

import subprocess
import sys

import numpy as np
import pytest
from random_models import random_model

from napari_emssl.data.images.intensity_scaling import Levels
from napari_emssl.inference import memory
from napari_emssl.inference.apply import apply
from napari_emssl.inference.on_demand import on_demand
from napari_emssl.inference.predictor import Predictor
from napari_emssl.inference.profile import profile
from napari_emssl.inference.tiles import estimate_run
from napari_emssl.jobs.events import Preview, Started
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.results import result_dtype

PLAIN = ApplySettings(device="cpu", precision="fp32")
MODEL = random_model()


@pytest.mark.parametrize("size", [(500, 700), (2048, 2048), (33, 5000)])
@pytest.mark.parametrize("more", [{}, {"tile": 256, "halo": 32, "batch_size": 2}])
def test_tiles_and_memory_are_those_of_the_run(monkeypatch, size, more):
    monkeypatch.setattr(memory, "free_main_memory", lambda: 2**30)
    settings = PLAIN.model_copy(update=more)
    specs = [MODEL.card.network, random_model("unet-4-200").card.network]
    profiles = profile(specs, settings).result()
    assert list(profiles) == specs
    estimate, predictor = estimate_run(profiles[specs[0]], settings, *size), Predictor(MODEL, settings, *size)
    assert (estimate.tiles, estimate.tile, estimate.halo) == (predictor.tiles, predictor.plan.tile, predictor.plan.halo)
    assert estimate.pass_bytes == predictor.plan.planned_bytes
    assert estimate.fits
    assert estimate.plane_seconds > 0


def test_memory_that_is_not_there_is_foreseen(monkeypatch):
    monkeypatch.setattr(memory, "free_main_memory", lambda: 2**16)
    found = profile([MODEL.card.network], PLAIN).result()[MODEL.card.network]
    assert not estimate_run(found, PLAIN, 500, 700).fits


def test_the_average_over_turns_takes_eight_times_as_long():
    found = profile([MODEL.card.network], PLAIN).result()[MODEL.card.network]
    slow = PLAIN.model_copy(update={"test_time_augmentation": True})
    seconds = [estimate_run(found, settings, 500, 700).plane_seconds for settings in (PLAIN, slow)]
    assert seconds[1] == pytest.approx(8 * seconds[0])


@pytest.mark.parametrize("classes", [2, 3, 300])
def test_the_type_of_a_result(classes):
    model = random_model(task="segment", classes=tuple(f"c{k}" for k in range(classes)))
    assert result_dtype(model.card) == apply(model, np.zeros((8, 8), np.uint8), PLAIN).dtype
    assert result_dtype(MODEL.card) == np.float32


def test_planning_imports_no_torch():
    modules = "napari_emssl.inference.apply_task, napari_emssl.inference.tiles, napari_emssl.inference.zarr_progress"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("levels", [None, Levels(0.0, 500.0)])
def test_planes_are_done_as_they_are_shown(levels):
    stack = np.random.default_rng(0).normal(100, 20, (3, 40, 30)).astype(np.float32)
    model = random_model(scaling={"per": "plane" if levels is None else "stack"})
    job = on_demand(model, (40, 30), PLAIN, levels)
    assert isinstance(next(job), Started)
    results = []
    for plane in stack:
        job.show(plane)
        event = next(job)
        assert isinstance(event, Preview)
        results.append(event.images["prediction"])
    job.stop()
    assert next(job).stopped
    if levels is None:
        np.testing.assert_array_equal(results, apply(model, stack, PLAIN))
    else:
        assert not np.allclose(results, apply(model, stack, PLAIN))
