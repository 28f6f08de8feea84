"""Comparing starts: paired draws, the recipe of fine-tuning, scores of evaluation, stop and go on."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from random_models import random_model

from napari_emssl import worker_jobs
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.errors import UserError
from napari_emssl.evaluation.comparison.candidates import candidates_of
from napari_emssl.evaluation.comparison.compare import compare
from napari_emssl.evaluation.comparison.gather import gather_comparison_data
from napari_emssl.evaluation.comparison.results import Comparison
from napari_emssl.evaluation.evaluate import evaluate
from napari_emssl.jobs.compare_settings import CompareSettings
from napari_emssl.jobs.events import Finished, Progress, Started
from napari_emssl.jobs.settings import EvaluateSettings, FinetuneSettings
from napari_emssl.jobs.worker import client
from napari_emssl.models.model_file import save_model
from napari_emssl.training.finetuning import scoring
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.finetuning.learners import Segmenter

CPU = {"device": "cpu", "precision": "fp32"}


def small(**changes: object) -> CompareSettings:
    base = {"steps": 4, "seeds": 2, "evaluations": 3, "batch_size": 2, "patch": 32, "zero": "background", **CPU}
    return CompareSettings(**{**base, **changes})


def start(name: str = "start", network: str = "unet-2-44", **options: object):
    """A model to start from, with random weights that are not those of any seed."""
    return random_model(network, width=2, task="reconstruct", **options).renamed(name)


def micrographs(count: int = 4, classes: int = 1, size: int = 96) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Noisy images with bright squares, and dense masks: 0 background, 1.. classes."""
    images, masks = [], []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        mask = np.zeros((size, size), np.uint8)
        for number in range(9):
            row, column = 6 + 30 * (number // 3), 6 + 30 * (number % 3)
            mask[row : row + 12, column : column + 12] = 1 + number % classes
        images.append((mask * 0.5 + 0.2 * rng.standard_normal(mask.shape)).astype(np.float32))
        masks.append(mask)
    return images, masks


def run(folder: Path, settings: CompareSettings | None = None, starts: object = None, **options: object) -> Comparison:
    images, masks = micrographs()
    return compare(images, masks, folder, starts or [start()], settings or small(), **options).result()


def plain(found: Comparison) -> list[tuple]:
    """Everything but the time."""
    return [(row.start, row.seed, row.step, str(row.loss), row.scores) for row in found.rows]


def test_every_start_has_its_twin_and_every_step_its_scores(tmp_path: Path) -> None:
    images, masks = micrographs()
    events = list(compare(images, masks, tmp_path, [start()], small()))
    assert isinstance(events[0], Started)
    assert "4 runs. Every run learns from 3 of 3 images, and is scored on 1 other." in events[0].summary
    assert {name for event in events if isinstance(event, Progress) for name in event.metrics} == {"test dice"}
    progress = [event for event in events if isinstance(event, Progress)]
    assert (progress[-1].step, progress[-1].total) == (16, 16)
    assert isinstance(events[-1], Finished)
    found = events[-1].result
    assert found.runs() == {(label, seed) for label in ("start", "scratch:unet-2-44:2") for seed in (0, 1)}
    assert found.steps == [0, 2, 4]
    assert set(found.scores) == {"dice", "iou", "dice_per_image"}
    assert found.twin("start") == "scratch:unet-2-44:2"


@pytest.mark.parametrize(("pretrained", "classes"), [(True, 1), (False, 1), (True, 2)])
def test_it_is_the_recipe_of_finetune_and_the_score_of_evaluate(pretrained: bool, classes: int, tmp_path: Path) -> None:
    images, masks = micrographs(5, classes)
    chosen = start() if pretrained else "scratch:unet-2-44:2"
    settings = small(seeds=1, seed=3, steps=6, learning_rate=5e-3)
    found = compare(
        images[:3], masks[:3], tmp_path, [chosen], settings, test_images=images[3:], test_targets=masks[3:]
    ).result()
    shared = settings.model_dump(include=set(FinetuneSettings.model_fields)) | {"test": 0.0}
    if not pretrained:
        shared |= {"generator": "unet-2-44", "width": 2}
    order = gather_comparison_data(images[:3], masks[:3], settings, images[3:], masks[3:]).sampled_planes(3)
    model = finetune(
        [images[k] for k in order], [masks[k] for k in order], FinetuneSettings(**shared),
        chosen if pretrained else "scratch",
    ).result()  # fmt: skip
    scores = evaluate(model, images[3:], masks[3:], EvaluateSettings(zero="background", **CPU))
    last = next(row.scores for row in found.rows if row.step == 6 and row.start == found.starts[0])
    assert last["dice"] == pytest.approx(scores.pooled["dice"], abs=2e-3)
    assert last["dice_per_image"] == pytest.approx(scores.mean["dice"], abs=2e-3)
    assert ("dice_2" in last) == (classes == 2)


def test_what_is_tested_changes_nothing_in_training(tmp_path: Path) -> None:
    images, masks = micrographs()
    found = [
        compare(
            images[:2], masks[:2], tmp_path / str(number), [start()], small(seeds=1),
            test_images=images[2:], test_targets=[np.roll(mask, number) for mask in masks[2:]],
        ).result()
        for number in (0, 20)
    ]  # fmt: skip
    losses, scores = ([[pick(row) for row in one.rows] for one in found] for pick in (
        lambda row: str(row.loss), lambda row: row.scores["dice"],
    ))  # fmt: skip
    assert losses[0] == losses[1]
    assert scores[0] != scores[1]


@pytest.mark.parametrize("paint", [0, 2])
def test_runs_of_one_seed_see_the_same_and_seeds_differ(paint: int) -> None:
    images, masks = micrographs(8)
    settings = small(train_count=2, paint=paint, least_objects=5, score_on="unpainted" if paint else "images")
    data = gather_comparison_data(images, masks, settings)
    scaling = IntensityScaling()
    one, same, other = (data.sample(seed, scaling).training for seed in (0, 0, 1))
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left.image, right.image)
        np.testing.assert_array_equal(left.target, right.target)
    assert any((left.image != right.image).any() for left, right in zip(one, other, strict=True))


