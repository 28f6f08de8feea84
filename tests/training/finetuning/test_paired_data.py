"""Restoration: learning intensities from pairs, on one grid or a finer one, and handing them back in their units."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_emssl.data.images.image import Image
from napari_emssl.data.images.intensity_scaling import IntensityScaling, Levels
from napari_emssl.data.images.opening import read_image
from napari_emssl.data.images.writers import write_image
from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.data.patches.paired_patches import PairPatches, PairPlanes
from napari_emssl.errors import UserError
from napari_emssl.evaluation.evaluate import evaluate
from napari_emssl.inference.apply import apply, apply_files
from napari_emssl.jobs.events import Finished, Notice, Preview, Progress
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import Model, read_model, save_model
from napari_emssl.models.objectives import RestorationObjective
from napari_emssl.models.tasks import task_of
from napari_emssl.models.weights import spread_head, to_numpy, transfer
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.finetuning.paired_data import gather_pairs

RNG = np.random.default_rng(3)


def lattice(size: int = 96, phase: float = 0.0, step: float = 1.0) -> NDArray[np.float32]:
    """Rows of bright dots, 100 to 300."""
    y, x = np.mgrid[:size, :size] * step
    return (200 + 50 * (np.cos(y * 0.7 + phase) + np.cos(x * 0.7))).astype(np.float32)


def noisy(clean: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    return (clean + np.random.default_rng(seed).normal(0, 60, clean.shape)).astype(np.float32)


def settings(task: str = "denoise", **more: Any) -> FinetuneSettings:
    return FinetuneSettings(
        **{"task": task, "patch": 64, "batch_size": 4, "device": "cpu", "precision": "fp32"}
        | {"generator": "unet-2-44", "width": 8, **more}
    )


def trained(images: list[Any], targets: list[Any], chosen: FinetuneSettings, **more: Any) -> tuple[Model, list[Any]]:
    events = list(finetune(images, targets, chosen, "scratch", **more))
    assert isinstance(events[-1], Finished)
    return events[-1].result, events


@pytest.fixture(scope="module")
def denoiser() -> tuple[Model, list[Any]]:
    clean = [lattice(192, phase) for phase in (0.0, 1.0)]
    chosen = settings(learning_rate=1e-2, steps=150, generator="unet-3-96", width=4)
    return trained([noisy(c, i) for i, c in enumerate(clean)], clean, chosen)


def test_a_denoiser_takes_off_noise_and_keeps_the_units(denoiser: tuple[Model, list[Any]]) -> None:
    model, _ = denoiser
    clean = lattice(100, 2.0)
    image = noisy(clean, 9)
    restored = apply(model, image)
    assert restored.dtype == np.float32
    assert restored.shape == clean.shape
    assert np.abs(restored - clean).mean() < 0.6 * np.abs(image - clean).mean()
    assert abs(restored.mean() - clean.mean()) < 10


def test_the_units_of_the_image_decide_those_of_the_result(denoiser: tuple[Model, list[Any]]) -> None:
    model, _ = denoiser
    image = noisy(lattice(96), 4)
    exact = ApplySettings(precision="fp32", device="cpu")
    np.testing.assert_allclose(apply(model, image * 7 + 1000, exact), apply(model, image, exact) * 7 + 1000, atol=0.5)


def test_validation_is_a_part_of_each_plane_and_the_best_weights_are_kept(denoiser: tuple[Model, list[Any]]) -> None:
    model, events = denoiser
    measured = [event.metrics["l1"] for event in events if isinstance(event, Progress) and event.metrics]
    assert len(measured) > 2
    assert measured[0] > min(measured)
    assert model.card.history[-1].metrics["l1"] == pytest.approx(min(measured))
    assert model.card.task == "denoise"
    assert model.card.classes == ()


def test_previews_show_the_plane_asked_for_in_its_units() -> None:
    clean = lattice(192)
    job = finetune([noisy(clean)], [clean], settings(steps=3), "scratch")
    view = (noisy(lattice(70), 5) + 5000).astype(np.float32)
    job.show(view)
    shown = [event.images["prediction"] for event in job if isinstance(event, Preview)]
    assert all(image.shape == view.shape and image.dtype == np.float32 for image in shown)
    assert 4000 < float(shown[-1].mean()) < 6500


def test_small_planes_train_without_validation_and_say_so() -> None:
    clean = lattice(64)
    _, events = trained([noisy(clean)], [clean], settings(steps=2))
    assert any(isinstance(event, Notice) and "No validation" in event.text for event in events)


def test_a_finer_grid_doubles_the_result_and_halves_its_pixels(tmp_path: Path) -> None:
    fine = [lattice(192, phase, 0.5) for phase in (0.0, 0.6)]
    coarse = [plane.reshape(96, 2, 96, 2).mean((1, 3)) for plane in fine]
    chosen = settings("super-resolve", learning_rate=1e-2, steps=80, augment=False)
    model, events = trained(coarse, [plane - 100 for plane in fine], chosen)
    assert model.card.upscale == 2
    assert model.card.network.out_channels == 4
    previews = [event.images["prediction"].shape for event in events if isinstance(event, Preview)]
    assert set(previews) == {(192, 192)}
    stack = np.stack(coarse)
    assert apply(model, stack).shape == (2, 192, 192)
    again = read_model(save_model(model, tmp_path / "fine.safetensors"))
    assert again.card == model.card
    write_image(tmp_path / "in" / "a.tif", stack, 0.4)
    (written,) = apply_files(again, [tmp_path / "in"], tmp_path / "out").result()
    result = read_image(written)
    assert result.plane_shape == (192, 192)
    assert result.pixel_size_nm == pytest.approx(0.2)
    scores = evaluate(model, coarse, [plane - 100 for plane in fine])
    assert scores.mean["l1"] < 0.2
    with pytest.raises(UserError, match="2 times as fine"):
        evaluate(model, coarse, coarse)


def test_tiled_equals_whole_on_a_finer_grid() -> None:
    model = fine_model()
    image = noisy(lattice(150), 1)
    whole = apply(model, image, ApplySettings(device="cpu", precision="fp32"))
    tiled = apply(model, image, ApplySettings(device="cpu", precision="fp32", tile=64))
    assert np.abs(tiled - whole).max() < 1e-5 * np.ptp(whole)


def fine_model() -> Model:
    clean = lattice(64)
    model, _ = trained([clean], [lattice(128, 0, 0.5)], settings("super-resolve", steps=1))
    return model


def test_background_is_taken_off_in_the_units_of_the_image() -> None:
    signal = [lattice(192, phase) - 100 for phase in (0.0, 1.0)]
    images = [plane + 1000 for plane in signal]
    model, _ = trained(images, signal, settings("remove-background", learning_rate=1e-2, steps=80))
    result = apply(model, lattice(96, 0.4) + 4000)
    assert abs(float(result.mean()) - 100) < 40
    bright = gather_pairs(images[:1], [signal[0] + 500], settings("remove-background"), IntensityScaling())
    assert abs(float(bright.training[0].target.min())) < 0.02
    assert task_of("remove-background").output_levels(Levels(10.0, 30.0)) == Levels(0.0, 20.0)
    assert task_of("denoise").output_levels(Levels(10.0, 30.0)) == Levels(10.0, 30.0)


def test_targets_scaled_on_their_own_are_brought_to_one_unit() -> None:
    clean = lattice(64)
    image, target = (Image(name, plane[None], ()) for name, plane in (("a", clean), ("b", clean * 50)))
    own = gather_pairs([image], [target], settings(target_levels="own"), IntensityScaling()).training[0]
    np.testing.assert_allclose(own.target, own.image, atol=0.03)
    shared = gather_pairs([image], [target], settings(), IntensityScaling()).training[0]
    assert shared.target.max() > 40


def test_whole_sources_are_held_out_for_validation_and_test(tmp_path: Path) -> None:
    for number in range(20):
        clean = lattice(64, number)
        write_image(tmp_path / "image" / f"{number:05d}.tif", noisy(clean, number))
        write_image(tmp_path / "noNoise" / f"{number:05d}.tif", clean)
    chosen = settings(validation=0.15, test=0.15, steps=2, target_levels="image")
    parts = gather_pairs(tmp_path, tmp_path, chosen, IntensityScaling())
    assert [len(side) for side in (parts.training, parts.validation, parts.test)] == [14, 3, 3]
    model = finetune(tmp_path, tmp_path, chosen, "scratch").result()
    assert {"l1", "loss", "test l1", "test loss"} <= set(model.card.history[-1].metrics)


def test_the_papers_split_of_tem_imagenet_has_its_sizes() -> None:
    from napari_emssl.training.finetuning.paired_data import split_by_shares

    names = [f"image/{number:05d}.png" for number in range(14_364)]
    split = split_by_shares(names, names, 0.15, 0.15, 0)
    assert [len(part) for part in (split.training, split.validation, split.test)] == [10_377, 1_832, 2_155]


def test_pairs_of_different_fineness_are_refused() -> None:
    pairs = [lattice(64), lattice(64)], [lattice(64), lattice(128, 0, 0.5)]
    with pytest.raises(UserError, match="different factors"):
        gather_pairs(*pairs, settings("super-resolve"), IntensityScaling())
    with pytest.raises(UserError, match="differ in size"):
        gather_pairs([lattice(64)], [lattice(128)], settings("denoise"), IntensityScaling())


@pytest.mark.parametrize("upscale", [1, 2])
def test_patches_of_image_and_target_stay_aligned(upscale: int) -> None:
    image = np.zeros((50, 70), np.float32)
    image[21, 33] = 1
    target = np.kron(image, np.ones((upscale, upscale), np.float32))
    patches = PairPatches([LabelledPlane(image, target)], 64, 1, True, upscale, shared_zero=True)
    for step in range(20):
        inputs, wanted = patches.batch(step, 3)
        coarse = wanted.reshape(3, 1, 64, upscale, 64, upscale).mean((3, 5))
        torch.testing.assert_close(inputs, coarse)


def test_brightness_is_not_changed_where_zero_means_no_signal() -> None:
    pair = LabelledPlane(np.full((64, 64), 0.5, np.float32), np.zeros((64, 64), np.float32))
    images, targets = PairPatches([pair], 64, 1, shared_zero=False).batch(0, 8)
    assert (targets == 0).all()
    assert len(torch.unique(images)) > 4


def test_pairs_are_read_once_while_there_is_room() -> None:
    read: list[int] = []

    def reader(number: int) -> Any:
        def read_pair() -> LabelledPlane:
            read.append(number)
            return LabelledPlane(np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32))

        return read_pair

    pairs = PairPlanes([reader(0), reader(1)], room=600)
    for number in (0, 1, 0, 1, -1):
        pairs[number]
    assert read == [0, 1, 1, 1]
    assert [len(pairs[:1]), len(pairs)] == [1, 2]


def test_a_head_for_a_finer_grid_begins_as_the_coarse_one() -> None:
    from napari_emssl.models.model_file import NetworkSpec

    coarse, fine = network_of(NetworkSpec(name="unet-2-44")), network_of(NetworkSpec(name="unet-2-44", out_channels=4))
    weights = to_numpy(coarse.state_dict())
    assert transfer(spread_head(weights, fine), fine) == []
    x = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        one, four = coarse.eval()(x), RestorationObjective(2).decode(fine.eval()(x))
    torch.testing.assert_close(four, one.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("task", ["denoise", "remove-background", "super-resolve"])
def test_hrnets_restore_too(task: str) -> None:
    clean = lattice(64)
    chosen = settings(task, steps=1, generator="hrnet-w18-small", width=4, batch_size=1, refine=True)
    model, _ = trained([noisy(clean)], [clean], chosen)
    assert apply(model, noisy(clean)).shape == clean.shape


def test_one_seed_gives_one_model_and_a_stop_still_hands_one_over() -> None:
    clean = lattice(64)
    first, second = (trained([noisy(clean)], [clean], settings(steps=3, seed=7))[0] for _ in range(2))
    assert all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)
    job = finetune([noisy(clean)], [clean], settings(steps=500), "scratch")
    events = []
    for event in job:
        events.append(event)
        if len(events) == 3:
            job.stop()
    assert events[-1].stopped
    assert events[-1].result.card.task == "denoise"
