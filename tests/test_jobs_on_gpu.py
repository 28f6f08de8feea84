"""Each job on a GPU, and the same on the CPU, so that the tests themselves are kept true where there is no GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch
from random_models import random_model
from small_finetuning import dice, discs, paint
from small_finetuning import small as small_finetuning
from small_pretraining import blobs, losses, result
from small_pretraining import small as small_pretraining

from napari_emssl.inference.apply import apply
from napari_emssl.jobs.events import Progress
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.pretraining.pretrain import pretrain

_NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
each_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, _NO_GPU])])

# cuDNN sums in another order than the CPU, and picks its algorithms anew in every process
CLOSE = {"rtol": 2e-2, "atol": 2e-3}


@each_device
@pytest.mark.parametrize("generator", ["unet-3-96", "hrnet-w18-small"])
def test_a_pretraining_step(device: str, generator: str) -> None:
    """Losses are those of the same step on the CPU; the model comes back to main memory."""
    # each kind of device draws other noise and blur from a seed
    as_it_is = {"noise_min": 0.0, "noise_max": 0.0, "blur_max": 0.0}
    settings = small_pretraining(
        generator=generator, width=2, steps=1, validation_interval=1, precision="fp32", **as_it_is
    )
    here = list(pretrain(blobs(), settings.model_copy(update={"device": device})))
    there = losses(list(pretrain(blobs(), settings)))
    assert losses(here)[-1] == pytest.approx(there[-1], rel=2e-2)
    assert all(isinstance(array, np.ndarray) and np.isfinite(array).all() for array in result(here).weights.values())


@each_device
def test_fine_tuning_finds_the_other_discs(device: str) -> None:
    image, numbers = discs()
    settings = small_finetuning(steps=80, width=4, learning_rate=5e-3, validation_interval=None, device=device)
    model = finetune([image], [paint(numbers)], settings, "scratch").result()
    other, truth = discs(seed=1)
    assert dice(apply(model, other, ApplySettings(device=device)) > 0, truth > 0) > 0.9


@each_device
@pytest.mark.parametrize("task", ["segment", "denoise"])
def test_applied_in_tiles_is_applied_whole(device: str, task: str) -> None:
    model = random_model("unet-3-96", width=4, task=task)
    plane = np.random.default_rng(0).random((300, 420), np.float32) * 1000
    fp32 = {"device": device, "precision": "fp32"}
    tiled, whole = (apply(model, plane, ApplySettings(tile=tile, **fp32)) for tile in (96, 448))
    if task == "segment":
        assert (tiled != whole).mean() < 1e-4
    else:
        np.testing.assert_allclose(tiled, whole, rtol=1e-3, atol=1e-3 * np.abs(whole).max())


@each_device
def test_a_resumed_pretraining_ends_where_the_uninterrupted_one_does(device: str, tmp_path: Path) -> None:
    settings = small_pretraining(steps=4, validation_interval=2, precision="fp32", device=device)
    whole = list(pretrain(blobs(), settings))
    autosave = tmp_path / "run.autosave"
    job = pretrain(blobs(), settings, autosave=autosave)
    for event in job:
        if isinstance(event, Progress) and event.step == 2:
            job.stop()
    resumed = list(pretrain(blobs(), settings, resume=autosave, autosave=autosave))
    last = [event.metrics["l1"] for event in resumed if isinstance(event, Progress) and event.metrics][-1]
    expected = [event.metrics["l1"] for event in whole if isinstance(event, Progress) and event.metrics][-1]
    assert last == pytest.approx(expected, rel=0 if device == "cpu" else 2e-2)


@each_device
def test_bf16_gives_what_fp32_gives_but_for_its_eight_bits(device: str) -> None:
    model = random_model("unet-3-96", width=8, task="denoise")
    plane = np.random.default_rng(1).random((128, 160), np.float32) * 1000
    rough, exact = (apply(model, plane, ApplySettings(device=device, precision=one)) for one in ("bf16", "fp32"))
    assert np.abs(rough - exact).mean() < 0.02 * np.ptp(exact)
    assert not np.array_equal(rough, exact)
    image, numbers = discs()
    ends = []
    for precision in ("bf16", "fp32"):
        chosen = small_finetuning(steps=30, width=4, learning_rate=5e-3, device=device, precision=precision)
        events = list(finetune([image], [paint(numbers)], chosen, "scratch"))
        ends.append([event.losses["loss"] for event in events if isinstance(event, Progress) and event.losses][-1])
    assert ends[0] == pytest.approx(ends[1], abs=0.15)


@pytest.mark.gpu
@_NO_GPU
def test_ten_jobs_leave_no_memory_behind() -> None:
    """What torch holds is given back when a job is over; what it caches may be reused."""
    image, numbers = discs()
    settings = small_finetuning(steps=3, width=8, device="cuda")
    held = []
    for _ in range(10):
        finetune([image], [paint(numbers)], settings, "scratch").result()
        held.append(torch.cuda.memory_allocated())
    assert held[-1] <= held[0] + 2**20