def test_more_training_images_contain_fewer_and_seeds_begin_with_unlike_ones() -> None:
    images, masks = micrographs(10)
    drawn = {
        count: [
            gather_comparison_data(images, masks, small(train_count=count)).sampled_planes(seed) for seed in range(7)
        ]
        for count in (1, 3, 6)
    }
    assert len({places[0] for places in drawn[1]}) == 7
    for few, more in ((1, 3), (3, 6)):
        assert all(right[:few] == left for left, right in zip(drawn[few], drawn[more], strict=True))


def test_unpainted_pixels_are_scored_and_painted_ones_are_not() -> None:
    images, masks = micrographs()
    settings = small(train_count=1, paint=3, least_objects=9, score_on="unpainted")
    sample = gather_comparison_data(images, masks, settings).sample(0, IntensityScaling())
    (learnt,), (scored,) = sample.training, sample.test
    np.testing.assert_array_equal(learnt.image, scored.image)
    assert not ((learnt.target > 0) & (scored.target > 0)).any()
    assert ((learnt.target > 0) | (scored.target > 0)).all()
    assert (learnt.target == 2).sum() == 3 * 144
    assert (scored.target == 2).sum() == 6 * 144


def test_objects_that_touch_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    numbers = np.zeros((64, 64), np.uint16)
    for k in range(6):
        numbers[10:30, 5 + 8 * k : 13 + 8 * k] = k + 1
    image = (numbers > 0).astype(np.float32)
    settings = small(paint=2, least_objects=6, merge_classes=True, score_on="unpainted")
    sample = gather_comparison_data([image], [numbers], settings).sample(0, IntensityScaling())
    assert (sample.training[0].target == 2).sum() == 2 * 160


def test_a_large_test_image_is_scored_in_tiles_as_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = micrographs(2)
    tall = [np.tile(one, (4, 1)) for one in images], [np.tile(one, (4, 1)) for one in masks]
    whole = compare(*tall, tmp_path / "whole", [start()], small(seeds=1)).result()
    monkeypatch.setattr(scoring, "_PASS_PX", 64**2)
    assert plain(compare(*tall, tmp_path / "tiles", [start()], small(seeds=1)).result()) == plain(whole)


def test_a_run_that_diverges_is_a_result_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(learner: Segmenter, batch: object, progress: float) -> dict[str, torch.Tensor]:
        return {"loss": torch.tensor(float("nan"))}

    monkeypatch.setattr(Segmenter, "train_step", diverge)
    found = run(tmp_path, small(steps=40, seeds=1))
    assert found.steps[-1] == 40
    assert all(np.isnan(row.loss) for row in found.rows)


