"""The recipe of the paper is what a plain loop does; its test, its splits and its snapshots."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from small_finetuning import discs, result
from torch import nn

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.epoch_patches import EpochPatches
from napari_emssl.errors import UserError
from napari_emssl.evaluation.evaluate import evaluate
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.events import Progress, Started
from napari_emssl.jobs.settings import EvaluateSettings, FinetuneSettings
from napari_emssl.networks.generators import build_generator
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.finetuning.labelled_data import gather
from napari_emssl.training.finetuning.learners import ALL_CLASSES
from napari_emssl.training.finetuning.paired_data import gather_pairs

SMALL = {"width": 2, "generator": "unet-2-44", "batch_size": 2, "patch": 32, "device": "cpu", "zero": "background"}


def paper(**changes: object) -> FinetuneSettings:
    return FinetuneSettings(**{"recipe": "paper", **SMALL, **changes})


def masked(count: int = 8) -> tuple[list[np.ndarray], list[np.ndarray]]:
    pairs = [discs(seed=seed, size=64, count=1 + seed % 3) for seed in range(count)]
    return [image for image, _ in pairs], [(numbers > 0).astype(np.uint8) for _, numbers in pairs]


def stored(folder: Path, part: str = "", count: int = 8, **more: np.ndarray) -> None:
    """HDF5 files of images and labels as those of the Au sets."""
    folder.mkdir(exist_ok=True)
    images, masks = masked(count)
    for kind, arrays in (("images", images), ("labels", masks)):
        with h5py.File(folder / f"{part}{kind.title()}.h5", "w") as file:
            file[kind] = np.stack(arrays)
            for name, array in more.items():
                file[name] = array


@pytest.mark.parametrize("task", ["segment", "denoise"])
def test_it_is_what_a_plain_loop_does(task: str) -> None:
    """Adam at a constant rate, plain BCE or L1 + L2, norms that follow the batches: written again with nn alone."""
    images, masks = masked(5)
    targets = masks if task == "segment" else [image.astype(np.float32) for image in images]
    settings = paper(task=task, epochs=2, test=0.0, validation=0.0, seed=4)
    model = finetune(images, targets, settings, "scratch").result()

    gathered = gather if task == "segment" else gather_pairs
    data = gathered(images, targets, settings, IntensityScaling())
    patches = EpochPatches(data.training, 32, seed=4)
    torch.manual_seed(4)
    network = build_generator("unet-2-44", 2).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4)
    for step in range(2 * 3):
        inputs, wanted = patches.batch(step, 2)
        output = network(inputs.contiguous(memory_format=torch.channels_last))
        if task == "segment":
            loss = nn.functional.binary_cross_entropy_with_logits(output[:, 0], (wanted == 2).float())
        else:
            loss = nn.functional.l1_loss(output, wanted) + nn.functional.mse_loss(output, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # the gradient of a bias before a norm is nothing but rounding, which Adam makes as large as any other
    unruly = ("num_batches_tracked", "running_mean", "conv1.bias", "conv2.bias")
    for name, tensor in network.state_dict().items():
        if not name.endswith(unruly):
            np.testing.assert_allclose(model.weights[name], tensor.numpy(), atol=2e-6, err_msg=name)


def test_snapshots_are_the_test_scores_of_the_best_weights_so_far() -> None:
    images, masks = masked(10)
    settings = paper(epochs=6, validation_epochs=1, learning_rate=0.02)
    events = list(finetune(images, masks, settings, "scratch"))
    seen = [event for event in events if isinstance(event, Progress) and event.metrics]
    assert [event.epoch for event in seen] == [0, 1, 2, 3, 4, 5, 6]
    best, kept = -1.0, None
    for event in seen:
        if event.metrics[ALL_CLASSES] > best:
            best, kept = event.metrics[ALL_CLASSES], event.metrics["test dice"]
        assert event.metrics["test dice"] == kept
    assert len({event.metrics["test dice"] for event in seen}) > 1
    stage = result(events).card.history[-1]
    assert [row["test dice"] for row in stage.data["snapshots"]] == [event.metrics["test dice"] for event in seen]
    assert stage.metrics["test dice"] == kept
    assert (stage.settings["recipe"], stage.settings["rate_schedule"]) == ("paper", "constant")


def test_a_resumed_run_has_the_snapshots_of_the_uninterrupted_one(tmp_path: Path) -> None:
    images, masks = masked(10)
    sources = (images, masks, paper(epochs=4, validation_epochs=1, learning_rate=0.02), "scratch")
    whole = finetune(*sources).result()
    job = finetune(*sources, autosave=tmp_path / "autosave")
    for event in job:
        if isinstance(event, Progress) and event.step == 7:
            job.stop()
    resumed = finetune(*sources, resume=tmp_path / "autosave").result()
    assert resumed.card.history[-1].data["snapshots"] == whole.card.history[-1].data["snapshots"]
    assert all(np.array_equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)


def test_what_is_tested_is_neither_learnt_nor_validated_and_scored_as_evaluate_does(tmp_path: Path) -> None:
    images, masks = masked(10)
    settings = paper(epochs=3, seed=2)
    model = finetune(images, masks, settings, "scratch", keep_split=tmp_path / "split.json").result()
    data = gather(images, masks, settings, IntensityScaling())
    assert [len(side) for side in (data.training, data.validation, data.test)] == [6, 2, 2]
    split = json.loads((tmp_path / "split.json").read_text())
    tested = [int(name) for name in split["test"]]
    scores = evaluate(model, [images[n] for n in tested], [masks[n] for n in tested],
                      EvaluateSettings(zero="background", device="cpu", precision="fp32"))  # fmt: skip
    assert model.card.history[-1].metrics["test dice"] == pytest.approx(scores.pooled["dice"])
    assert model.card.history[-1].metrics["test dice_per_image"] == pytest.approx(scores.mean["dice"])
    changed = [image if n not in tested else image[::-1] for n, image in enumerate(images)]
    again = finetune(changed, masks, paper(seed=9, epochs=3), "scratch", split=tmp_path / "split.json")
    other = finetune(images, masks, paper(seed=9, epochs=3), "scratch", split=tmp_path / "split.json")
    one, two = again.result(), other.result()
    assert all(np.array_equal(one.weights[name], two.weights[name]) for name in one.weights)


@pytest.mark.parametrize("task", ["segment", "denoise"])
def test_planes_of_a_set_in_one_file_are_held_out_whole(task: str, tmp_path: Path) -> None:
    for folder in ("set", "clean"):
        stored(tmp_path / folder)
    targets = tmp_path / "set" / "Labels.h5" if task == "segment" else tmp_path / "clean" / "Images.h5"
    pairs = (tmp_path / "set" / "Images.h5", targets)
    settings = FinetuneSettings(**SMALL, task=task, validation=0.25)
    data = (gather if task == "segment" else gather_pairs)(*pairs, settings, IntensityScaling())
    assert [len(data.training), len(data.validation)] == [6, 2]
    learnt = {plane.image.tobytes() for plane in data.training}
    assert not any(plane.image.tobytes() in learnt for plane in data.validation)


def test_patches_of_a_frame_stay_together_by_default(tmp_path: Path) -> None:
    frames = np.repeat(np.arange(5), 2)
    stored(tmp_path / "set", count=10, frames=frames)
    for unit, kept in (("frame", True), ("image", False)):
        together = []
        for seed in range(4):
            division = gather(tmp_path / "set", tmp_path / "set", paper(split_by=unit, seed=seed), IntensityScaling())
            assert division.division is not None
            split = division.division.split
            sides = [set(frames[part]) for part in (split.training, split.validation, split.test)]
            together.append(not (sides[0] & sides[2] or sides[0] & sides[1]))
        assert all(together) == kept


def test_parts_that_files_name_are_honoured_and_the_test_is_not_learnt(tmp_path: Path) -> None:
    for part, count in (("Training_", 4), ("Validation_", 2), ("Test_", 3)):
        stored(tmp_path / "set", part, count)
    settings = FinetuneSettings(**SMALL, steps=2)
    events = list(finetune(tmp_path / "set", tmp_path / "set", settings, "scratch"))
    assert isinstance(events[0], Started)
    assert "4 to learn from, 2 for validation, 3 to test" in events[0].summary
    assert "test dice" in result(events).card.history[-1].metrics
    pooled = gather(
        tmp_path / "set", tmp_path / "set", FinetuneSettings(**SMALL, named_parts=False), IntensityScaling()
    )
    assert len(pooled.training) + len(pooled.validation) == 9


def test_what_a_start_has_learnt_from_judges_nothing(tmp_path: Path) -> None:
    images, masks = masked(10)
    first = finetune(images, masks, FinetuneSettings(**SMALL, steps=1, validation=0.0), "scratch").result()
    data = finetune(images + masked(14)[0][10:], masks + masked(14)[1][10:], paper(epochs=1, test=0.3), first)
    stage = data.result().card.history[-1]
    record = stage.data["split"].values()
    assert sum(entry["whole"] == "learnt" for entry in record) >= 10


def test_hot_pixels_are_repaired_in_training_and_in_use() -> None:
    images, masks = masked(6)
    spoilt = [image.copy() for image in images]
    for image in spoilt:
        image[::9, ::7] = 60_000
    settings = FinetuneSettings(**SMALL, steps=4, hot_pixels=5000.0)
    model = finetune(spoilt, masks, settings, "scratch").result()
    repaired = [IntensityScaling(hot_pixels=5000.0).repaired(image) for image in spoilt]
    same = finetune(repaired, masks, FinetuneSettings(**SMALL, steps=4), "scratch").result()
    assert all(np.array_equal(model.weights[name], same.weights[name]) for name in same.weights)
    assert model.card.scaling.hot_pixels == 5000.0
    np.testing.assert_array_equal(apply(model, spoilt[0]), apply(same, repaired[0]))


def test_without_targets_there_is_no_such_recipe() -> None:
    with pytest.raises(UserError, match="--test 0"):
        finetune([discs()[0]], None, paper(task="denoise"), "scratch").result()
    with pytest.raises(UserError, match="epochs"):
        finetune([discs()[0]], None, paper(task="denoise", test=0.0), "scratch").result()
