"""Denoising without clean images: it learns, chooses what fits the stack, and never sees what it is asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.writers import write_image
from napari_emssl.errors import UserError
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.events import Finished, Notice, Progress, Started
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import Model, NetworkSpec, read_model, save_model
from napari_emssl.models.objectives import NoisyTargetObjective
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.finetuning.labelled_data import TrainingData
from napari_emssl.training.finetuning.noise_start import SMOOTHINGS_PX
from napari_emssl.training.finetuning.noisy_data import gather_noisy

Floats = NDArray[np.float32]
SIZE = 160
QUICK: dict[str, Any] = {"generator": "unet-3-96", "width": 4, "learning_rate": 1e-2}


def scene(seed: int = 0, drift: float = 0.0) -> Floats:
    """Waves of several directions, 100 to about 300, that do not repeat."""
    y, x = np.mgrid[:SIZE, :SIZE] + drift
    ways = np.random.default_rng(seed).uniform(0, 2 * np.pi, (6, 2))
    waves = [np.cos(0.35 * (y * np.sin(way) + x * np.cos(way)) + phase) for way, phase in ways]
    return (200 + 25 * np.sum(waves, axis=0)).astype(np.float32)


def stack(frames: int = 6, drift: float = 0.0, sigma: float = 60.0, seed: int = 0) -> tuple[Floats, Floats]:
    """Noisy frames and the clean ones."""
    clean = np.stack([scene(seed, drift * n) for n in range(frames)])
    noise = np.random.default_rng(seed + 1).normal(0, sigma, clean.shape)
    return (clean + noise).astype(np.float32), clean


def settings(**more: Any) -> FinetuneSettings:
    small = {"task": "denoise", "patch": 64, "batch_size": 4, "device": "cpu", "precision": "fp32"}
    return FinetuneSettings(**small | {"generator": "unet-2-44", "width": 8, "learning_rate": 5e-3} | more)


def gathered(images: Any, **more: Any) -> TrainingData:
    return gather_noisy(images, settings(**more), IntensityScaling())


def trained(images: Any, chosen: FinetuneSettings, **more: Any) -> tuple[Model, list[Any]]:
    events = list(finetune(images, None, chosen, "scratch", **more))
    assert isinstance(events[-1], Finished)
    return events[-1].result, events


def error(one: Floats, other: Floats) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


@pytest.mark.parametrize("supervision", ["frames", "blind-spot"])
def test_a_noisy_stack_teaches_to_take_its_noise_off(supervision: str) -> None:
    noisy, clean = stack()
    model, events = trained([noisy], settings(supervision=supervision, steps=70, **QUICK))
    restored = apply(model, noisy)
    assert error(restored, clean) < 0.5 * error(noisy, clean)
    assert abs(float(restored.mean() - clean.mean())) < 6
    measured = [event.metrics for event in events if isinstance(event, Progress) and event.metrics]
    assert {name for metrics in measured for name in metrics} == {"loss"}
    record = model.card.history[-1]
    assert record.metrics["loss"] == min(metrics["loss"] for metrics in measured)
    assert record.data["supervision"] == supervision
    assert model.card.task == "denoise"


def test_auto_takes_frames_of_a_still_stack_and_says_why() -> None:
    noisy, _ = stack()
    model, events = trained([noisy], settings(steps=1))
    (started,) = [event for event in events if isinstance(event, Started)]
    assert "Neighbouring frames are targets" in started.summary
    found = model.card.history[-1].data
    assert found["supervision"] == "frames"
    assert found["structure in common"] > 0.9
    assert found["drift px"] < 0.3
    assert found["pixels used"] > 0.9


def test_drifting_frames_are_registered() -> None:
    noisy, clean = stack(drift=3.0)
    parts = gathered([noisy], validation=0)
    assert parts.supervision is not None
    assert parts.supervision.method == "frames"
    assert parts.supervision.found["drift px"] == pytest.approx(3 * np.sqrt(2), abs=0.3)
    levels = IntensityScaling().fit(noisy[2])
    target = levels.from_unit(parts.training[2].target)
    known = np.isfinite(parts.training[2].target)
    assert 0.85 < known.mean() < 1
    assert error(target[known], clean[2][known]) < 0.8 * 60


@pytest.mark.parametrize("images", ["unrelated", "single", "same noise"])
def test_auto_hides_pixels_where_frames_teach_nothing(images: str) -> None:
    noisy, clean = stack(4)
    given: dict[str, Any] = {
        "unrelated": np.stack([scene(n) + noisy[n] - clean[n] for n in range(4)]),
        "single": noisy[0],
        "same noise": clean + (noisy - clean)[:1],
    }
    found = gathered([given[images]]).supervision
    assert found is not None
    assert found.method == "blind-spot"
    reason = {"unrelated": "structure in common", "single": "no neighbour", "same noise": "noise of neighbouring"}
    assert reason[images] in found.why


def test_frames_whose_noise_is_shared_by_two_are_taken_from_farther_apart() -> None:
    noisy, _ = stack(8)
    parts = gathered([np.repeat(noisy, 2, axis=0)])
    assert parts.supervision is not None
    assert (parts.supervision.method, parts.supervision.gap) == ("frames", 2)


def test_frames_that_were_asked_for_but_do_not_fit_are_doubted() -> None:
    unrelated = [scene(n) + stack(1, seed=n)[0][0] - scene(n) for n in range(4)]
    _, events = trained(unrelated, settings(supervision="frames", steps=1))
    assert any(isinstance(event, Notice) and "as asked for, but" in event.text for event in events)
    with pytest.raises(UserError, match="only one frame"):
        gathered([unrelated[0]], supervision="frames")


def test_numbered_files_are_a_film_and_a_volume_in_time_is_many(tmp_path: Path) -> None:
    noisy, _ = stack(4)
    for number, frame in enumerate(noisy):
        write_image(tmp_path / f"frame{number}.tif", frame)
    found = gathered(tmp_path).supervision
    assert found is not None
    assert found.method == "frames"
    slices = [stack(4, seed=n)[0] for n in range(2)]  # (t, z): slices differ, times do not
    found = gathered([np.stack(slices, axis=1)]).supervision
    assert found is not None
    assert (found.method, found.gap) == ("frames", 1)


def test_only_denoising_learns_without_targets() -> None:
    for task in ("segment", "remove-background", "super-resolve"):
        with pytest.raises(UserError, match=f"The task {task} needs targets"):
            finetune([scene()], None, settings(task=task, steps=1), "scratch").result()
    with pytest.raises(UserError, match="clean targets"):
        gathered([scene()], test=0.2)
    with pytest.raises(UserError, match="no image"):
        gathered([])


def test_the_loss_does_not_depend_on_what_is_hidden() -> None:
    noisy, _ = stack(1)
    network = network_of(NetworkSpec(name="unet-2-44", width=4)).eval()
    (pair,) = gathered([noisy], supervision="blind-spot").validation
    asked = np.isfinite(pair.target)
    strip = noisy[0][-pair.image.shape[0] :]
    outputs = []
    for change in (0.0, 40.0):
        changed = noisy.copy()
        changed[0][-len(strip) :][asked] += change
        scaling = IntensityScaling(low_percent=0, high_percent=100)
        changed[0, 0, :2] = -1000, 1000  # the same levels for both
        (held,) = gather_noisy([changed], settings(supervision="blind-spot"), scaling).validation
        with torch.inference_mode():
            outputs.append(network(torch.from_numpy(held.image)[None, None])[0, 0].numpy()[asked])
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("supervision", ["frames", "blind-spot"])
def test_one_step_is_as_good_as_the_best_gaussian(supervision: str) -> None:
    noisy, clean = stack(3)
    model, _ = trained([noisy], settings(supervision=supervision, steps=1, **QUICK))
    best = min(error(ndimage.gaussian_filter(noisy, (0, sigma, sigma)), clean) for sigma in SMOOTHINGS_PX)
    assert model.card.network.smoothing_px > 1
    assert error(apply(model, noisy), clean) < 1.1 * best


def test_a_start_that_denoises_already_is_kept_as_it_is() -> None:
    noisy, clean = stack(3)
    first, _ = trained([noisy], settings(supervision="frames", steps=60, **QUICK))
    again = finetune([noisy], None, settings(supervision="frames", steps=1, learning_rate=1e-6), first).result()
    assert again.card.network.smoothing_px == first.card.network.smoothing_px
    assert error(apply(again, noisy), clean) < 1.05 * error(apply(first, noisy), clean)


def test_little_noise_leaves_the_result_a_share_of_the_image_itself(tmp_path: Path) -> None:
    seeds = np.random.default_rng(0).random((SIZE, SIZE)) < 0.01
    fine = 200 + ndimage.gaussian_filter(200.0 * ndimage.binary_dilation(seeds, iterations=2), 0.9)
    noise = np.random.default_rng(1).normal(0, 9, fine.shape)
    noisy, clean = (fine + noise).astype(np.float32), fine.astype(np.float32)
    chosen = settings(supervision="blind-spot", steps=30, validation=0, **QUICK)
    model, _ = trained([noisy], chosen)
    network = model.card.network
    assert network.image_share > 0.2
    unseeing = replace(
        model, card=model.card.model_copy(update={"network": network.model_copy(update={"image_share": 0.0})})
    )
    assert error(apply(model, noisy), clean) < 0.9 * error(apply(unseeing, noisy), clean)
    kept = read_model(save_model(model, tmp_path / "model.safetensors"))
    assert kept.card.network == network
    pairs = finetune([noisy], [clean], settings(steps=1, validation=0), kept).result().card.network
    assert (pairs.smoothing_px, pairs.image_share) == (network.smoothing_px, 0.0)
    smeared = ndimage.uniform_filter1d(noise, 3, axis=1) * 2
    model, _ = trained([(fine + smeared).astype(np.float32)], chosen)
    assert model.card.network.image_share == 0


def test_skewed_noise_keeps_the_mean() -> None:
    counts = np.random.default_rng(0).poisson(0.3, (4, SIZE, SIZE)).astype(np.float32)
    counts[:, :80] = np.random.default_rng(1).poisson(1.0, (4, 80, SIZE))
    for supervision in ("frames", "blind-spot"):
        model, _ = trained([counts], settings(supervision=supervision, steps=80, **QUICK))
        restored = apply(model, counts)
        assert restored[:, 8:72].mean() == pytest.approx(1.0, rel=0.15)
        assert restored[:, 88:].mean() == pytest.approx(0.3, rel=0.25)  # its median is 0


def test_the_loss_asks_only_where_there_is_a_target() -> None:
    task, output = NoisyTargetObjective(), torch.zeros(1, 1, 4, 4, requires_grad=True)
    target = torch.full((1, 1, 4, 4), torch.nan)
    assert task.loss(output, target).item() == 0
    target[0, 0, 1, 2] = 3.0
    loss = task.loss(output, target)
    loss.backward()
    assert loss.item() == 9
    assert output.grad is not None
    assert torch.count_nonzero(output.grad) == 1


@pytest.mark.parametrize("supervision", ["frames", "blind-spot"])
def test_the_same_seed_gives_the_same_and_a_resumed_run_too(supervision: str, tmp_path: Path) -> None:
    noisy, _ = stack(3)
    chosen = settings(supervision=supervision, steps=8, validation_interval=2)
    whole, events = trained([noisy], chosen)
    autosave = tmp_path / "run.autosave"
    job = finetune([noisy], None, chosen, "scratch", autosave=autosave)
    for event in job:
        if isinstance(event, Progress) and event.step >= 4:
            job.stop()
    again, rest = trained([noisy], chosen, resume=autosave)
    assert losses(rest).items() <= losses(events).items()
    for name, weights in whole.weights.items():
        np.testing.assert_array_equal(again.weights[name], weights)


def losses(events: list[Any]) -> dict[int, float]:
    """Validation loss by step."""
    return {event.step: event.metrics["loss"] for event in events if isinstance(event, Progress) and event.metrics}


def test_a_run_stopped_after_three_events_hands_over_a_model() -> None:
    noisy, _ = stack(3)
    job = finetune([noisy], None, settings(steps=1000), "scratch")
    for _ in range(3):
        next(job)
    job.stop()
    *_, last = job
    assert isinstance(last, Finished)
    assert last.stopped
    assert apply(last.result, noisy).shape == noisy.shape