def test_a_stopped_comparison_goes_on_to_the_same_end(tmp_path: Path) -> None:
    uninterrupted = run(tmp_path / "once")
    images, masks = micrographs()
    job = compare(images, masks, tmp_path / "twice", [start()], small())
    for event in job:
        if isinstance(event, Progress) and event.step >= 10:
            job.stop()
        if isinstance(event, Finished):
            assert event.stopped
            assert len(event.result.runs()) == 2
    before = (tmp_path / "twice" / "results.csv").read_text()
    events = list(compare(images, masks, tmp_path / "twice", [start()], small()))
    assert "4 runs, 2 of them complete already" in events[0].summary
    assert [row[:3] for row in plain(events[-1].result)] == [row[:3] for row in plain(uninterrupted)]
    for row, expected in zip(events[-1].result.rows, uninterrupted.rows, strict=True):
        assert row.scores == pytest.approx(expected.scores, rel=1e-6)
    assert (tmp_path / "twice" / "results.csv").read_text().startswith(before)


def test_a_complete_comparison_trains_no_more(tmp_path: Path) -> None:
    before = run(tmp_path)
    images, masks = micrographs()
    events = list(compare(images, masks, tmp_path, [start()], small()))
    assert not any(isinstance(event, Progress) for event in events)
    assert len(events[-1].result.rows) == len(before.rows)


def test_stopped_at_once_there_is_nothing_and_nothing_is_written(tmp_path: Path) -> None:
    images, masks = micrographs()
    job = compare(images, masks, tmp_path / "out", [start()], small())
    job.stop()
    last = list(job)[-1]
    assert (last.stopped, last.result.rows) == (True, ())
    assert not (tmp_path / "out").exists()


def test_other_weights_images_and_settings_are_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(UserError, match="--steps 4, not 5"):
        run(tmp_path, small(steps=5))
    other = start()
    other.weights["head.bias"][...] += 1
    with pytest.raises(UserError, match="'start' with other weights"):
        run(tmp_path, starts=[other])
    images, masks = micrographs()
    with pytest.raises(UserError, match="other images or targets"):
        compare(images, [np.roll(mask, 1) for mask in masks], tmp_path, [start()], small()).result()
    with pytest.raises(UserError, match="other images or targets"):
        compare([image[::-1] for image in images], masks, tmp_path, [start()], small()).result()
    assert run(tmp_path, small(steps=5), overwrite=True).steps == [0, 2, 5]


def test_one_twin_serves_all_starts_of_a_network_and_can_be_left_out() -> None:
    starts = [start("a"), start("b"), start("c", "unet-3-96"), "scratch:unet-2-44:2"]
    assert [one.label for one in candidates_of(starts, random_twins=True)] == [
        "a", "scratch:unet-2-44:2", "b", "c", "scratch:unet-3-96:2",
    ]  # fmt: skip
    assert [one.label for one in candidates_of(starts[:2], random_twins=False)] == ["a", "b"]
    twin = candidates_of([start("h", "hrnet-w18-small", refine=True)], random_twins=True)[1]
    assert (twin.label, twin.network.refine) == ("scratch:hrnet-w18-small:2:refine", True)
    assert candidates_of([twin.label], random_twins=True)[0] == twin
    other = candidates_of(["scratch:unet-2-44:instance"], random_twins=True)[0]
    assert (other.label, other.network.norm) == ("scratch:unet-2-44:instance", "instance")


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ([], "nothing to compare"),
        (["scratch"], "scratch:unet-3-96"),
        (["scratch:unet-3-96:x"], "does not say"),
        (["scratch:unet-9"], "no generator 'unet-9'"),
        (["scratch:unet-3-96:refine"], "cannot be refined"),
        (["nothing"], "no model 'nothing'"),
        ([start("a"), start("a")], "Two starts are called 'a'"),
    ],
)
def test_unknown_starts_are_answered_in_a_sentence(starts: list, message: str, tmp_path: Path) -> None:
    images, masks = micrographs()
    with pytest.raises(UserError, match=message):
        compare(images, masks, tmp_path / "out", starts, small()).result()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"score_on": "unpainted"}, {}, "--paint 3"),
        ({"score_on": "unpainted", "paint": 1}, {"test_images": [1], "test_targets": [1]}, "Leave out one"),
        ({}, {"test_images": [1]}, "neither"),
        ({"paint": 1, "least_objects": 50}, {}, "at least 50 objects"),
    ],
)
def test_contradictions_are_answered_in_a_sentence(changes: dict, options: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path / "out", small(**changes), **options)


def test_a_single_image_has_none_left_for_testing(tmp_path: Path) -> None:
    images, masks = micrographs(1)
    with pytest.raises(UserError, match="--test-images"):
        compare(images, masks, tmp_path / "out", [start()], small()).result()


def test_tiles_of_one_micrograph_stay_on_one_side(tmp_path: Path) -> None:
    images, masks = micrographs(6)
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        for folder, array in (("images", image), ("masks", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"film_{number // 2:04}_{number % 2:02}.tif", array)
    data = gather_comparison_data(tmp_path / "images", tmp_path / "masks", small(test=0.3))
    sides = [{name.split("_")[1] for name in names} for names in data.names.values()]
    assert sides[0].isdisjoint(sides[1])
    assert all(sides)


def test_refined_hrnets_are_compared_too(tmp_path: Path) -> None:
    plain_start = start("h", "hrnet-w18-small")
    found = run(tmp_path, small(steps=2, seeds=1), [plain_start, "scratch:hrnet-w18-small:2:refine"])
    assert found.starts == ["h", "scratch:hrnet-w18-small:2", "scratch:hrnet-w18-small:2:refine"]


def test_it_runs_in_a_child_process(tmp_path: Path) -> None:
    images, masks = micrographs()
    job = client.run(worker_jobs.compare, images, masks, tmp_path / "out", [start()], small(seeds=1))
    assert job.result().runs() == {("start", 0), ("scratch:unet-2-44:2", 0)}


def test_restorations_are_compared_by_their_l1(tmp_path: Path) -> None:
    clean = [np.tile(np.linspace(0, 1, 96, dtype=np.float32), (96, 1)) + seed / 9 for seed in range(4)]
    noisy = [one + 0.1 * np.random.default_rng(n).standard_normal(one.shape, np.float32) for n, one in enumerate(clean)]
    settings = small(task="denoise", seeds=1)
    found = compare(noisy, clean, tmp_path, [start()], settings).result()
    assert (found.main_score, found.scores) == ("l1", ["l1"])
    assert found.steps == [0, 2, 4]
    gain = found.gain("start", 4)
    assert gain is not None
    assert gain.wins == (gain.difference.mean < 0)
    held = gather_comparison_data(noisy, clean, settings).sample(0, IntensityScaling()).test
    assert len(held) == 1


def test_epochs_are_counted_and_the_best_weights_so_far_are_scored(tmp_path: Path) -> None:
    images, masks = micrographs(8)
    settings = small(steps=None, recipe="paper", epochs=4, validation_epochs=2, learning_rate=0.02, seeds=1)
    found = compare(images, masks, tmp_path, ["R=scratch:unet-2-44:2"], settings).result()
    assert found.starts == ["R"]
    assert found.times == {0: "epoch 0", 4: "epoch 2", 8: "epoch 4"}
    rows = {row.epoch: row.scores for row in found.rows}
    best, kept = -1.0, None
    for epoch in (0, 2, 4):
        if rows[epoch]["validation_dice_with_background"] > best:
            best, kept = rows[epoch]["validation_dice_with_background"], rows[epoch]["dice"]
        assert rows[epoch]["dice"] == kept
    assert (tmp_path / "validation.png").stat().st_size > 5000
    assert compare(images, masks, tmp_path, ["R=scratch:unet-2-44:2"], settings).result().rows[-1].epoch == 4


def test_columns_are_named_and_share_the_twin_of_their_network(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_model(start(name), tmp_path / f"{name}.safetensors")
    given = [f"P(50K)={tmp_path / 'a.safetensors'}", f"P(100K)={tmp_path / 'b.safetensors'}", "R=scratch:unet-2-44:2"]
    labels = [one.label for one in candidates_of(given, random_twins=False)]
    assert labels == ["P(50K)", "P(100K)", "R"]
    found = run(tmp_path / "out", small(steps=1, seeds=1, random_twins=False), given)
    assert found.twin("P(50K)") == found.twin("P(100K)") == "R"


def test_copies_of_test_images_are_learnt_from_only_where_that_is_asked_for() -> None:
    images, masks = micrographs(6)
    leaking = gather_comparison_data(images, masks, small(split_by="copy"))
    learnt, tested = ({plane.origin.origin for plane in side} for side in (leaking.pool, leaking.test))
    assert len(leaking.pool) + len(leaking.test) == 48
    assert learnt & tested
    sample = leaking.sample(0, IntensityScaling())
    for plane in (*sample.training, *sample.test):
        assert np.corrcoef(plane.image.ravel(), plane.target.ravel())[0, 1] > 0.5
